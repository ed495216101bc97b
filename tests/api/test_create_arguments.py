"""deployments.create: the forms in which its arguments may be sent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.builders import at
from tests.shops import Shop, when


@pytest.mark.parametrize(
    "sent",
    [
        1717250400,
        1717250400000,
        "1717250400",
        "1717250400000",
        1717250400.0,
        "2024-06-01T14:00:00Z",
        "2024-06-01T14:00:00",
        "2024-06-01T16:00:00+02:00",
        "2024-06-01 14:00:00",
        "20240601T140000Z",
    ],
)
def test_deployed_at_may_be_seconds_milliseconds_or_iso(shop: Shop, sent: object) -> None:
    answer = shop.deploy(deployed_at=sent)
    assert shop.info(answer["reference_id"])["deployed_at"] == when(2)


def test_fractions_of_a_second_are_kept(shop: Shop) -> None:
    answer = shop.deploy(deployed_at=1717250400123)
    stored = shop.info(answer["reference_id"])["deployed_at"]
    assert datetime.fromisoformat(stored) == at(2) + timedelta(milliseconds=123)


@pytest.mark.parametrize(
    "sent",
    [0, 631151999, "yesterday", "", True, [1], {"at": 1}, -1680723287, 1e300, "99999999999999999"],
)
def test_deployed_at_must_be_an_instant_after_1990(shop: Shop, sent: object) -> None:
    refusal = shop.refused_deploy(deployed_at=sent)
    error = "required_params_missing" if sent == "" else "invalid_arguments"
    assert refusal.what == (422, error, "deployed_at")


def test_deployed_at_may_be_a_day_ahead_and_no_more(shop: Shop) -> None:
    now = datetime.now(UTC)
    shop.deploy(deployed_at=(now + timedelta(hours=23)).isoformat())
    refusal = shop.refused_deploy(deployed_at=(now + timedelta(hours=25)).isoformat())
    assert refusal.what == (422, "invalid_arguments", "deployed_at")


@pytest.mark.parametrize(
    ("sent", "identifier", "name"),
    [
        ("api", "api", "api"),
        ({"identifier": "api", "name": "The API"}, "api", "The API"),
        ({"identifier": "api"}, "api", "api"),
        ({"name": "The API"}, "The API", "The API"),
        ("  api ", "api", "api"),
        ('{"identifier": "api", "name": "The API"}', "api", "The API"),
    ],
)
def test_service_may_be_text_or_an_identifier_and_a_name(
    shop: Shop, sent: Any, identifier: str, name: str
) -> None:
    def ours(text: str) -> str:
        return text.replace("api", shop.service).replace("The API", f"The {shop.service}")

    mine = {key: ours(text) for key, text in sent.items()} if isinstance(sent, dict) else ours(sent)
    stored = shop.info(shop.deploy(service=mine)["reference_id"])
    assert (stored["service"], stored["service_name"]) == (ours(identifier), ours(name))


def test_a_service_is_told_from_another_by_case_and_blanks_within(shop: Shop) -> None:
    for name in (f"{shop.service} one", f"{shop.service} ONE"):
        assert shop.info(shop.deploy(service=name)["reference_id"])["service"] == name


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title, "  {} ".format])
def test_repositories_compare_without_regard_to_case(shop: Shop, change: Any) -> None:
    stored = shop.info(shop.deploy(repository=change(shop.repository))["reference_id"])
    assert stored["repository"] == shop.repository


def test_a_repository_may_be_named_by_its_last_part_if_that_is_unique(shop: Shop) -> None:
    short = shop.repository.rpartition("/")[2]
    stored = shop.info(shop.deploy(repository=short)["reference_id"])
    assert stored["repository"] == shop.repository
    other = f"other/{short}"
    shop.server.call("repositories.upsert", name=other, default_branch="main")
    refusal = shop.refused_deploy(repository=short)
    assert refusal.what == (422, "repository_not_found", "repository")
    assert shop.repository in refusal.message
    assert other in refusal.message


@pytest.mark.parametrize(
    "name",
    ["group/sub/name", "My Project/The Repo", "KEY/name", "müller/straße", "ACME/Shop.js"],
)
def test_repositories_of_every_forge_can_be_named(shop: Shop, name: str) -> None:
    mine = f"{name} {shop.number}"
    shop.server.call("repositories.upsert", name=mine, default_branch="main")
    assert shop.info(shop.deploy(repository=mine)["reference_id"])["repository"] == mine


@pytest.mark.parametrize("length", [7, 8, 12, 39, 40])
def test_commits_may_be_shortened_to_seven_characters_in_any_case(shop: Shop, length: int) -> None:
    shop.merge_all([10, 11])
    answer = shop.deploy(12, commit_sha=shop.sha(10)[:length].upper())
    assert shop.shipped(answer) == [10]


@pytest.mark.parametrize("separator", [",", ";", "|", " ", ", ", "\n"])
def test_merge_commit_shas_may_be_one_text(shop: Shop, separator: str) -> None:
    shop.merge_all([1, 2, 3])
    answer = shop.deploy(9, merge_commit_shas=separator.join([shop.sha(1), shop.sha(3)]))
    assert shop.shipped(answer) == [1, 3]


def test_merge_commit_shas_may_be_json_in_text_and_repeat(shop: Shop) -> None:
    shop.merge_all([1, 2])
    sent = f'["{shop.sha(2)}", "{shop.sha(2).upper()}"]'
    answer = shop.deploy(9, merge_commit_shas=sent)
    assert shop.shipped(answer) == [2]
    assert shop.info(answer["reference_id"])["merge_commit_shas"] == [shop.sha(2)]


@pytest.mark.parametrize("sent", [True, "true", "1", "yes", "TRUE", 1, False, "false", 0, "no"])
def test_success_may_be_a_word(shop: Shop, sent: object) -> None:
    stored = shop.info(shop.deploy(success=sent)["reference_id"])
    assert stored["success"] is (str(sent).lower() in {"true", "1", "yes"})


@pytest.mark.parametrize("sent", ["", None, "   "])
def test_blank_optional_arguments_count_as_absent(shop: Shop, sent: str | None) -> None:
    shop.merge(1)
    names = ("reference_id", "source_url", "source_name", "metadata", "integration_branch")
    others = ("environment", "success", "dry_run")
    blanks = dict.fromkeys((*names, *others), sent)
    stored = shop.info(
        shop.server.call("deployments.create", **shop.deployment(2), **blanks)["reference_id"]
    )
    assert (stored["environment"], stored["success"], stored["source_url"]) == (
        "production",
        True,
        None,
    )


def test_refs_heads_is_cut_off_a_branch(shop: Shop) -> None:
    shop.merge(1, base_ref="refs/heads/develop")
    shop.merge(2)
    answer = shop.deploy(3, commit_sha=shop.sha(2), integration_branch="refs/heads/develop")
    assert shop.shipped(answer) == [1]


def test_a_reference_id_may_be_a_whole_number(shop: Shop) -> None:
    number = 10_000_000 + shop.number
    assert shop.deploy(reference_id=number)["reference_id"] == str(number)
    assert shop.deploy(reference_id=str(number))["reference_id"] == str(number)
