"""docs/api.md says what the API does: its methods, arguments, answers and errors, and no others."""

import json
import re
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from tests.docs.pages import Page, Section, code_in, codes_in

from shipmark.api import answers, incidents, metric_rows, repositories, rules
from shipmark.api.decoding import Arguments, forms, required
from shipmark.api.endpoint import Method
from shipmark.api.errors import status_of
from shipmark.api.pull_import import ImportArguments, PullItem
from shipmark.api.routes import METHODS
from shipmark.application.tokens import Scope
from shipmark.domain import model
from shipmark.domain.errors import ShipmarkError

API = Page("docs/api.md")
REQUIRED = "**required**"
SHAPES = {
    "Attribution": answers.AttributionState,
    "Deployment": answers.DeploymentAnswer,
    "Shipped pull request": answers.ShippedPullAnswer,
    "Pull request": answers.PullAnswer,
    "Deployment of a pull request": answers.ShippedByAnswer,
    "Repository": repositories.RepositoryAnswer,
    "Service": repositories.ServiceAnswer,
    "Deploy rule": rules.RuleAnswer,
    "Incident": incidents.IncidentAnswer,
    "Link of an incident": incidents.LinkAnswer,
    "Metric row": metric_rows.RowAnswer,
}


def test_each_method_has_its_section_and_its_line_and_nothing_else_has() -> None:
    names = {one.name for one in METHODS}
    assert {one.title for one in API.sections if re.fullmatch(r"\w+\.\w+", one.title)} == names
    assert {code_in(row[0]) for row in API.section("API reference").rows("Method")} == names


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
class TestMethod:
    def test_its_verbs_and_scopes_are_told(self, method: Method) -> None:
        told = " ".join(API.section(method.name).text.split())
        verbs = " or ".join(f"`{verb}`" for verb in method.verbs)
        scopes = " or ".join(f"`{scope}`" for scope in method.scopes)
        assert f"{verbs}, scope {scopes}." in told

    def test_its_arguments_are_told_and_which_of_them_are_required(self, method: Method) -> None:
        imports = method.name == "pulls.import"
        kinds = (ImportArguments, PullItem) if imports else (method.takes,)
        expected = [(name, name in required(kind)) for kind in kinds for name in forms(kind)]
        rows = API.section(method.name).rows("Argument")
        assert [(code_in(row[0]), row[2] == REQUIRED) for row in rows] == expected

    def test_the_defaults_of_its_arguments_are_told(self, method: Method) -> None:
        told = {code_in(row[0]): row[2] for row in API.section(method.name).rows("Argument")}
        for name, default in _defaults(method.takes).items():
            assert codes_in(told[name]) == [default]

    def test_the_fields_of_its_answer_are_told(self, method: Method) -> None:
        assert _names(method.answers) - {"ok", "warnings"} <= set(_answer_of(method).codes)

    def test_the_fields_of_what_its_answer_holds_are_told(self, method: Method) -> None:
        shapes = {name for kind in SHAPES.values() for name in _names(kind)}
        words = set(re.findall(r"\w+", " ".join(_answer_of(method).codes)))
        assert _all_names(method.answers) - shapes - {"ok", "warnings"} <= words


def _answer_of(method: Method) -> Section:
    """The section that tells what a method answers: its own, or the one it refers to."""
    section = API.section(method.name)
    other = re.search(r"Answers as `([\w.]+)` does\.", section.text)
    return API.section(other[1]) if other else section


def _defaults(kind: type[Arguments]) -> dict[str, str]:
    """The defaults that are words, numbers or truth values, as one sends them."""
    return {
        one.name: one.default if isinstance(one.default, str) else json.dumps(one.default)
        for one in msgspec.structs.fields(kind)
        if isinstance(one.default, str | int)
    }


def _names(kind: Any) -> set[str]:
    return {one.encode_name for one in msgspec.structs.fields(kind)}


def _all_names(kind: Any) -> set[str]:
    """The fields of a type and of all that it holds."""
    _, components = msgspec.json.schema_components([kind])
    return {name for schema in components.values() for name in schema.get("properties", ())}


@pytest.mark.parametrize("title", SHAPES)
def test_each_shape_names_its_fields(title: str) -> None:
    told = [name for row in API.section(title).rows("Field") for name in codes_in(row[0])]
    assert len(told) == len(set(told))
    assert set(told) == _names(SHAPES[title])


@pytest.mark.parametrize(
    ("words", "titles"),
    [
        (model.Status, ["Attribution", "deployments.list"]),
        (model.Reason, ["Attribution"]),
        (model.Method, ["Attribution", "deployments.create"]),
        (model.MatchRule, ["deployments.explain"]),
        (Scope, ["Authentication"]),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_the_words_of_answers_are_explained(words: type[StrEnum], titles: list[str]) -> None:
    for title in titles:
        assert set(words) <= set(API.section(title).codes)


def _refusals(kind: type[ShipmarkError] = ShipmarkError) -> dict[str, int]:
    """Every code that clients can be told, with its status. Branches of the tree have none."""
    found = {kind.code: status_of(kind())} if "code" in vars(kind) else {}
    for below in kind.__subclasses__():
        found |= _refusals(below)
    return found


def test_each_error_has_its_line_and_its_status_and_nothing_else_has() -> None:
    rows = API.section("Errors").rows("Code")
    told = {code_in(row[0]): int(row[1]) for row in rows}
    assert len(told) == len(rows)
    assert told == _refusals()


def test_the_errors_that_methods_add_exist() -> None:
    for method in METHODS:
        added = API.section(method.name).text.partition("Adds")[2].partition("\n\n")[0]
        assert added, method.name
        codes = {code for code in codes_in(added) if re.fullmatch("[a-z_]+", code)}
        known = _refusals().keys() | forms(method.documents).keys()
        assert codes <= known, method.name
