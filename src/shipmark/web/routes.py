"""Every page, one line each. Start reading here."""

from starlette.routing import BaseRoute, Route

from shipmark.application.tokens import Scope
from shipmark.web import (
    badges,
    deployment,
    deployments,
    incidents,
    metric,
    overview,
    pulls,
    repositories,
    services,
    sign_in,
    static_files,
)
from shipmark.web.page import Page, page

READ = (Scope.READ,)
DEPLOY = (Scope.DEPLOYMENTS_WRITE,)

PAGES: tuple[Page, ...] = (
    page("/", overview.home, scopes=READ),
    page("/sign-in", sign_in.form),
    page("/sign-in", sign_in.sign_in, changes=True),
    page("/sign-out", sign_in.sign_out, changes=True),
    page("/theme", sign_in.choose_theme, changes=True),
    page("/deployments", deployments.explorer, scopes=READ),
    page("/deployments.csv", deployments.export, scopes=READ),
    page("/deployments/{id:int}", deployment.shown, scopes=READ),
    page("/deployments/{id:int}/edit", deployment.edit, scopes=DEPLOY),
    page("/deployments/{id:int}/edit", deployment.change, scopes=DEPLOY, changes=True),
    page("/deployments/{id:int}/retry", deployment.retry, scopes=DEPLOY, changes=True),
    page("/deployments/{id:int}/delete", deployment.delete, scopes=DEPLOY, changes=True),
    page("/pulls", pulls.explorer, scopes=READ),
    page("/pulls/{repository:path}/{number:int}", pulls.shown, scopes=READ),
    page("/services", services.listed, scopes=READ),
    page("/services/{identifier:path}", services.shown, scopes=READ),
    page("/repositories", repositories.listed, scopes=READ),
    page("/repositories/{name:path}", repositories.shown, scopes=READ),
    page("/incidents", incidents.listed, scopes=READ),
    page("/incidents/{id:int}", incidents.shown, scopes=READ),
    page("/incidents/{id:int}/links", incidents.correct, scopes=DEPLOY, changes=True),
    page("/metrics/{metric}", metric.shown, scopes=READ),
    page("/metrics/{metric}/rows.csv", metric.export, scopes=READ),
    page("/badge/pulls/{repository:path}/{number:int}.svg", badges.badge),
)


def routes() -> list[BaseRoute]:
    """The routes of pages and of the files they load."""
    return [
        *(one.route() for one in PAGES),
        Route("/static/{name}", static_files.serve),
    ]
