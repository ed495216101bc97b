"""Rows of files as what the methods take."""

import pytest

from shipmark.api.file_rows import DEPLOYMENTS
from shipmark.domain.errors import InvalidArgument

ROW = {"service": "checkout", "deployed_at": "2024-03-04T10:00:00Z", "merge_commit_shas": "5d41a7c"}


def test_a_row_that_is_a_dry_run_is_refused_rather_than_deployed() -> None:
    with pytest.raises(InvalidArgument) as refused:
        DEPLOYMENTS.read(ROW | {"dry_run": "yes"})

    assert refused.value.argument == "dry_run"


def test_a_row_that_says_it_is_no_dry_run_is_the_row_without_saying_so() -> None:
    assert DEPLOYMENTS.read(ROW | {"dry_run": "false"}) == DEPLOYMENTS.read(ROW)


def test_dry_run_is_a_column_that_files_may_have() -> None:
    assert "dry_run" in DEPLOYMENTS.columns
