"""Which events are deployments, by rules that people write."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON, REPOSITORY, SERVICE
from tests.domain.rule_builders import an_event, compiled, inferred, refused

from shipmark.domain.errors import InvalidArgument
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.patterns import Pattern, PatternKind, read_pattern
from shipmark.domain.rules import (
    PASSED_OVER,
    Inferred,
    NoMatch,
    match,
    reference_id,
    shortest_unfit,
)


def test_a_run_of_the_named_workflow_is_a_deployment_of_the_service() -> None:
    made = inferred(compiled(workflow="Deploy", branch="main", repository=REPOSITORY))
    assert made == Inferred(
        service=SERVICE,
        environment="production",
        integration_branch=None,
        reference_id=f"rule:7:github:{REPOSITORY}:run:1:1",
    )


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("acme/shop", "acme/shop"),
        ("ACME/Shop", "acme/shop"),
        ("acme/*", "acme/shop"),
        ("acme/sh?p", "ACME/shop"),
        ("acme/**", "acme/team/shop"),
        ("**", "a project/with spaces"),
        ("acme/***", "acme/team/shop"),
        ("acme/sh[o]p*", "acme/sh[o]p-api"),
        ("regex:acme/(shop|till)", "Acme/Till"),
        ("exact:acme/*", "acme/*"),
        ("glob:acme/shop", "acme/shop"),
    ],
)
def test_a_repository_is_named_exactly_or_by_a_glob_or_regex(pattern: str, name: str) -> None:
    inferred(compiled(repository=pattern), repository=name)


@pytest.mark.parametrize(
    ("pattern", "name", "hint"),
    [
        ("acme/shop", "acme/shop-api", ""),
        ("acme/*", "acme/team/shop", "'*' stops at a slash"),
        ("acme/?hop", "acme//hop", "'*' stops at a slash"),
        ("regex:shop", "acme/shop", "must match all of it"),
        ("acme/s.op", "acme/shop", ""),
        ("glob:acme/s.op", "acme/shop", "'*' stops at a slash"),
    ],
)
def test_what_does_not_match_is_explained(pattern: str, name: str, hint: str) -> None:
    why = refused(compiled(repository=pattern), repository=name)
    assert why.condition == "repository"
    assert f"its repository is '{name}'" in why.reason
    assert hint in why.reason


def test_only_repositories_are_compared_without_regard_to_case() -> None:
    why = refused(compiled(workflow="deploy"), workflow="Deploy")
    assert why == NoMatch("workflow", "its workflow is 'Deploy', and the rule wants 'deploy'")


@pytest.mark.parametrize(
    ("rule", "event", "condition"),
    [
        ({}, {"source": EventSource.GITLAB_PIPELINES}, "source"),
        ({}, {"success": False}, "also_failures"),
        ({"branch": "main"}, {"branch": "topic"}, "branch"),
        ({"branch": "main"}, {"branch": None}, "branch"),
        ({"stage": "x", "environment": "y"}, {"stage": "x", "environment": ""}, "environment"),
        ({"tag": "v*"}, {"tag": "2"}, "tag"),
        ({}, {"job": "build"}, "job"),
        ({}, {"stage": "build"}, "stage"),
        ({"stage": "deploy"}, {"stage": "deploy", "job": "one of it"}, "stage"),
        ({"job": "deploy"}, {}, "job"),
        ({"job": "deploy", "stage": "prod"}, {"job": "deploy"}, "stage"),
        ({"service": "{tag}"}, {"tag": None}, "service"),
        ({"service": "{tag}"}, {"tag": "v" * 256}, "service"),
        ({"service": "{tag}"}, {"tag": "  "}, "service"),
        ({"to": "{environment}-{tag}"}, {"environment": "x"}, "environment"),
        ({"integration_branch": "develop"}, {"commit_sha": None}, "commit"),
        ({}, {"commit_sha": None}, "commit"),
    ],
)
def test_the_condition_that_is_not_met_is_named(
    rule: dict[str, Any], event: dict[str, Any], condition: str
) -> None:
    source = {"source": EventSource.AZURE_PIPELINES}
    assert refused(compiled(**source | rule), **source | event).condition == condition


def test_a_failure_is_passed_over_where_all_else_is_as_the_rule_wants() -> None:
    rule = compiled(branch="main")
    assert refused(rule, success=False).condition == PASSED_OVER
    assert refused(rule, success=False, branch="topic").condition == "branch"


def test_what_is_made_and_cannot_be_a_name_is_unfit_and_not_only_unlike() -> None:
    rule = compiled(service="{workflow}-{branch}", branch="**")
    unfit = refused(rule, workflow="w" * 130, branch="b" * 125)
    assert unfit == NoMatch(
        "service", "the service would have 256 characters, and may have 1 to 255", is_unfit=True
    )
    assert not refused(rule, workflow=None).is_unfit


@given(workflow=st.integers(1, 300), branch=st.integers(1, 300))
def test_no_name_is_too_long_where_none_that_it_is_made_of_is_long(
    workflow: int, branch: int
) -> None:
    rule = compiled(service="{workflow}-{branch}", to="{branch}", branch="**")
    found = match(rule, an_event(workflow="w" * workflow, branch="b" * branch))
    shortest = shortest_unfit(rule)
    assert shortest is not None
    assert isinstance(found, Inferred) or max(workflow, branch) >= shortest
    assert shortest_unfit(compiled()) is None


def test_failures_count_where_the_rule_says_so() -> None:
    inferred(compiled(also_failures=True), success=False)


def test_a_rule_about_jobs_matches_jobs_alone() -> None:
    rule = compiled(job="deploy *", workflow="CI")
    assert inferred(rule, workflow="CI", job="deploy eu", stage="whatever").service == SERVICE
    assert refused(rule, workflow="CI").reason == (
        "it is about a whole run, and the rule about single jobs"
    )


def test_bitbuckets_deployments_and_pipelines_are_told_apart_by_their_environment() -> None:
    bitbucket = EventSource.BITBUCKET_PIPELINES
    runs, deployments = compiled(source=bitbucket), compiled(source=bitbucket, environment="prod*")
    assert inferred(deployments, source=bitbucket, environment="prod-eu").environment == "prod-eu"
    assert refused(deployments, source=bitbucket).condition == "environment"
    assert inferred(runs, source=bitbucket).environment == "production"
    assert refused(runs, source=bitbucket, environment="prod-eu").reason == (
        "it is about one environment, and the rule about whole runs, because it names no "
        "environment"
    )


def test_deployments_of_a_forge_may_tell_their_job_without_being_asked_for_it() -> None:
    rule = compiled(source=EventSource.GITLAB_DEPLOYMENTS)
    inferred(rule, source=EventSource.GITLAB_DEPLOYMENTS, job="deploy", environment="review")


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ("{repository}", "acme/shop"),
        ("{repository_name}-api", "shop-api"),
        ("{workflow} {branch}", "Deploy main"),
        ("{{{branch}}}", "{main}"),
        ("{which}", "shop"),
        (" {which}{which} ", "shopshop"),
    ],
)
def test_names_are_made_from_what_the_event_tells(template: str, made: str) -> None:
    rule = compiled(service=template, repository="regex:acme/(?P<which>[a-z]+)")
    assert inferred(rule).service == made


def test_the_environment_is_the_events_unless_the_rule_makes_one() -> None:
    assert inferred(compiled(), environment="staging").environment == "staging"
    assert inferred(compiled(), environment=None).environment == "production"
    assert inferred(compiled(to="prod-{branch}")).environment == "prod-main"


def test_a_group_that_took_no_part_is_missing() -> None:
    rule = compiled(service="{one}", branch="regex:(?P<one>one)|main")
    assert inferred(rule, branch="one").service == "one"
    assert "{one}" in refused(rule, branch="main").reason


def test_an_integration_branch_is_made_like_the_rest() -> None:
    assert inferred(compiled(integration_branch="{branch}")).integration_branch == "main"


AZURE = {"source": EventSource.AZURE_PIPELINES}
GITLAB = {"source": EventSource.GITLAB_PIPELINES}


def test_a_job_of_gitlab_that_tells_no_environment_is_not_taken_for_productions() -> None:
    jobs, job = compiled(**GITLAB, job="deploy"), {**GITLAB, "job": "deploy"}
    why = refused(jobs, **job)
    assert why == NoMatch("environment", "it tells no environment, and the rule makes none")
    assert inferred(compiled(**GITLAB, job="deploy", to="eu"), **job).environment == "eu"
    assert inferred(jobs, **job, environment="staging").environment == "staging"
    assert inferred(compiled(**GITLAB), **GITLAB).environment == "production"


@pytest.mark.parametrize(
    ("rule", "argument", "words"),
    [
        ({"service": "{app}"}, "make.service", "{app} is not a placeholder here; known are"),
        ({"service": "{branch.x}"}, "make.service", "{branch.x} is not a placeholder"),
        ({"service": "{branch!r}"}, "make.service", "{branch!r} is not a placeholder"),
        ({"service": "{branch:>9}"}, "make.service", "{branch:>9} is not a placeholder"),
        ({"service": "{}"}, "make.service", "{} is not a placeholder"),
        ({"service": "{branch"}, "make.service", "braces do not pair"),
        ({"service": "branch}"}, "make.service", "braces do not pair"),
        ({"service": "  "}, "make.service", "blank"),
        ({"integration_branch": "{no}"}, "make.integration_branch", "{no}"),
        ({"service": "{job}"}, "make.service", "only where the rule has a condition when.job"),
        ({**AZURE, "service": "{stage}"}, "make.service", "a condition when.stage"),
        ({"branch": " "}, "when.branch", "blank"),
        ({"branch": "x" * 501}, "when.branch", "longer than 500"),
        ({"branch": "regex:("}, "when.branch", "missing )"),
        ({"branch": "regex:(a)\\1"}, "when.branch", "invalid escape sequence"),
        ({"branch": "regex:(?=a)"}, "when.branch", "no look-around"),
        ({"branch": "regex:((a{1000}){1000})"}, "when.branch", "when.branch"),
        ({"branch": "regex:(?P<tag>x)"}, "when.branch", "'tag' is taken"),
        (
            {"branch": "regex:(?P<x>x)", "workflow": "regex:(?P<x>x)"},
            "when.branch",
            "'x' is taken",
        ),
        ({"source": EventSource.PUSH}, "when.branch", "'**' for all"),
        ({"source": EventSource.MERGED_PULL_REQUEST}, "when.branch", "must say which branch"),
        ({"source": EventSource.TAG, "workflow": "x"}, "when.workflow", "has no workflow"),
        ({"source": EventSource.TAG, "service": "{job}"}, "make.service", "{job}"),
        ({"tag": "v*"}, "when.tag", "the name of a tag as its branch. Use when.branch."),
        ({"environment": "eu"}, "when.environment", "has no environment. Leave it out."),
        ({**GITLAB, "stage": "deploy"}, "when.stage", "Add when.job, '**' for any."),
        ({**GITLAB, "environment": "eu"}, "when.environment", "only single jobs tell"),
        ({**AZURE, "environment": "eu"}, "when.environment", "Add when.stage"),
        (
            {"source": EventSource.BITBUCKET_PIPELINES, "environment": "eu", "tag": "v*"},
            "when.tag",
            "what tells an environment has no tag",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_refused_with_the_place_and_the_reason(
    rule: dict[str, Any], argument: str, words: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        compiled(**rule)
    assert refusal.value.argument == argument
    assert words in refusal.value.message


def test_a_replayed_event_has_the_same_reference_and_another_rule_has_another() -> None:
    again = inferred(compiled(version=2, service="other")).reference_id
    assert inferred(compiled()).reference_id == again
    assert inferred(compiled(rule_id=8)).reference_id != again


@given(st.text(max_size=600), st.text(max_size=600))
def test_references_fit_and_differ_when_their_events_do(one: str, other: str) -> None:
    first, second = reference_id(1, one), reference_id(1, other)
    assert len(first) <= 255
    assert (first == second) == (one == other)


texts = st.text(alphabet="ab/*?.[]{}()\\|^$ -é\ud800\n", max_size=8)


@given(st.builds(Pattern, st.sampled_from(PatternKind), texts))
def test_a_pattern_that_is_written_down_reads_the_same(pattern: Pattern) -> None:
    assert read_pattern(str(pattern)) == pattern


def _glob(pattern: str, name: str) -> bool:
    """What a glob means, spelled out."""
    if not pattern:
        return not name
    if pattern.startswith("**"):
        rest = pattern.lstrip("*")
        return any(_glob(rest, name[cut:]) for cut in range(len(name) + 1))
    if pattern[0] == "*":
        ends = name.find("/") if "/" in name else len(name)
        return any(_glob(pattern[1:], name[cut:]) for cut in range(ends + 1))
    return (
        bool(name)
        and (name[0] == pattern[0] or (pattern[0] == "?" and name[0] != "/"))
        and _glob(pattern[1:], name[1:])
    )


@given(
    st.text(alphabet="ab/*?.[é\n", min_size=1, max_size=8).filter(str.strip),
    st.text(alphabet="ab/.[é\n", min_size=1, max_size=8),
)
def test_globs_match_what_they_mean(pattern: str, name: str) -> None:
    found = match(compiled(workflow=f"glob:{pattern}"), an_event(workflow=name))
    assert isinstance(found, Inferred) is _glob(pattern, name)


optional_texts = st.none() | texts
events = st.builds(
    SourceEvent,
    source=st.sampled_from(EventSource),
    key=texts,
    repository=texts,
    at=st.just(NOON),
    success=st.booleans(),
    commit_sha=optional_texts,
    branch=optional_texts,
    tag=optional_texts,
    environment=optional_texts,
    workflow=optional_texts,
    stage=optional_texts,
    job=optional_texts,
)
written = st.builds(
    lambda kind, text: kind + text, st.sampled_from(["", "exact:", "glob:", "regex:"]), texts
)


@given(
    events,
    st.sampled_from(EventSource),
    texts | st.sampled_from(["{branch}", "{job}-{tag}", "{repository_name}"]),
    st.dictionaries(
        st.sampled_from(["repository", "workflow", "stage", "job", "branch", "tag"]), written
    ),
)
def test_any_rule_is_refused_or_answers_every_event(
    event: SourceEvent, source: EventSource, service: str, when: dict[str, str]
) -> None:
    try:
        rule = compiled(source=source, service=service, **when)
    except InvalidArgument as refusal:
        assert refusal.argument  # noqa: PT017 - the refusal is one of two right answers
        return
    found = match(rule, event)
    if isinstance(found, NoMatch):
        assert found.reason
    else:
        assert found.service.strip()
        assert event.source is source
        assert found == match(rule, event)
