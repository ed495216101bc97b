"""The rules that the documentation shows can be used, and do what it says."""

import json
import re
from dataclasses import fields
from typing import Any

import pytest
import yaml
from tests.docs.pages import Page
from tests.domain.rule_builders import ENGINE, an_event

from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.connectors.rules_file import read_rules_file
from shipmark.domain.events import EventSource
from shipmark.domain.path_rules import (
    PathRules,
    PathRulesInvalid,
    ServicePaths,
    compile_path_rules,
    services_of,
)
from shipmark.domain.patterns import read_pattern
from shipmark.domain.rules import (
    CompiledRule,
    Conditions,
    DeployRule,
    Inferred,
    NoMatch,
    Outcome,
    compile_rule,
    match,
)
from shipmark.domain.sources import TOLD

DEPLOY_RULES = Page("docs/deploy-rules.md")
PATH_RULES = Page("docs/path-rules.md")


def block(page: Page, language: str, index: int = 0) -> str:
    return [one.text for one in page.blocks if one.language == language][index]


def rule(shown: dict[str, Any]) -> CompiledRule:
    return compile_rule(
        DeployRule(
            id=1,
            version=1,
            source=EventSource(shown["source"]),
            when=Conditions(**{name: read_pattern(one) for name, one in shown["when"].items()}),
            make=Outcome(**shown["make"]),
        ),
        ENGINE,
    )


def test_the_first_rule_makes_a_deployment_of_a_run() -> None:
    made = match(rule(json.loads(block(DEPLOY_RULES, "json"))), an_event())
    assert isinstance(made, Inferred)
    assert (made.service, made.environment) == ("shop", "production")


def test_the_second_rule_makes_one_of_a_tag() -> None:
    shown = json.loads(block(DEPLOY_RULES, "json", 1))
    tag = an_event(source=EventSource.TAG, repository="acme/mono", tag="till-api@1.2.3")
    made = match(rule(shown), tag)
    assert isinstance(made, Inferred)
    assert made.service == "till-api"


def test_each_source_is_explained() -> None:
    rows = DEPLOY_RULES.section("Sources").rows("`source`")
    assert [row[0].strip("`") for row in rows] == list(EventSource)


def test_the_table_says_what_events_tell() -> None:
    rows = DEPLOY_RULES.section("Sources").rows("`source`")
    conditions = {field.name for field in fields(Conditions)}
    said = {row[0].strip("`"): set(re.findall("[a-z]+", row[2])) & conditions for row in rows}
    assert said == {source.value: set(TOLD[source]) for source in EventSource}


@pytest.mark.parametrize(
    ("line", "when", "event"),
    [
        (0, {"branch": "release/*"}, {"branch": "release/eu/1.2"}),
        (1, {}, {"job": "build"}),
    ],
)
def test_reasons_are_told_in_these_words(
    line: int, when: dict[str, str], event: dict[str, Any]
) -> None:
    shown = {"source": "github_actions", "when": when, "make": {"service": "x"}}
    why = match(rule(shown), an_event(**event))
    assert isinstance(why, NoMatch)
    assert why.reason == block(DEPLOY_RULES, "text").splitlines()[line]


def test_the_file_tells_the_services_that_the_page_says() -> None:
    shown = block(PATH_RULES, "yaml")
    rules = compile_path_rules(read_rules_file(shown.encode()).rules, GitIgnoreEngine())
    assert services_of(["apps/web/main.ts", "libs/money/x"], rules) == {"web", "billing"}
    assert services_of(["services/search/docs/x", "README.md"], rules) == {"none"}
    assert set(yaml.safe_load(shown)) == {
        row[0].strip("`") for row in PATH_RULES.section("The file").rows("Key")
    }


@pytest.mark.parametrize("row", PATH_RULES.section("Patterns").rows("Pattern"))
def test_each_pattern_can_be_used(row: tuple[str, ...]) -> None:
    paths = ServicePaths(service="x", patterns=(row[0].strip("`"),))
    compile_path_rules(PathRules(services=(paths,)), GitIgnoreEngine())


def test_what_is_wrong_is_told_in_these_words() -> None:
    body = "version: 1\n\n\nservices:\n  search:\n    - x\n\n    - '#docs'\n"
    file = read_rules_file(body.encode())
    with pytest.raises(PathRulesInvalid) as wrong:
        compile_path_rules(file.rules, GitIgnoreEngine())
    assert file.refusal(wrong.value).message == block(PATH_RULES, "text").strip()
