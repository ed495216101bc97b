"""Every page, one line each. Start reading here."""

from starlette.routing import BaseRoute, Route

from shipmark.application.tokens import Scope
from shipmark.web import (
    access,
    asked,
    badges,
    deployment,
    deployments,
    file_import,
    health,
    imports,
    incidents,
    metric,
    overview,
    path_rules,
    pulls,
    repositories,
    rules,
    services,
    sign_in,
    static_files,
    suggestions,
)
from shipmark.web.page import Page, page

READ = (Scope.READ,)
DEPLOY = (Scope.DEPLOYMENTS_WRITE,)
FACTS = (Scope.PULLS_WRITE,)
EITHER = (Scope.DEPLOYMENTS_WRITE, Scope.PULLS_WRITE)
ADMIN = (Scope.ADMIN,)
AFTER = ("after",)

PAGES: tuple[Page, ...] = (
    page("/", overview.home, scopes=READ, knows=asked.FILTERS),
    page("/sign-in", sign_in.form, knows=("next",)),
    page("/sign-in", sign_in.sign_in, changes=True),
    page("/sign-out", sign_in.sign_out, changes=True),
    page("/theme", sign_in.choose_theme, changes=True),
    page("/deployments", deployments.explorer, scopes=READ, knows=(*deployments.FILTERS, "after")),
    page("/deployments.csv", deployments.export, scopes=READ, knows=deployments.FILTERS),
    page("/deployments/{id:int}", deployment.shown, scopes=READ, knows=AFTER),
    page("/deployments/{id:int}/edit", deployment.edit, scopes=DEPLOY),
    page("/deployments/{id:int}/edit", deployment.change, scopes=DEPLOY, changes=True),
    page("/deployments/{id:int}/retry", deployment.retry, scopes=DEPLOY, changes=True),
    page("/deployments/{id:int}/delete", deployment.delete, scopes=DEPLOY, changes=True),
    page("/pulls", pulls.explorer, scopes=READ, knows=(*pulls.FILTERS, "after")),
    page("/pulls/{repository:path}/{number:int}", pulls.shown, scopes=READ),
    page("/services", services.listed, scopes=READ, knows=AFTER),
    page("/services/{identifier:path}", services.shown, scopes=READ, knows=services.FILTERS),
    page("/repositories", repositories.listed, scopes=READ, knows=AFTER),
    page("/repositories/{name:path}", repositories.shown, scopes=READ, knows=asked.TIMES),
    page("/health", health.shown, scopes=READ, knows=("repository", "after")),
    page("/incidents", incidents.listed, scopes=READ, knows=(*incidents.FILTERS, "after")),
    page("/incidents/{id:int}", incidents.shown, scopes=READ),
    page("/incidents/{id:int}/links", incidents.correct, scopes=DEPLOY, changes=True),
    page("/suggestions/{noun}", suggestions.listed, scopes=READ, knows=None),
    page("/metrics/{metric}", metric.shown, scopes=READ, knows=(*metric.FIELDS, "after")),
    page("/metrics/{metric}/rows.csv", metric.export, scopes=READ, knows=metric.FIELDS),
    page("/imports", imports.explorer, scopes=READ, knows=AFTER),
    page("/imports", imports.upload, scopes=EITHER, changes=True, takes_file=True),
    page("/imports/template.csv", file_import.template, scopes=READ, knows=("kind",)),
    page("/imports/{id:int}", file_import.shown, scopes=READ, knows=("state", "after")),
    page("/imports/{id:int}/rows.csv", file_import.export, scopes=READ, knows=("state",)),
    page("/imports/{id:int}/preview", file_import.preview, scopes=EITHER, changes=True),
    page("/imports/{id:int}/apply", file_import.apply, scopes=EITHER, changes=True),
    page("/imports/{id:int}/undo", file_import.undo, scopes=EITHER, changes=True),
    page("/rules", rules.listed, scopes=READ, knows=AFTER),
    page("/rules/edit", rules.edit, scopes=DEPLOY, knows=("name",)),
    page("/rules/edit", rules.change, scopes=DEPLOY, changes=True),
    page("/rules/delete", rules.delete, scopes=DEPLOY, changes=True),
    page("/rules/paths", path_rules.listed, scopes=READ, knows=("after", "origin")),
    page("/rules/paths/edit", path_rules.edit, scopes=FACTS, knows=("repository",)),
    page("/rules/paths/edit", path_rules.change, scopes=FACTS, changes=True),
    page("/rules/paths/delete", path_rules.delete, scopes=FACTS, changes=True),
    page("/access", access.tokens, scopes=ADMIN),
    page("/access", access.create_token, scopes=ADMIN, changes=True),
    page("/access/tokens/{id:int}/revoke", access.revoke_token, scopes=ADMIN, changes=True),
    page("/access/accounts", access.accounts, scopes=ADMIN),
    page("/access/accounts", access.create_account, scopes=ADMIN, changes=True),
    page("/access/accounts/change", access.change_account, scopes=ADMIN, changes=True),
    page("/badge/pulls/{repository:path}/{number:int}.svg", badges.badge, knows=None),
)


def routes() -> list[BaseRoute]:
    """The routes of pages and of the files they load."""
    return [
        *(one.route() for one in PAGES),
        Route("/static/{name}", static_files.serve),
    ]
