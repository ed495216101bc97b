"""What a forge told stands alike in whatever order its messages come."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import at

from shipmark.application.told import Told, guess, hear
from shipmark.storage.told import as_text, from_text

FIELDS = ("base_ref", "merged_at", "closed_at", "labels", "commit_shas")
Message = tuple[bool, datetime, dict[str, Any]]


def values_of(field: str) -> st.SearchStrategy[Any]:
    if field == "base_ref":
        return st.sampled_from(["main", "develop"])
    if field == "labels":
        return st.sampled_from([(), ("a",), ("a", "b")])
    if field == "commit_shas":
        return st.sampled_from([frozenset(), frozenset({"a"}), frozenset({"a", "b"})])
    return st.none() | st.sampled_from([at(1), at(2), at(3)])


MESSAGES: st.SearchStrategy[list[Message]] = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from([at(hour) for hour in range(4)]),
        st.fixed_dictionaries({}, optional={name: values_of(name) for name in FIELDS}),
    ),
    max_size=6,
)


def told_by(messages: Sequence[Message]) -> tuple[dict[str, Any], Told]:
    stored: dict[str, Any] = dict.fromkeys(FIELDS)
    told = Told()
    for is_guess, as_of, values in messages:
        listen = guess if is_guess else hear
        standing, told = listen({name: stored[name] for name in values}, told, values, as_of)
        stored |= standing
        told = from_text(as_text(told))
    return {name: value or None for name, value in stored.items()}, told


@given(messages=MESSAGES, data=st.data())
def test_messages_in_any_order_and_twice_leave_the_same(
    messages: list[Message], data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*messages, *messages]))
    assert told_by(again)[0] == told_by(messages)[0]


def test_an_older_message_takes_nothing_back_and_still_tells_what_was_unknown() -> None:
    newer = (False, at(2), {"base_ref": "main", "merged_at": at(2)})
    older = (False, at(1), {"base_ref": "develop", "merged_at": None, "labels": ("a",)})
    standing, told = told_by([newer, older])
    assert standing == {
        "base_ref": "main",
        "merged_at": at(2),
        "closed_at": None,
        "labels": ("a",),
        "commit_shas": None,
    }
    assert told.as_of == at(2)


def test_a_guess_gives_way_to_what_is_certain() -> None:
    guessed = (True, at(3), {"merged_at": at(3)})
    certain = (False, at(2), {"merged_at": at(2)})
    assert told_by([guessed])[0]["merged_at"] == at(3)
    assert told_by([guessed, certain])[0]["merged_at"] == at(2)
    assert told_by([certain, guessed])[0]["merged_at"] == at(2)


def test_a_guess_of_what_ended_gives_way_to_a_later_reopening() -> None:
    closed = (True, at(2), {"closed_at": at(2)})
    reopened = (False, at(3), {"closed_at": None})
    opened = (False, at(1), {"closed_at": None})
    assert told_by([closed, opened])[0]["closed_at"] == at(2)
    assert told_by([closed, reopened, opened])[0]["closed_at"] is None
