"""The whole API, one line a method. Start reading here."""

from shipmark.api import (
    artifacts,
    deployments,
    doctor,
    import_uploads,
    imports,
    incidents,
    metric_rows,
    metrics,
    path_rules,
    pull_import,
    pulls,
    repositories,
    rules,
)
from shipmark.api.endpoint import Method, method
from shipmark.application.tokens import Scope

DEPLOY = (Scope.DEPLOYMENTS_WRITE,)
FACTS = (Scope.PULLS_WRITE,)
EITHER = (Scope.DEPLOYMENTS_WRITE, Scope.PULLS_WRITE)
READ = (Scope.READ,)

METHODS: tuple[Method, ...] = (
    method("deployments.create", deployments.create, scopes=DEPLOY),
    method("deployments.setPullServices", pulls.set_services, scopes=EITHER),
    method("deployments.upsert", deployments.upsert, scopes=DEPLOY),
    method("deployments.update", deployments.update, scopes=DEPLOY),
    method("deployments.delete", deployments.delete, scopes=DEPLOY),
    method("deployments.retry", deployments.retry, scopes=DEPLOY),
    method("deployments.info", deployments.info, scopes=READ, reads=True),
    method("deployments.list", deployments.list_deployments, scopes=READ, reads=True),
    method("deployments.explain", deployments.explain, scopes=READ, reads=True),
    method(
        "pulls.import",
        pull_import.import_pulls,
        scopes=FACTS,
        documents=pull_import.ImportArguments,
    ),
    method("pulls.info", pulls.info, scopes=READ, reads=True),
    method("pulls.list", pulls.list_pulls, scopes=READ, reads=True),
    method("pulls.explain", pulls.explain, scopes=READ, reads=True),
    method("repositories.upsert", repositories.upsert, scopes=FACTS),
    method("repositories.list", repositories.list_repositories, scopes=READ, reads=True),
    method("repositories.doctor", doctor.doctor, scopes=READ, reads=True),
    method("services.list", repositories.list_services, scopes=READ, reads=True),
    method("incidents.upsert", incidents.upsert, scopes=DEPLOY),
    method("incidents.sync", incidents.upsert, scopes=DEPLOY),
    method("incidents.link", incidents.link, scopes=DEPLOY),
    method("incidents.unlink", incidents.unlink, scopes=DEPLOY),
    method("incidents.withdraw", incidents.withdraw, scopes=DEPLOY),
    method("incidents.delete", incidents.delete, scopes=DEPLOY),
    method("incidents.info", incidents.info, scopes=READ, reads=True),
    method("incidents.list", incidents.list_incidents, scopes=READ, reads=True),
    method("metrics.get", metrics.get, scopes=READ, reads=True, as_table=metrics.table),
    method("metrics.rows", metric_rows.rows, scopes=READ, reads=True, as_table=metric_rows.table),
    method("rules.upsert", rules.upsert, scopes=DEPLOY),
    method("rules.preview", rules.preview, scopes=DEPLOY),
    method("rules.list", rules.list_rules, scopes=READ, reads=True),
    method("rules.delete", rules.delete, scopes=DEPLOY),
    method("artifacts.set", artifacts.set_artifact, scopes=DEPLOY),
    method("path_rules.upsert", path_rules.upsert, scopes=FACTS),
    method("path_rules.preview", path_rules.preview, scopes=FACTS),
    method("path_rules.list", path_rules.list_path_rules, scopes=READ, reads=True),
    method("path_rules.delete", path_rules.delete, scopes=FACTS),
    method("deployments.import", import_uploads.import_deployments, scopes=DEPLOY, streams=True),
    method("imports.upload", import_uploads.upload, scopes=EITHER, streams=True),
    method("imports.template", imports.template, scopes=READ, reads=True),
    method("imports.info", imports.info, scopes=READ, reads=True),
    method("imports.list", imports.list_imports, scopes=READ, reads=True),
    method("imports.rows", imports.rows, scopes=READ, reads=True),
    method("imports.preview", imports.preview, scopes=EITHER),
    method("imports.apply", imports.apply, scopes=EITHER),
    method("imports.undo", imports.undo, scopes=EITHER),
)
