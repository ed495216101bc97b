"""In whichever order the facts arrive, the answers are the same in the end."""

import json
from collections import deque
from random import Random
from typing import Any

from tests.api.pages import all_pages
from tests.server import LiveServer, refused, succeeded
from tests.shops import Shop, when

Fact = tuple[str, dict[str, Any]]
COME_AGAIN = {"merge_commit_shas_not_found", "integration_branch_not_valid"}
WHEN_TOLD = {"updated_at", "attributed_at", "retried_until", "next_attempt_at"}
DIFFERS = {"id", "url", "source_id", "created_at", "attempts"} | WHEN_TOLD
"""What depends on when and in which order it was told. (Times to deploy tell when a pull request
was created.)"""


class History(Shop):
    """The same history again and again, each time under names of its own."""

    def facts(self) -> list[Fact]:
        return [*self._pulls(), *self._assignments(), *self._deployments()]

    def _pulls(self) -> list[Fact]:
        items = [self.item(number, created_at=when(number - 5)) for number in (1, 2, 3, 5, 8, 9)]
        items += [self.item(number, base_ref="develop") for number in (4, 6, 7)]
        items += [
            self.item(10, head_sha=self.sha(110), commit_shas=[self.sha(111), self.sha(110)]),
            self.item(11, merged_at=when(9), title="At the same instant as #9"),
            self.item(12, merged_at=None, merge_commit_sha=None),
        ]
        for item in items:
            item["source_id"] = self._source_id(item["number"])
        return [("pulls.import", {"pulls": [item]}) for item in items]

    def _source_id(self, number: int) -> str:
        return str(10**12 + 1000 * self.number + number)

    def _assignments(self) -> list[Fact]:
        by_id = {"github_pull_id": self._source_id(2), "services": ["a"]}
        by_number = {"repository": self.repository, "pull_number": 5, "services": ["b"]}
        twice = {"repository": self.repository, "pull_number": 2, "services": ["c"]}
        return [("deployments.setPullServices", one) for one in (by_id, by_number, twice)]

    def _deployments(self) -> list[Fact]:
        named: list[dict[str, Any]] = [
            self.deployment(3.5, service="a"),
            self.deployment(5.5, service="a", commit_sha=self.sha(5)),
            self.deployment(6, service="a", commit_sha=self.sha(3)[:8]),
            self.deployment(8.5, service="a", success=False),
            self.deployment(12, service="a", commit_sha=self.sha(111)),
            self.deployment(12, service="a", commit_sha=self.sha(10)),
            self.deployment(13, service="a", commit_sha=self.sha(300)),
            self.deployment(4, service="b", merge_commit_shas=[self.sha(2), self.sha(4)]),
            self.deployment(5, service="b"),
            self.deployment(9.5, service="b", commit_sha=self.sha(9), integration_branch="develop"),
            self.deployment(2.5, service="a", environment="staging"),
            self.deployment(9.5, service="a", environment="staging", commit_sha=self.sha(8)),
        ]
        return [
            ("deployments.create", one | {"reference_id": self.reference(number)})
            for number, one in enumerate(named)
        ]

    def tell(self, facts: list[Fact]) -> None:
        """Tell the facts in this order; one that names what nobody has told yet comes again."""
        waiting = deque(facts)
        refusals = 0
        while waiting:
            method, arguments = waiting.popleft()
            response = self.server.send(method, json=arguments)
            if response.status_code == 422 and refused(response).error in COME_AGAIN:
                waiting.append((method, arguments))
                refusals += 1
                assert refusals < 100
            else:
                assert succeeded(response).get("failed", 0) == 0

    def answers(self) -> dict[str, Any]:
        """What is shown of every deployment and pull request, without the names of this one."""
        found = {}
        for page in all_pages(self.server, "deployments.list", repository=self.repository):
            for one in page["deployments"]:
                reference_id = one["reference_id"]
                found[reference_id] = self.server.call(
                    "deployments.info", reference_id=reference_id
                )
        for number in range(1, 13):
            found[f"#{number}"] = self.server.call(
                "pulls.info", repository=self.repository, number=number
            )
            found[f"#{number}"]["deployments"].sort(key=lambda one: one["reference_id"])
        text = json.dumps(without_what_differs(found))
        text = text.replace(f"{self.repository}/", "").replace(self.repository, "acme/shop")
        answers: dict[str, Any] = json.loads(text.replace(f'"{self.number:04x}', '"'))
        return answers


def without_what_differs(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_what_differs(one) for name, one in value.items() if name not in DIFFERS
        }
    return [without_what_differs(one) for one in value] if isinstance(value, list) else value


def shipped_of(answers: dict[str, Any]) -> dict[str, list[int]]:
    return {
        name: [pull["number"] for pull in one["pull_requests"]]
        for name, one in answers.items()
        if "pull_requests" in one
    }


SHIPPED = {
    "0": [1, 2, 3],
    "1": [],
    "2": [],
    "3": [],
    "4": [8, 9, 11, 10],
    "5": [],
    "6": [],
    "7": [2, 4],
    "8": [1, 3, 5],
    "9": [6, 7],
    "10": [1, 2],
    "11": [3, 8],
}
REASONS = {
    "1": "no_pull_requests_yet",
    "2": "rollback",
    "3": "failed",
    "5": "redeploy",
    "6": "commit_not_imported",
}


def test_the_answers_do_not_depend_on_the_order_of_the_facts(server: LiveServer) -> None:
    first = History(server)
    first.tell(first.facts())
    expected = first.answers()
    assert shipped_of(expected) == SHIPPED
    for name, reason in REASONS.items():
        assert expected[name]["deployment"]["attribution"]["reason"] == reason
    for number in range(7):
        other = History(server)
        facts = other.facts()[::-1]
        if number:
            Random(number).shuffle(facts)  # noqa: S311 - an order, no secret
        other.tell(facts)
        assert other.answers() == expected, f"order {number}"


def test_telling_everything_twice_changes_nothing(server: LiveServer) -> None:
    history = History(server)
    history.tell(history.facts())
    before = history.answers()
    history.tell(history.facts()[::-1])
    assert history.answers() == before
