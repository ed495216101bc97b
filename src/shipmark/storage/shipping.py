"""Which deployments ship a pull request: asked from its side, by one look into each lane."""

from typing import Any

from sqlalchemy import CompoundSelect, union

from shipmark.storage.sent_rows import among
from shipmark.storage.shipped import shipped_by_list, shipped_by_window
from shipmark.storage.tables import deployments, pulls, windows
from shipmark.storage.windows import first_reaching


def shipping() -> CompoundSelect[Any]:
    """The ids of the deployments that ship any of the pull requests sent as ``ids``."""
    by_window = shipped_by_window(windows.c.deployment_id.label("id")).where(
        among(pulls.c.id, "ids"), windows.c.deployment_id == first_reaching()
    )
    by_list = shipped_by_list(deployments.c.id).where(among(pulls.c.id, "ids"))
    return union(by_window, by_list)
