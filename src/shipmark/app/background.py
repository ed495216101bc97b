"""What works beside the requests."""

import threading
from collections.abc import Callable
from functools import partial

from shipmark.api.file_rows import READERS
from shipmark.app.configured import forges_of, metric_rules_of, policy_of
from shipmark.application.budgets import Budgets
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
from shipmark.application.policy import Policy
from shipmark.application.rules import infer
from shipmark.application.validate_file import Write
from shipmark.application.worker import Worker
from shipmark.application.writer import Writer
from shipmark.connectors.deliveries import Deliveries
from shipmark.settings import Settings
from shipmark.storage.database import Database
from shipmark.storage.scratch import copy_facts

QUICK = (3.0, 10.0)
"""Seconds to wait for a connection and for an answer where a retry waits for it."""

IMPORT_GRACE = 5.0
"""Seconds that an import under way is waited for when it is time to stop."""

AS_DEFINED = MetricRules()


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
