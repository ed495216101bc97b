"""What all webhooks have in common, whichever forge sends them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.connectors import bitbucket_payloads as bitbucket
from tests.connectors import gitlab_payloads as gitlab

from shipmark.application.facts import RepositoryFacts
from shipmark.connectors.payloads import EPOCH
from shipmark.connectors.webhooks import WEBHOOKS

LATE = datetime(2026, 5, 1, tzinfo=UTC)
LAST_COMMIT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def repository_of(forge: str, payload: Any, **headers: str) -> RepositoryFacts:
    """What a webhook that came long after it was sent tells of its repository."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    facts = WEBHOOKS[forge].facts(told, json.dumps(payload).encode(), received_at=LATE)
    (found,) = [one for one in facts if isinstance(one, RepositoryFacts)]
    return found


@pytest.mark.parametrize(
    ("forge", "payload", "headers"),
    [
        ("gitlab", gitlab.PUSH_HOOK, {}),
        ("bitbucket", bitbucket.PUSH_HOOK, {"x_event_key": "repo:push"}),
    ],
)
def test_a_push_tells_of_its_repository_as_of_its_last_commit(
    forge: str, payload: Any, headers: dict[str, str]
) -> None:
    assert repository_of(forge, payload, **headers).as_of == LAST_COMMIT


def test_what_tells_no_instant_takes_nothing_back() -> None:
    assert repository_of("gitlab", gitlab.TAG_HOOK).as_of == EPOCH


def test_a_new_name_counts_as_of_when_it_came() -> None:
    told = repository_of("bitbucket", bitbucket.RENAMED_HOOK, x_event_key="repo:updated")
    assert (told.as_of, told.values) == (LATE, {})
