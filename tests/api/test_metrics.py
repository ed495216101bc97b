"""metrics.get and metrics.rows, with an example for each definition."""

import csv
import io
from typing import Any

import httpx
import pytest
from tests.api.pages import all_pages
from tests.shops import Shop, when

DAY = {"since": "2024-06-01", "until": "2024-06-03"}


def metric(shop: Shop, name: str, /, **arguments: Any) -> dict[str, Any]:
    """One metric of the shop's service in the two days of the tests."""
    answer = shop.server.call(
        "metrics.get", **{"metric": name, "service": shop.service} | DAY | arguments
    )
    found: dict[str, Any] = answer["metrics"][name]
    return found


def figures(shop: Shop, name: str, /, **arguments: Any) -> dict[str, Any]:
    found: dict[str, Any] = metric(shop, name, **arguments)["figures"]
    return found


def rows(shop: Shop, name: str, /, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.server.call(
        "metrics.rows", **{"metric": name, "service": shop.service} | DAY | arguments
    )["rows"]
    return found


def deploy(shop: Shop, hours: float, /, **arguments: Any) -> None:
    """Register a deployment that is called by its hour."""
    shop.deploy(hours, **{"reference_id": shop.reference(hours)} | arguments)


def reasons(shop: Shop, name: str) -> dict[str, list[str]]:
    """Why each deployment is a row of a metric, by its hour."""
    return {
        one["deployment_reference_id"].rpartition("/")[2]: one["reasons"]
        for one in rows(shop, name)
    }


# Each definition


def test_deployment_frequency_is_successful_deployments_a_day(shop: Shop) -> None:
    for hours in (1, 2, 13):
        deploy(shop, hours)
    deploy(shop, 3, success=False)
    deploy(shop, 4, environment="staging")
    found = metric(shop, "deployment_frequency")
    assert found["figures"] == {"value": 1.5, "n": 3, "days": 2.0, "days_with_deployment": 2}
    assert [one["n"] for one in found["series"]] == [2, 1]
    assert [one["bucket"] for one in found["series"]] == ["2024-06-01", "2024-06-02"]
    assert len(rows(shop, "deployment_frequency")) == 3
    assert figures(shop, "deployment_frequency", environment="staging")["n"] == 1
    assert figures(shop, "deployment_frequency", environment=["staging", "production"])["n"] == 4


def test_buckets_begin_at_midnight_of_the_time_zone(shop: Shop) -> None:
    deploy(shop, 11)  # 23:00 in UTC, one in the morning in Berlin.
    found = metric(shop, "deployment_frequency", tz="Europe/Berlin")
    assert {one["bucket"]: one["n"] for one in found["series"]} == {
        "2024-06-01": 0,
        "2024-06-02": 1,
        "2024-06-03": 0,
    }
    assert found["series"][1]["since"] == "2024-06-01T22:00:00Z"


def test_the_period_before_is_told_beside_it(shop: Shop) -> None:
    deploy(shop, -13)
    deploy(shop, 1)
    deploy(shop, 2)
    found = metric(shop, "deployment_frequency", since="2024-06-01", until="2024-06-02")
    assert (found["figures"]["n"], found["previous"]["n"]) == (2, 1)


def test_lead_times_are_of_each_pull_request_and_deployment(shop: Shop) -> None:
    deploy(shop, 0)
    shop.merge(1, created_at=when(0.5))
    shop.merge(3)
    deploy(shop, 4)
    deploy(shop, 5, commit_sha=shop.sha(3))
    found = figures(shop, "lead_time_for_changes")
    hours = 3600.0
    assert (found["n"], found["value"], found["median"]) == (2, 2 * hours, 2 * hours)
    assert found["p75"] == 2.5 * hours
    assert (found["baselines_left_out"], found["unknown_starts"]) == (1, 0)
    assert (found["coverage"], found["merged"], found["shipped"]) == (1.0, 2, 2)
    opened = figures(shop, "lead_time_for_changes", start="opened")
    assert (opened["n"], opened["value"], opened["unknown_starts"]) == (1, 3.5 * hours, 1)
    of_deployments = figures(shop, "lead_time_for_changes", unit="deployment")
    assert (of_deployments["n"], of_deployments["value"]) == (1, 3 * hours)
    shown = rows(shop, "lead_time_for_changes")
    assert {one["number"]: one["seconds"] for one in shown} == {1: 3 * hours, 3: hours}


def test_a_pull_request_counts_once_to_its_last_deployment(shop: Shop) -> None:
    for hours in (0, 2):
        deploy(shop, hours)
        deploy(shop, hours + 1, service=f"{shop.service}-web")
        if hours == 0:
            shop.merge(1, merged_at=when(1.5))
    arguments = {"repository": shop.repository, "metric": "lead_time_for_changes"} | DAY
    found = [
        shop.server.call("metrics.get", **arguments, unit=unit)["metrics"]["lead_time_for_changes"][
            "figures"
        ]
        for unit in ("change", "pull_request")
    ]
    assert [(one["n"], one["value"]) for one in found] == [(2, 3600.0), (1, 5400.0)]


def test_a_bucket_of_pull_requests_counts_what_its_rows_are(shop: Shop) -> None:
    for environment in ("staging", "production"):
        deploy(shop, -24.5 if environment == "staging" else -24, environment=environment)
    shop.merge(1)
    deploy(shop, 6, environment="staging")
    deploy(shop, 30)
    asked = {"environment": ["staging", "production"], "unit": "pull_request"}
    found = metric(shop, "lead_time_for_changes", **asked)
    assert found["figures"]["n"] == 1
    # Each day by itself: its last deployment of the pull request.
    assert [one["n"] for one in found["series"]] == [1, 1]
    for one in found["series"]:
        times = {"since": one["since"], "until": one["until"]}
        (row,) = rows(shop, "lead_time_for_changes", **asked | times)
        assert row["seconds"] == one["value"]


def test_what_a_first_deployment_ships_is_counted_when_asked_for(shop: Shop) -> None:
    shop.merge(1)
    deploy(shop, 2)
    found = figures(shop, "lead_time_for_changes")
    assert (found["n"], found["value"], found["baselines_left_out"]) == (0, None, 1)
    found = figures(shop, "lead_time_for_changes", include_baseline=True)
    assert (found["n"], found["value"], found["baselines_left_out"]) == (1, 3600.0, 0)


def test_a_deployment_fails_for_each_of_the_reasons(shop: Shop) -> None:
    shop.merge_all(range(1, 4))
    deploy(shop, 4, commit_sha=shop.sha(1))
    deploy(shop, 5, commit_sha=shop.sha(3))
    deploy(shop, 6, commit_sha=shop.sha(1))
    deploy(shop, 7, success=False)
    deploy(shop, 8, commit_sha=shop.sha(1))
    deploy(shop, 9, commit_sha=shop.sha(3))
    for name, arguments in {
        "follows": {"started_at": when(6.5), "services": [shop.service]},
        "names": {"started_at": when(20), "deployment_reference_id": shop.reference(8)},
        "by hand": {"started_at": when(20)},
    }.items():
        shop.server.call("incidents.upsert", reference_id=shop.reference(name), **arguments)
    shop.server.call(
        "incidents.link",
        reference_id=shop.reference("by hand"),
        deployment_reference_id=shop.reference(9),
    )
    assert reasons(shop, "change_failure_rate") == {
        "5": ["rolled_back"],
        "6": ["incident_followed"],
        "7": ["unsuccessful"],
        "8": ["incident_named"],
        "9": ["incident_by_hand"],
    }
    found = figures(shop, "change_failure_rate")
    assert (found["value"], found["failed"], found["n"]) == (5 / 6, 5, 6)
    assert found["reasons"]["rolled_back"] == 1
    assert (found["incidents"], found["incidents_per_deployment"]) == (1, 1 / 6)


def test_a_rollback_after_the_period_decides_about_what_is_in_it(shop: Shop) -> None:
    shop.merge_all(range(1, 4))
    deploy(shop, 4, commit_sha=shop.sha(1))
    deploy(shop, 5, commit_sha=shop.sha(3))
    deploy(shop, 6, commit_sha=shop.sha(1))
    deploy(shop, 7, commit_sha=shop.sha(1))
    found = figures(shop, "change_failure_rate", until=when(6))
    assert (found["failed"], found["n"], found["reasons"]["rolled_back"]) == (1, 2, 1)
    found = figures(shop, "change_failure_rate", since=when(5), until=when(6))
    assert (found["failed"], found["n"]) == (1, 1)
    # The next one reaches as far: nothing is taken back.
    found = figures(shop, "change_failure_rate", since=when(6), until=when(7))
    assert (found["failed"], found["n"]) == (0, 1)


def test_recovery_ends_with_the_next_success_or_the_incident(shop: Shop) -> None:
    deploy(shop, 1, success=False)
    deploy(shop, 2)
    deploy(shop, 3)
    deploy(shop, 7)
    deploy(shop, 8, success=False)
    shop.server.call(
        "incidents.upsert",
        reference_id=shop.reference("i"),
        started_at=when(3.1),
        resolved_at=when(3.5),
        services=[shop.service],
    )
    found = figures(shop, "failed_deployment_recovery_time")
    assert (found["n"], found["value"], found["unrecovered"]) == (2, 0.75 * 3600, 1)
    shown = rows(shop, "failed_deployment_recovery_time")
    assert [one["seconds"] for one in shown] == [None, 1800.0, 3600.0]
    assert [one["incidents"] for one in shown] == [[], [shop.reference("i")], []]


def test_what_recovers_after_the_period_is_successful(shop: Shop) -> None:
    deploy(shop, 1, success=False)
    deploy(shop, 2, success=False)
    deploy(shop, 3)
    found = figures(shop, "failed_deployment_recovery_time", until=when(1.5))
    assert (found["n"], found["value"], found["unrecovered"]) == (1, 2 * 3600.0, 0)


def test_rework_is_what_follows_a_failure_or_ships_only_fixes(shop: Shop) -> None:
    deploy(shop, 0)
    shop.merge(1, title='Revert "Sell apples"')
    deploy(shop, 1.5)
    shop.merge(2, title="HOTFIX: sell no apples")
    shop.merge(3, title="Sell pears")
    deploy(shop, 3.5, success=False)
    deploy(shop, 3.6, success=False)
    deploy(shop, 3.7)
    shop.merge(4, title="Sell plums", labels=["size/S", "Hotfix"])
    deploy(shop, 4.5)
    assert reasons(shop, "deployment_rework_rate") == {
        "4.5": ["only_fixes"],
        "3.7": ["after_failure"],
        "1.5": ["only_fixes"],
    }
    found = figures(shop, "deployment_rework_rate")
    assert (found["value"], found["rework"], found["n"]) == (0.5, 3, 6)


def test_what_waits_is_told_with_its_age(shop: Shop) -> None:
    deploy(shop, 0)
    shop.merge_all((1, 2, 3))
    shop.server.call(
        "deployments.setPullServices",
        repository=shop.repository,
        pull_number=3,
        services=["another"],
    )
    found = figures(shop, "time_waiting")
    (here,) = found["services"]
    assert (found["n"], here["n"], here["service"], here["is_complete"]) == (
        2,
        2,
        shop.service,
        True,
    )
    assert here["oldest"] - here["median"] == 1800.0
    assert [one["number"] for one in rows(shop, "time_waiting")] == [1, 2]


def test_metrics_can_be_asked_by_source_repository_and_author(shop: Shop) -> None:
    deploy(shop, 0)
    shop.merge(1, author="ada")
    deploy(shop, 1.5, source_name="argoCD")
    for filters, n in (
        ({"source": "argoCD"}, 1),
        ({"author": "ada"}, 1),
        ({"author": "bob"}, 0),
        ({"repository": shop.repository.upper()}, 2),
        ({"service": "nobody-knows"}, 0),
    ):
        assert figures(shop, "deployment_frequency", **filters)["n"] == n


# The answer


def test_all_are_told_without_a_name_and_each_links_to_its_rows(shop: Shop) -> None:
    deploy(shop, 1)
    answer = shop.server.call("metrics.get", service=shop.service, **DAY)
    assert len(answer["metrics"]) == 6
    assert answer["environments"] == ["production"]
    for name, one in answer["metrics"].items():
        found = get(shop, one["rows"]).json()
        assert found["ok"], found
        assert len(found["rows"]) == (1 if name == "deployment_frequency" else 0)


def test_several_metrics_are_told_at_once(shop: Shop) -> None:
    for several in ("deployment_frequency, time_waiting", ["deployment_frequency", "time_waiting"]):
        answer = shop.server.call("metrics.get", service=shop.service, metric=several)
        assert set(answer["metrics"]) == {"deployment_frequency", "time_waiting"}


def test_rows_come_page_by_page(shop: Shop) -> None:
    deploy(shop, 0)
    for number in range(1, 6):
        shop.merge(number)
        deploy(shop, number + 0.5)
    asked = {"metric": "lead_time_for_changes", "service": shop.service, "limit": 2} | DAY
    numbers = [
        [one["number"] for one in page["rows"]]
        for page in all_pages(shop.server, "metrics.rows", **asked)
    ]
    assert numbers == [[5, 4], [3, 2], [1]]


def test_both_can_be_had_as_csv(shop: Shop) -> None:
    deploy(shop, 0)
    shop.merge(1, title="=HYPERLINK(1)")
    deploy(shop, 2)
    table = _csv(shop, "metrics.get", metric="deployment_frequency")
    assert {
        "metric": "deployment_frequency",
        "of": "period",
        "since": "2024-06-01T00:00:00Z",
        "figure": "n",
        "value": "2",
    }.items() <= table[1].items()
    (row,) = _csv(shop, "metrics.rows", metric="lead_time_for_changes")
    assert (row["number"], row["seconds"], row["title"]) == ("1", "3600.0", "'=HYPERLINK(1)")


def get(shop: Shop, url: str, **parameters: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {shop.server.default_token}"}
    return httpx.get(url, params=parameters or None, headers=headers, trust_env=False)


def _csv(shop: Shop, method: str, **arguments: Any) -> list[dict[str, str]]:
    asked = {"service": shop.service, "format": "csv"} | DAY | arguments
    answer = get(shop, f"{shop.server.base_url}/api/{method}", **asked)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.text)))


# What is wrong


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("metric", "velocity"),
        ("granularity", "hour"),
        ("tz", "Mars/Olympus"),
        ("tz", "../../etc/passwd"),
        ("tz", "Europe"),
        ("since", "yesterday"),
        ("until", "never"),
        ("since", "2025-01-01"),
        ("since", "2010-01-01"),
        ("since", "0001-01-01"),
        ("until", "0001-01-01"),
        ("until", "9999-12-31T23:59:59Z"),
        ("start", "closed"),
        ("unit", "line"),
        ("include_baseline", "perhaps"),
        ("environment", {"a": 1}),
        ("service", 7),
        ("source", ["a"]),
        ("author", 7),
        ("format", "xml"),
    ],
)
def test_what_is_wrong_is_refused(shop: Shop, argument: str, value: Any) -> None:
    refusal = shop.server.refusal("metrics.get", **DAY | {argument: value})
    assert refusal.what == (422, "invalid_arguments", argument)


def test_no_period_ends_where_time_does(shop: Shop) -> None:
    last: dict[str, Any] = {"since": "9999-12-01", "until": "9999-12-31", "tz": "Pacific/Apia"}
    for granularity in ("day", "month"):
        refusal = shop.server.refusal("metrics.get", **last, granularity=granularity)
        assert refusal.what == (422, "invalid_arguments", "until")
        assert "9999-12-31" in refusal.message


def test_too_many_buckets_are_refused(shop: Shop) -> None:
    refusal = shop.server.refusal("metrics.get", since="2020-01-01", until="2024-01-01")
    assert refusal.what == (422, "invalid_arguments", "granularity")
    shop.server.call("metrics.get", since="2020-01-01", until="2024-01-01", granularity="week")


def test_an_unknown_repository_is_refused(shop: Shop) -> None:
    for method in ("metrics.get", "metrics.rows"):
        refusal = shop.server.refusal(method, metric="time_waiting", repository="no/where")
        assert refusal.what == (422, "repository_not_found", "repository")


def test_rows_are_of_one_metric(shop: Shop) -> None:
    assert shop.server.refusal("metrics.rows").what == (422, "required_params_missing", "metric")
    for metric, which in (("time_waiting", "unshipped"), ("deployment_frequency", "incidents")):
        refusal = shop.server.refusal("metrics.rows", metric=metric, which=which)
        assert refusal.what == (422, "invalid_arguments", "which")
        assert which in refusal.message
    refusal = shop.server.refusal("metrics.rows", metric="time_waiting", which="all")
    assert refusal.what == (422, "invalid_arguments", "which")
    refusal = shop.server.refusal("metrics.rows", metric="time_waiting", cursor="nonsense")
    assert refusal.what == (422, "invalid_arguments", "cursor")
