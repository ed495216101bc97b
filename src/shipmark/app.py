"""The composition root: settings become a database, a writer, a worker and an application."""

import gc
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette

from shipmark import logs
from shipmark.api import imports, rules
from shipmark.api.asgi import application
from shipmark.api.calls import Api
from shipmark.api.decoding import decode
from shipmark.api.deployments import PatchArguments
from shipmark.api.errors import status_of
from shipmark.api.file_rows import READERS
from shipmark.api.webhooks_running import RunningWebhook
from shipmark.application.budgets import Budgets
from shipmark.application.change import Patch
from shipmark.application.deliveries import Delivery, Hook
from shipmark.application.diagnosis import ForgeSetup
from shipmark.application.doctor import Setup
from shipmark.application.facts import Fact
from shipmark.application.file_deployments import DeploymentRows
from shipmark.application.file_importer import FileImporter, by_turns, by_writer
from shipmark.application.file_imports import Kind
from shipmark.application.file_pulls import PullRows
from shipmark.application.file_services import ServiceRows
from shipmark.application.forge_importer import ForgeImporter
from shipmark.application.headlines import headlines
from shipmark.application.inbox import Inbox
from shipmark.application.look_ups import LookUps
from shipmark.application.loop import Loop
from shipmark.application.metric_facts import MetricRules
from shipmark.application.metric_queries import FixRules
from shipmark.application.policy import Policy
from shipmark.application.rules import RuleDraft, infer
from shipmark.application.upload_file import Upload
from shipmark.application.validate_file import Write
from shipmark.application.worker import Worker
from shipmark.application.works import works
from shipmark.application.writer import Writer
from shipmark.connectors import argo_cd, azure_devops, cdevents, flux
from shipmark.connectors.forge_servers import PUBLIC, Access
from shipmark.connectors.forges import Forges, connect
from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.connectors.payloads import UnreadablePayload
from shipmark.connectors.re2_patterns import Re2Engine
from shipmark.connectors.rules_file import read_rules_file
from shipmark.connectors.webhooks import WEBHOOKS, secret_setting
from shipmark.domain.artifacts import ServiceDeployed
from shipmark.domain.errors import InvalidArgument
from shipmark.settings import Settings, SettingsError, load
from shipmark.storage import migrations
from shipmark.storage.database import Database
from shipmark.storage.scratch import copy_facts
from shipmark.web.charts.drawing import Drawing
from shipmark.web.page import refusal_page
from shipmark.web.routes import routes
from shipmark.web.site import Site

AZURE_DEVOPS = "azure-devops"
"""The last part of the address to which its service hooks are sent."""

FORGES = ("github", "gitlab", "bitbucket", "azure_devops", "gitea")
TITLES = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "bitbucket": "Bitbucket",
    "azure_devops": "Azure DevOps",
    "gitea": "Gitea",
}
QUICK = (3.0, 10.0)
"""Seconds to wait for a connection and for an answer where a retry waits for it."""

IMPORT_GRACE = 5.0
"""Seconds that an import under way is waited for when it is time to stop."""

AS_DEFINED = MetricRules()

COLLECTED_AFTER = 50_000
"""New objects after which the garbage collector looks for cycles among them."""


def open_database(settings: Settings) -> Database:
    """The database that the settings name. Nothing is connected to yet."""
    if settings.database_url is None:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"SHIPMARK_DATA_DIR is '{settings.data_dir}', and that folder cannot be made: "
                f"{error.strerror}."
            ) from None
    return Database(settings.effective_database_url, pool_size=settings.readers + 4)


def policy_of(settings: Settings) -> Policy:
    """What the settings say about attribution."""
    return Policy(
        retry_for=settings.retry_for,
        first_retry_after=settings.first_retry_after,
        longest_retry_pause=settings.longest_retry_pause,
        register_unknown_repositories=settings.unknown_repositories == "register",
        wait_for_unknown_merge_commits=settings.unknown_merge_commits == "wait",
        patterns=Re2Engine(),
        paths=GitIgnoreEngine(),
        read_rules_file=read_rules_file,
    )


def metric_rules_of(settings: Settings) -> MetricRules:
    """What the settings say about metrics."""
    return MetricRules(
        incident_within=settings.incident_within,
        fixes=FixRules(
            titles=_listed(settings.rework_titles), labels=_listed(settings.rework_labels)
        ),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def running_webhooks(settings: Settings) -> dict[str, RunningWebhook]:
    """Who may tell what runs, and how it is read; by the name of the endpoint."""
    secrets = {
        "cdevents": (settings.cdevents_webhook_secret, cdevents),
        "argo-cd": (settings.argo_cd_webhook_secret, argo_cd),
        "flux": (settings.flux_webhook_secret, flux),
    }
    return {
        name: RunningWebhook(
            secret=secret,
            is_genuine=connector.is_genuine,
            read=partial(_read_webhook, connector.read_webhook),
        )
        for name, (secret, connector) in secrets.items()
    }


def _read_webhook(
    read: Callable[[Mapping[str, str], Any], Sequence[ServiceDeployed]],
    headers: Mapping[str, str],
    payload: Any,
) -> Sequence[ServiceDeployed]:
    try:
        return read(headers, payload)
    except UnreadablePayload as error:
        raise InvalidArgument(error.message) from None


def forges_of(settings: Settings, **transport: Any) -> Forges:
    """The forges that the settings let us into; ``transport`` is for how they are asked. Raises
    SettingsError for what is said of a forge by half."""
    accesses = [access for source in FORGES if (access := _access(settings, source))]
    return connect(accesses, **transport)


def setup_of(settings: Settings) -> Setup:
    """What the settings say of each forge, for whoever looks for what is missing."""
    return Setup(
        forges={
            source: ForgeSetup(
                source=source,
                title=TITLES[source],
                is_asked=_access(settings, source) is not None,
                takes_webhooks=getattr(settings, f"{source}_webhook_secret") is not None,
                docs=f"docs/forges/{source.replace('_', '-')}.md",
            )
            for source in FORGES
        },
        patterns=Re2Engine(),
    )


class Background:
    """What works beside the requests: deliveries and retries in one thread, imports from forges in
    another, files in a third. The first is quick to give a forge up; an import may take as long as
    its forge does. With a ``writer``, files wait their turn with all else that is written."""

    def __init__(
        self, settings: Settings, database: Database, writer: Writer | None = None
    ) -> None:
        policy = policy_of(settings)
        self._stopping = threading.Event()
        self._asked = forges_of(settings, timeouts=QUICK, attempts=1, sleep=self._stopping.wait)
        self._read = forges_of(settings, sleep=self._stopping.wait)
        look_ups = LookUps(database, self._asked, policy, stopping=self._stopping, infer=infer)
        reader = Deliveries(self._asked, settings.azure_devops_url)
        worker = Worker(
            database,
            policy,
            inbox=Inbox(database=database, reader=reader, policy=policy, infer=infer),
            look_ups=look_ups if self._asked.sources else None,
        )
        self._worker = Loop(
            "shipmark-worker",
            partial(_noting, Budgets(database, self._asked), worker.work_once),
            stopping=self._stopping,
        )
        importer = ForgeImporter(
            database,
            self._read,
            policy,
            every=settings.import_every,
            stopping=self._stopping,
            infer=infer,
        )
        self._imports = Loop(
            "shipmark-imports",
            partial(_noting, Budgets(database, self._read), importer.work_once),
            stopping=self._stopping,
            grace=IMPORT_GRACE,
        )

        files = file_importer(
            database,
            policy,
            write=by_writer(writer) if writer else by_turns(database),
            metric_rules=metric_rules_of(settings),
            stopping=self._stopping,
        )
        self._files = Loop(
            "shipmark-files", files.work_once, stopping=self._stopping, grace=IMPORT_GRACE
        )

    def start(self) -> None:
        self._worker.start()
        self._start_imports()

    def run(self) -> None:
        """Work until stopped, in the thread that calls."""
        self._start_imports()
        self._worker.run()

    def _start_imports(self) -> None:
        self._files.start()
        if self._read.sources:
            self._imports.start()

    def request_stop(self) -> None:
        """Stop soon, without waiting for it: for a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Finish what is under way, and stop."""
        self.request_stop()
        self._worker.stop()
        self._imports.stop()
        self._files.stop()
        self._asked.close()
        self._read.close()


def _noting(budgets: Budgets, work_once: Callable[[], int]) -> int:
    """Do the work, and note what forges told of their limits in doing it."""
    try:
        return work_once()
    finally:
        budgets.note()


def file_importer(
    database: Database,
    policy: Policy,
    *,
    write: Write,
    metric_rules: MetricRules = AS_DEFINED,
    stopping: threading.Event | None = None,
) -> FileImporter:
    """What goes on with files, as the API would take their rows."""
    return FileImporter(
        database=database,
        readers=READERS,
        kinds={
            Kind.DEPLOYMENTS: DeploymentRows(policy=policy),
            Kind.PULLS: PullRows(policy=policy),
            Kind.SERVICES: ServiceRows(policy=policy),
        },
        write=write,
        copy_facts=partial(copy_facts, database),
        measure=partial(headlines, rules=metric_rules),
        stopping=stopping or threading.Event(),
    )


def _access(settings: Settings, source: str) -> Access | None:
    token, url = getattr(settings, f"{source}_token"), getattr(settings, f"{source}_url")
    app = _app(settings) if source == "github" else None
    if app and token:
        raise SettingsError("Set SHIPMARK_GITHUB_TOKEN or SHIPMARK_GITHUB_APP_ID, not both.")
    if not (app or token or url):
        return None
    if url is None and source not in PUBLIC:
        variable = f"SHIPMARK_{source.upper()}"
        raise SettingsError(f"{variable}_TOKEN needs {variable}_URL beside it: where that is.")
    return Access(source=source, url=url, token=token, app=app)


def _app(settings: Settings) -> tuple[str, str] | None:
    if settings.github_app_id and settings.github_app_key:
        return settings.github_app_id, settings.github_app_key
    if settings.github_app_id:
        raise SettingsError("SHIPMARK_GITHUB_APP_ID needs SHIPMARK_GITHUB_APP_KEY beside it.")
    if settings.github_app_key:
        raise SettingsError("SHIPMARK_GITHUB_APP_KEY needs SHIPMARK_GITHUB_APP_ID beside it.")
    return None


def prepare_schema(database: Database) -> None:
    """Bring SQLite's schema up to date; for PostgreSQL, refuse one that is not.

    A file of one's own can be changed at any time. A shared database is changed by whoever
    operates it, when they say so.
    """
    if database.is_sqlite:
        migrate(database)
        return
    version = schema_version(database)
    if version != migrations.newest_version():
        raise SettingsError(
            f"The database's schema is at version {version or 'none'}, and this release of "
            f"Shipmark needs {migrations.newest_version()}. Run: shipmark migrate"
        )


def migrate(database: Database) -> str:
    """Bring the schema to the newest version and answer that version. Raises Unavailable."""
    with database.translated():
        return migrations.migrate(database.engine)


def schema_version(database: Database) -> str | None:
    """The version the database is at; None for one that is empty. Raises Unavailable."""
    with database.translated():
        version = migrations.schema_version(database.engine)
    database.check_file()
    return version


def hooks_of(settings: Settings) -> dict[str, Hook]:
    """From which forges webhooks are taken: those for which there is a secret."""
    secrets = {forge: getattr(settings, secret_setting(forge)) for forge in WEBHOOKS}
    return {
        forge: Hook(
            secret=secret,
            is_genuine=WEBHOOKS[forge].is_genuine,
            delivery_id=WEBHOOKS[forge].delivery_id,
            kept_headers=WEBHOOKS[forge].kept_headers,
        )
        for forge, secret in secrets.items()
        if secret
    }


class Deliveries:
    """Reads what forges delivered, whether or not their webhooks are still taken. Without forges,
    nothing is asked of any."""

    def __init__(self, forges: Forges | None = None, azure_devops_url: str | None = None) -> None:
        self._forges = forges or connect([])
        self._azure_devops_url = azure_devops_url

    def read(self, delivery: Delivery) -> Sequence[Fact]:
        webhook = WEBHOOKS[delivery.forge]
        return webhook.facts(delivery.headers, delivery.body, received_at=delivery.received_at)

    def follow_up(self, delivery: Delivery, facts: Sequence[Fact]) -> Sequence[Fact]:
        """What a webhook leaves open and its forge tells, where we are let in: of a merged pull
        request all of it, path rules that may have changed, and the commit that a pipeline of
        Azure DevOps ran on."""
        forge = self._forges.named(delivery.forge.replace("-", "_"))
        if forge is None:
            return ()
        told = forge.follow_up(facts)
        if delivery.forge == AZURE_DEVOPS:
            url = self._azure_devops_url or ""
            asking = azure_devops.follow_up(json.loads(delivery.body), base_url=url)
            told += forge.hold_if_told(delivery.forge, asking) if asking else []
        return told


def _spare_the_collector() -> None:
    """Take what was made so far out of the garbage collector's rounds, and let it go them seldom.

    By default it walks every module and statement after some thousand new objects, which a burst
    of requests makes many times a second: that was 1 request in 100 taking three times as long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER, 20, 50)


def site_of(settings: Settings, api: Api) -> Site:
    """What the pages stand on: they call what the API calls."""
    return Site(
        calls=api,
        status_of=status_of,
        patch_of=_patch_of,
        rule_of=_rule_of,
        upload_of=_upload_of,
        store_file=partial(imports.stored, api),
        row_readers=READERS,
        drawing=Drawing(),
        session_lifetime=settings.session_lifetime,
        public_badges=settings.public_badges,
    )


def _patch_of(sent: Mapping[str, Any], account_id: int) -> Patch:
    return decode(PatchArguments, sent).patch(account_id)


def _rule_of(sent: Mapping[str, Any], account_id: int) -> RuleDraft:
    return decode(rules.UpsertArguments, sent).draft(account_id)


def _upload_of(sent: Mapping[str, Any], account_id: int) -> Upload:
    arguments = decode(imports.UploadArguments, sent)
    return arguments.upload(arguments.kind, account_id)


def build(settings: Settings) -> Starlette:
    """The application and all it stands on, taken down in order when it stops."""
    policy = policy_of(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        database = open_database(settings)
        prepare_schema(database)
        writer = Writer(database)
        background = Background(settings, database, writer)
        with ThreadPoolExecutor(settings.readers, "shipmark-reader") as readers:
            api = Api(
                database=database,
                writer=writer,
                readers=readers,
                works=works(policy),
                base_url=settings.base_url,
                largest_body=settings.max_body_bytes,
                largest_import=settings.max_import_bytes,
                schema_version=partial(schema_version, database),
                newest_version=migrations.newest_version(),
                hooks=hooks_of(settings),
                setup=setup_of(settings),
                metric_rules=metric_rules_of(settings),
            )
            app.state.api = api
            app.state.site = site_of(settings, api)
            app.state.running_webhooks = running_webhooks(settings)
            _spare_the_collector()
            if settings.with_worker:
                background.start()
            try:
                yield
            finally:
                # What was accepted is committed before the process goes.
                background.request_stop()
                writer.close()
                background.stop()
                await app.state.site.drawing.close()
        database.close()

    return application(lifespan, pages=routes(), refusal_page=refusal_page)


def create() -> Starlette:
    """The application for a server process, from its environment."""
    settings = load(os.environ)
    logs.configure(settings.log_level, settings.log_format)
    return build(settings)
