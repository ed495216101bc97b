"""The benchmark, as small as it gets: what it compares is the same, and its report is whole.

How long anything takes is nobody's business here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.findings import Table
from benchmarks.history import History
from benchmarks.load import BodiesRanOut, drive
from benchmarks.loading import body_of
from benchmarks.measure import BenchmarkFailed, interleaved
from tests.docs.pages import ROOT, Page

from benchmarks import report, servers

SUBJECTS = ("create", "growth", "bulk", "files", "reads", "pages", "instead")
DATABASES = ("sqlite", "postgresql")
PATIENCE = 300


def test_a_tiny_run_compares_like_with_like_and_reports_all_of_it(tmp_path: Path) -> None:
    # It ends with an error if a request is refused, or if Shipmark on both databases, git, DuckDB
    # and the set-based joins do not attribute alike.
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--output", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    subjects = json.loads((tmp_path / "benchmarks.json").read_text())["subjects"]
    assert tuple(subjects) == SUBJECTS
    check_create(subjects["create"])
    check_growth(subjects["growth"])
    check_bulk(subjects["bulk"]["figures"])
    check_files(subjects["files"]["figures"])
    check_reads(subjects["reads"]["figures"])
    check_pages(subjects["pages"])
    assert subjects["instead"]["figures"]["agreement"] == {"pairs": 95, "name_rev_agrees": True}
    check_page(Page(str(tmp_path / "benchmarks.md")), subjects)


def check_create(subject: dict[str, Any]) -> None:
    for database in DATABASES:
        rounds = subject["figures"]["rounds"][database]
        assert set(rounds) == {"4"}
        for loads in rounds.values():
            assert set(loads) == {"floor (a)", "floor (b)", "12 lanes"}
            assert all(one["rate"] > 0 for each in loads.values() for one in each)
            for name in ("floor (a)", "12 lanes"):
                assert all(one["refused"] == one["broken"] == 0 for one in loads[name])
    assert len(subject["targets"]) == 3 * len(DATABASES)


def check_growth(subject: dict[str, Any]) -> None:
    for database in DATABASES:
        costs = subject["figures"][database]
        assert len({one["change"] for one in costs}) == 5
        assert {one["pulls"] for one in costs} == {300, 600}
        assert all(one["work"]["statements"] and one["work"]["written"] for one in costs)
    assert len(subject["targets"]) == 4 * len(DATABASES)


def check_bulk(figures: dict[str, Any]) -> None:
    ran = [figures["duckdb"]]
    for database in DATABASES:
        runs = figures["runs"][database]
        assert set(runs) == {"floor", "in time order", "shuffled", "newest first"}
        ran += runs.values()
    # The last five pull requests are not deployed yet, and the last that is on main is not one
    # of those that a deployment reaches.
    (attributed,) = {tuple(one["attributed"]) for each in ran for one in each}
    assert attributed[0] == figures["attributed"] == expected_pairs(300)


def expected_pairs(pulls: int) -> int:
    """How many pull requests are shipped, by going through the history one by one."""
    history = History(repository="any", pulls=pulls)
    deployments = [history.deployment(one) for one in range(1, history.deployments + 1)]
    last = {"main": "", "develop": ""}
    for one in deployments:
        branch = one.get("integration_branch", "main")
        # Whoever names a commit reaches that, which was merged shortly before it was deployed.
        last[branch] = max(last[branch], one["deployed_at"])
        if branch == "develop":
            named = next(
                pull
                for pull in map(history.pull, range(1, pulls + 1))
                if pull["merge_commit_sha"] == one["commit_sha"]
            )
            last[branch] = named["merged_at"]
    facts = map(history.pull, range(1, pulls + 1))
    return sum(one["merged_at"] <= last[one["base_ref"]] for one in facts)


def check_files(figures: dict[str, Any]) -> None:
    for database in DATABASES:
        (run,) = figures["runs"][database]["shipmark"]
        assert run["applied"] == run["undone"] == figures["rows"] == 200
        assert all(run[step] > 0 for step in ("upload", "validate", "apply", "undo"))
        assert all(figures["waits"][database].values())


def check_reads(figures: dict[str, Any]) -> None:
    for database in DATABASES:
        reads = figures["reads"][database]
        assert len(reads) == 7
        assert all(one["plans"] and all(one["plans"]) for one in reads.values())
    assert not any(one["whole_tables"] for one in figures["reads"]["sqlite"].values())


def check_pages(subject: dict[str, Any]) -> None:
    for database in DATABASES:
        pages = subject["figures"]["milliseconds"][database]
        assert {"overview, 30 days", "a service", "incidents"} < set(pages)
    assert len(subject["targets"]) == 2 * len(DATABASES)


def check_page(page: Page, subjects: dict[str, Any]) -> None:
    tables = [table for section in page.sections for table in section.tables]
    assert {"What", "Connections", "Change", "Database", "Question"} <= {
        table.header[0] for table in tables
    }
    told = {row[0]: row for table in tables for row in table.rows}
    for subject in subjects.values():
        for target in subject["targets"]:
            assert target["what"] in told
            assert told[target["what"]][-1] in ("met", "**missed**")
    assert "<!-- begin" in page.text


class TestLoad:
    """The load generator for where there is no wrk."""

    def bodies(self, folder: Path, *, right: bool = True) -> Path:
        history = History(repository="bench/load", pulls=10)
        facts = [history.deployment_at(number, reference_id=f"{number}") for number in range(1, 9)]
        path = folder / "bodies.ndjson"
        if not right:
            facts[5]["deployed_at"] = "yesterday"
        path.write_text("".join(body_of(fact) + "\n" for fact in facts))
        return path

    def test_it_counts_what_is_answered(self, tmp_path: Path) -> None:
        with servers.floor(tmp_path) as floor:
            load = drive(
                floor, self.bodies(tmp_path), connections=2, seconds=1, again=True, by="aiohttp"
            )
        assert load.answered == load.sent > 8
        assert 0 < load.p50 <= load.p90 <= load.p99

    def test_a_refusal_and_running_out_of_bodies_are_failures(self, tmp_path: Path) -> None:
        with servers.floor(tmp_path) as floor:
            with pytest.raises(BodiesRanOut):
                drive(floor, self.bodies(tmp_path), connections=2, seconds=60, by="aiohttp")
            wrong = self.bodies(tmp_path, right=False)
            with pytest.raises(BenchmarkFailed, match="1 of 8 requests were refused"):
                drive(floor, wrong, connections=2, seconds=60, by="aiohttp")


def test_every_round_begins_with_another_subject() -> None:
    order: list[str] = []
    subjects = {name: lambda name=name: order.append(name) for name in "abc"}
    assert interleaved(3, subjects) == {name: [None] * 3 for name in "abc"}
    assert "".join(order) == "abcbcacab"


def test_a_table_that_has_no_place_on_the_page_is_a_failure() -> None:
    table = Table(name="reads", header=("What",), rows=[("a | b",)])
    page = "before\n<!-- begin reads -->\nold\n<!-- end -->\nafter\n"
    filled = report.filled(page, {"reads": table})
    assert filled == page.replace("old\n", "| What |\n| --- |\n| a \\| b |\n")
    with pytest.raises(BenchmarkFailed, match="No place for bulk"):
        report.filled(page, {"bulk": table})
