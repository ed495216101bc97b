"""The rows behind metrics by pages and as CSV, metrics as CSV, and where buckets begin."""

import csv
import io
from typing import Any

import httpx
import pytest
from tests.api.pages import all_pages
from tests.shops import Shop, when

from shipmark.domain.metrics import Metric, Unit

FREQUENCY = Metric.DEPLOYMENT_FREQUENCY.value
DAYS = {"since": "2024-06-01", "until": "2024-06-03"}
ASKED = [
    *({"metric": one.value} for one in Metric),
    *({"metric": "lead_time_for_changes", "unit": one.value} for one in Unit),
    {"metric": "lead_time_for_changes", "start": "opened", "include_baseline": True},
    {"metric": "lead_time_for_changes", "which": "unshipped"},
    {"metric": "change_failure_rate", "which": "incidents"},
]


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A shop where something is a row of every metric, and much of it happened at once."""
    shop.merge_all(range(1, 4), author="ada", title="Revert apples, and =1+1")
    shop.merge_all((8, 9))
    shop.merge_all((4, 5, 6), merged_at=when(4), created_at=when(3), title="-Sell pears")
    for hours, name, arguments in (
        (1.5, "first", {"commit_sha": shop.sha(1)}),
        (4, "second", {"commit_sha": shop.sha(3)}),
        (4, "third", {"commit_sha": shop.sha(5), "success": False}),
        (4, "fourth", {"commit_sha": shop.sha(5)}),
        (6, "back", {"commit_sha": shop.sha(2)}),
        (7, "listing", {"merge_commit_shas": [shop.sha(1), shop.sha(4)]}),
    ):
        shop.deploy(hours, reference_id=shop.reference(name), **arguments)
    for name in ("one", "two"):
        shop.server.call(
            "incidents.upsert",
            reference_id=shop.reference(name),
            started_at=when(6.5),
            resolved_at=when(8),
            services=[shop.service],
        )
    return shop


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: " ".join(map(str, asked.values())))
def test_pages_and_csv_hold_each_row_once_and_in_order(busy: Shop, asked: dict[str, Any]) -> None:
    arguments = {"service": busy.service} | DAYS | asked
    whole = busy.server.call("metrics.rows", **arguments, limit=1000)["rows"]
    assert len(whole) > 1 or asked.get("unit") == "commit"
    pages = all_pages(busy.server, "metrics.rows", **arguments, limit=1)
    by_pages = [row for page in pages for row in page["rows"]]
    in_csv = _csv_by_pages(busy, **arguments, limit=2)
    if asked["metric"] == "time_waiting":
        # From one call to the next it becomes longer.
        for row in (*whole, *by_pages, *in_csv):
            assert float(row.pop("seconds")) > 0
    assert by_pages == whole
    assert in_csv == [{name: _cell(value) for name, value in row.items()} for row in whole]


def _csv_by_pages(shop: Shop, **asked: Any) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = _get(shop, "metrics.rows", **asked, cursor=cursor)
        found += csv.DictReader(io.StringIO(answer.text))
        cursor = answer.headers.get("X-Next-Cursor")
    return found


def _get(shop: Shop, method: str, **asked: Any) -> httpx.Response:
    answer = httpx.get(
        f"{shop.server.base_url}/api/{method}",
        params={"format": "csv"} | asked,
        headers={"Authorization": f"Bearer {shop.server.default_token}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    return answer


def _cell(value: Any) -> str:
    """How a value of JSON stands in CSV; what a spreadsheet would run is quoted."""
    if value is None:
        return ""
    text = " ".join(value) if isinstance(value, list) else str(value)
    return f"'{text}" if isinstance(value, str) and text[:1] in "=+-@" and text else text


def test_every_field_of_a_row_is_told(busy: Shop) -> None:
    asked = {"service": busy.service} | DAYS
    (row,) = busy.server.call(
        "metrics.rows", metric="lead_time_for_changes", unit="deployment", limit=1, **asked
    )["rows"]
    deployment = busy.info(busy.reference("listing"))
    assert row == {
        "service": busy.service,
        "environment": "production",
        "deployment_id": deployment["id"],
        "deployment_reference_id": busy.reference("listing"),
        "deployed_at": when(7),
        "success": True,
        "url": deployment["url"],
        "repository": busy.repository,
        "number": 1,
        "title": "Revert apples, and =1+1",
        "author": "ada",
        "merged_at": when(1),
        "pull_url": None,
        "commit_sha": None,
        "seconds": 6 * 3600.0,
        "reasons": [],
        "incidents": [],
    }
    (row,) = busy.server.call(
        "metrics.rows", metric="failed_deployment_recovery_time", limit=1, **asked
    )["rows"]
    assert row["deployment_reference_id"] == busy.reference("back")
    assert (row["reasons"], row["seconds"]) == (["incident_followed"], 3600.0)
    assert sorted(row["incidents"]) == [busy.reference("one"), busy.reference("two")]
    assert (row["number"], row["commit_sha"]) == (None, busy.sha(2))


def test_the_csv_of_metrics_holds_each_figure(busy: Shop) -> None:
    names = [one.value for one in Metric if one is not Metric.TIME_WAITING]
    asked = {"service": busy.service} | DAYS
    told = busy.server.call("metrics.get", metric=names, **asked)
    expected = {}
    for name in names:
        metric = told["metrics"][name]
        parts = [("period", "", metric["figures"]), ("previous", "", metric["previous"])]
        parts += [("bucket", one["bucket"], one) for one in metric["series"]]
        for of, bucket, figures in parts:
            for figure, value in figures.items():
                inner = value if isinstance(value, dict) else {"": value}
                for key, one in inner.items():
                    if figure not in ("bucket", "since", "until") and "rows" not in figure:
                        named = f"{figure}.{key}" if key else figure
                        expected[name, of, bucket, named] = "" if one is None else str(one)
    answer = _get(busy, "metrics.get", metric=",".join(names), **asked)
    found = {
        (row["metric"], row["of"], row["bucket"], row["figure"]): row["value"]
        for row in csv.DictReader(io.StringIO(answer.text))
    }
    assert found == expected


def test_each_number_has_the_address_of_its_rows_and_counts_them(busy: Shop) -> None:
    busy.deploy(-30, reference_id=busy.reference("before"), environment="eu prod & us")
    told = busy.server.call("metrics.get", service=busy.service, **DAYS)["metrics"]
    counting = {"change_failure_rate": "failed", "deployment_rework_rate": "rework"}
    for name in set(told) - {"time_waiting"}:
        whole, counted = told[name]["figures"] | {"rows": told[name]["rows"]}, counting.get(name)
        for part in (whole, told[name]["previous"], *told[name]["series"]):
            assert len(_followed(busy, part["rows"])) == part[counted or "n"]
        assert whole[counted or "n"] > 0
    assert told[FREQUENCY]["previous"]["n"] == 1


def test_what_coverage_misses_and_incidents_have_addresses_of_their_own(busy: Shop) -> None:
    busy.merge_all((11, 12), merged_at=when(9))
    asked = {"service": busy.service} | DAYS
    told = busy.server.call("metrics.get", **asked)["metrics"]
    lead_times, failures = told["lead_time_for_changes"], told["change_failure_rate"]
    for part in (lead_times["figures"], lead_times["previous"]):
        missed = [one["number"] for one in _followed(busy, part["unshipped_rows"])]
        assert len(missed) == part["merged"] - part["shipped"]
    missed = [one["number"] for one in _followed(busy, lead_times["figures"]["unshipped_rows"])]
    assert {11, 12} <= set(missed)
    assert not any("unshipped_rows" in one for one in lead_times["series"])
    for part in (failures["figures"], failures["previous"], *failures["series"]):
        assert len(_followed(busy, part["incident_rows"])) == part["incidents"]
    first, second = _followed(busy, failures["figures"]["incident_rows"])
    assert (first["seconds"], second["seconds"]) == (5400.0, 5400.0)
    names = {*first["incidents"], *second["incidents"]}
    assert names == {busy.reference("one"), busy.reference("two")}
    addresses = {
        (one["metric"], one["of"], one["figure"]): one["rows"]
        for one in csv.DictReader(io.StringIO(_get(busy, "metrics.get", **asked).text))
        if one["of"] != "bucket"
    }
    for figure in ("coverage", "merged", "shipped"):
        where = addresses["lead_time_for_changes", "period", figure]
        assert where == lead_times["figures"]["unshipped_rows"]
    where = addresses["change_failure_rate", "previous", "incidents"]
    assert where == failures["previous"]["incident_rows"]
    assert addresses["change_failure_rate", "period", "n"] == failures["rows"]


def test_a_line_of_the_csv_has_the_address_of_its_rows(busy: Shop) -> None:
    asked = {"service": busy.service, "environment": "production"} | DAYS
    answer = _get(busy, "metrics.get", metric="all", **asked)
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    numbers = [one for one in lines if (one["metric"], one["figure"]) == (FREQUENCY, "n")]
    assert {one["of"] for one in numbers} == {"period", "previous", "bucket"}
    for one in numbers:
        assert len(_followed(busy, one["rows"])) == int(one["value"])
    assert all(one["rows"].count("service=") == 1 for one in lines)


def _followed(shop: Shop, address: str) -> list[dict[str, Any]]:
    """The rows at an address."""
    assert address.startswith(f"{shop.server.base_url}/api/metrics.rows?")
    headers = {"Authorization": f"Bearer {shop.server.default_token}"}
    answer = httpx.get(address, headers=headers, trust_env=False)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


@pytest.mark.parametrize(
    ("zone", "since", "until", "granularity", "expected"),
    [
        ("Europe/Berlin", "2024-03-30T23:00Z", "2024-04-01T22:00Z", "day", [23, 24]),
        ("Europe/Berlin", "2024-10-26T22:00Z", "2024-10-28T23:00Z", "day", [25, 24]),
        # The clock goes from one o'clock back to midnight: the day begins at the first of the two.
        ("America/Havana", "2024-11-03T04:00Z", "2024-11-05T05:00Z", "day", [25, 24]),
        # The clock goes from midnight to one o'clock: the day begins with that.
        ("America/Sao_Paulo", "2018-11-03T03:00Z", "2018-11-05T02:00Z", "day", [24, 23]),
        ("Pacific/Apia", "2011-12-29T10:00Z", "2012-01-01T10:00Z", "day", [24, 24, 24]),
        ("Asia/Kathmandu", "2024-06-01T18:15Z", "2024-06-02T18:15Z", "day", [24]),
        ("UTC", "2024-05-30T00:00Z", "2024-06-11T00:00Z", "week", [96, 168, 24]),
        ("UTC", "2024-01-30T00:00Z", "2024-04-02T00:00Z", "month", [48, 29 * 24, 31 * 24, 24]),
        ("UTC", "2023-12-31T12:00Z", "2024-01-01T00:00Z", "month", [12]),
    ],
)
def test_buckets_are_as_long_as_the_clock_says(
    shop: Shop, zone: str, since: str, until: str, granularity: str, expected: list[float]
) -> None:
    answer = shop.server.call(
        "metrics.get",
        metric="deployment_frequency",
        service=shop.service,
        since=since,
        until=until,
        tz=zone,
        granularity=granularity,
    )
    series = answer["metrics"]["deployment_frequency"]["series"]
    assert [one["days"] * 24 for one in series] == pytest.approx(expected)
    assert [one["since"] for one in series[1:]] == [one["until"] for one in series[:-1]]
