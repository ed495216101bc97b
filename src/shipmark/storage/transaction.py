"""One transaction of the database, with the queries of every noun."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sqlalchemy import Connection

from shipmark.storage.activities import Activities
from shipmark.storage.artifacts import Artifacts
from shipmark.storage.assignments import Assignments
from shipmark.storage.checkups import Checkups
from shipmark.storage.commits import Commits
from shipmark.storage.deliveries import Deliveries
from shipmark.storage.deploy_rules import DeployRules
from shipmark.storage.deployment_rows import DeploymentRows
from shipmark.storage.deployments import Deployments
from shipmark.storage.events import Events
from shipmark.storage.explanations import Explanations
from shipmark.storage.file_effects import FileEffects
from shipmark.storage.file_imports import FileImports
from shipmark.storage.forge_imports import ForgeImports
from shipmark.storage.incidents import Incidents
from shipmark.storage.lanes import Lanes
from shipmark.storage.metrics import Metrics
from shipmark.storage.path_rules import PathRuleSets
from shipmark.storage.pull_rows import PullRows
from shipmark.storage.pulls import Pulls
from shipmark.storage.received import Received
from shipmark.storage.reports import Reports
from shipmark.storage.repositories import Repositories
from shipmark.storage.search import Search
from shipmark.storage.services import Services
from shipmark.storage.sessions import Sessions
from shipmark.storage.tokens import Tokens
from shipmark.storage.windows import Windows


@dataclass(frozen=True)
class StorageTransaction:
    """What `application.ports.Transaction` asks for, over one connection."""

    connection: Connection
    now: datetime

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.connection)

    @cached_property
    def repositories(self) -> Repositories:
        return Repositories(self.connection, self.now)

    @cached_property
    def forge_imports(self) -> ForgeImports:
        return ForgeImports(self.connection, self.now)

    @cached_property
    def services(self) -> Services:
        return Services(self.connection)

    @cached_property
    def commits(self) -> Commits:
        return Commits(self.connection)

    @cached_property
    def pulls(self) -> Pulls:
        return Pulls(self.connection, self.now)

    @cached_property
    def assignments(self) -> Assignments:
        return Assignments(self.connection)

    @cached_property
    def deployments(self) -> Deployments:
        return Deployments(self.connection, self.now)

    @cached_property
    def lanes(self) -> Lanes:
        return Lanes(self.connection)

    @cached_property
    def windows(self) -> Windows:
        return Windows(self.connection)

    @cached_property
    def deploy_rules(self) -> DeployRules:
        return DeployRules(self.connection, self.now)

    @cached_property
    def path_rules(self) -> PathRuleSets:
        return PathRuleSets(self.connection, self.now)

    @cached_property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.connection, self.now)

    @cached_property
    def events(self) -> Events:
        return Events(self.connection, self.now)

    @cached_property
    def deliveries(self) -> Deliveries:
        return Deliveries(self.connection, self.now)

    @cached_property
    def received(self) -> Received:
        return Received(self.connection)

    @cached_property
    def checkups(self) -> Checkups:
        return Checkups(
            self.connection,
            repositories=self.repositories,
            forge_imports=self.forge_imports,
            deploy_rules=self.deploy_rules,
        )

    @cached_property
    def incidents(self) -> Incidents:
        return Incidents(self.connection, self.now)

    @cached_property
    def activities(self) -> Activities:
        return Activities(self.connection)

    @cached_property
    def metrics(self) -> Metrics:
        return Metrics(self.connection)

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(self.connection)

    @cached_property
    def file_imports(self) -> FileImports:
        return FileImports(self.connection, self.now)

    @cached_property
    def file_effects(self) -> FileEffects:
        return FileEffects(self.connection)

    @cached_property
    def pull_rows(self) -> PullRows:
        return PullRows(self.connection, pulls=self.pulls)

    @cached_property
    def explanations(self) -> Explanations:
        return Explanations(self.connection, pull_rows=self.pull_rows)

    @cached_property
    def reports(self) -> Reports:
        return Reports(
            self.connection,
            deployment_rows=DeploymentRows(self.connection, deployments=self.deployments),
            pull_rows=self.pull_rows,
            repositories=self.repositories,
            services=self.services,
            deploy_rules=self.deploy_rules,
            path_rules=self.path_rules,
        )

    @cached_property
    def search(self) -> Search:
        return Search(self.connection)
