"""The application, and all it stands on."""

import gc
import os
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.applications import Starlette

from shipmark import logs
from shipmark.api import import_uploads, rules
from shipmark.api.asgi import application
from shipmark.api.calls import Api
from shipmark.api.decoding import decode
from shipmark.api.deployments import PatchArguments
from shipmark.api.errors import status_of
from shipmark.api.file_rows import READERS
from shipmark.app.background import Background
from shipmark.app.configured import hooks_of, metric_rules_of, policy_of, running_webhooks, setup_of
from shipmark.app.schema import open_database, prepare_schema, schema_version
from shipmark.application.change import Patch
from shipmark.application.rules import RuleDraft
from shipmark.application.upload_file import Upload
from shipmark.application.works import works
from shipmark.application.writer import Writer
from shipmark.settings import Settings, load
from shipmark.storage import migrations
from shipmark.web.charts.drawing import Drawing
from shipmark.web.page import refusal_page
from shipmark.web.routes import routes
from shipmark.web.site import Site

COLLECTED_AFTER = 50_000
"""New objects after which the garbage collector looks for cycles among them."""


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


def site_of(settings: Settings, api: Api) -> Site:
    """What the pages stand on: they call what the API calls."""
    return Site(
        calls=api,
        status_of=status_of,
        patch_of=_patch_of,
        rule_of=_rule_of,
        upload_of=_upload_of,
        store_file=partial(import_uploads.stored, api),
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
    arguments = decode(import_uploads.UploadArguments, sent)
    return arguments.upload(arguments.kind, account_id)


def _spare_the_collector() -> None:
    """Take what was made so far out of the garbage collector's rounds, and let it go them seldom.

    By default it walks every module and statement after some thousand new objects, which a burst
    of requests makes many times a second: that was 1 request in 100 taking three times as long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_AFTER, 20, 50)
