"""incidents.*: recorded, corrected, and linked to deployments."""

from typing import Any

import pytest
from tests.api.pages import all_pages
from tests.shops import Shop, when


def report(
    shop: Shop, which: object = "i", /, hours: float = 2, **arguments: Any
) -> dict[str, Any]:
    """Record an incident of the shop's service; the answer."""
    return shop.server.call(
        "incidents.upsert",
        **{
            "reference_id": shop.reference(which),
            "started_at": when(hours),
            "services": [shop.service],
        }
        | arguments,
    )


def linked(answer: dict[str, Any]) -> dict[str, str | None]:
    """Why the incident is linked to each deployment."""
    return {one["deployment_reference_id"]: one["kind"] for one in answer["links"]}


def test_an_incident_is_kept_with_all_that_is_told_of_it(shop: Shop) -> None:
    told = {
        "name": "Checkout is down",
        "priority": "P1",
        "source_url": "https://pager.example/7",
        "resolved_at": when(3),
        "metadata": {"team": "shop"},
        "environment": "production",
        "deployment_reference_id": "nothing-known",
    }
    answer = report(shop, **told)
    expected = {
        "reference_id": shop.reference("i"),
        "started_at": when(2),
        "services": [shop.service],
    } | told
    assert answer["incident"] | expected == answer["incident"]
    assert answer["names_unknown_deployment"] is True
    found = shop.server.call("incidents.info", reference_id=shop.reference("i"))
    assert found == answer


def test_a_priority_that_is_a_number_is_kept_as_its_text(shop: Shop) -> None:
    assert report(shop, priority=1)["incident"]["priority"] == "1"
    found = shop.server.call("incidents.list", service=shop.service, priority=1)["incidents"]
    assert [one["reference_id"] for one in found] == [shop.reference("i")]


def test_the_old_name_takes_the_same(shop: Shop) -> None:
    answer = shop.server.call(
        "incidents.sync", reference_id=shop.reference("i"), started_at=when(1), services="[a b]"
    )
    assert answer["incident"]["services"] == ["a", "b"]


def test_what_is_not_told_again_stays_and_null_takes_away(shop: Shop) -> None:
    report(shop, name="Slow", resolved_at=when(3), priority="P2")
    answer = shop.server.call(
        "incidents.upsert", reference_id=shop.reference("i"), started_at=when(2), resolved_at=None
    )
    assert answer["incident"]["resolved_at"] is None
    assert answer["incident"]["name"] == "Slow"
    assert answer["incident"]["services"] == [shop.service]


@pytest.mark.parametrize("missing", ["reference_id", "started_at"])
def test_what_is_required(shop: Shop, missing: str) -> None:
    sent = {"reference_id": shop.reference("i"), "started_at": when(1)}
    del sent[missing]
    refusal = shop.server.refusal("incidents.upsert", **sent)
    assert refusal.what == (422, "required_params_missing", missing)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"started_at": "yesterday"}, "invalid_arguments"),
        ({"resolved_at": when(1)}, "invalid_arguments"),
        ({"source_url": "javascript:alert(1)"}, "invalid_arguments"),
        ({"metadata": [1]}, "metadata_invalid"),
        ({"services": 7}, "invalid_arguments"),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_stored(
    shop: Shop, wrong: dict[str, Any], error: str
) -> None:
    sent = {"reference_id": shop.reference("i"), "started_at": when(2)} | wrong
    refusal = shop.server.refusal("incidents.upsert", **sent)
    assert refusal.what == (422, error, next(iter(wrong)))
    gone = shop.server.refusal("incidents.info", reference_id=shop.reference("i"))
    assert gone.what == (404, "incident_not_found", "reference_id")


def test_it_follows_the_last_deployment_of_its_service_before_it(shop: Shop) -> None:
    for hours in (1, 1.5, 2.5):
        shop.deploy(hours, reference_id=shop.reference(hours))
    shop.deploy(1.8, service=f"{shop.service}-other", reference_id=shop.reference("other"))
    shop.deploy(1.9, environment="staging", reference_id=shop.reference("staging"))
    answer = report(shop)
    assert linked(answer) == {shop.reference(1.5): "followed"}
    assert "30 minutes after" in answer["links"][0]["why"]


def test_it_follows_whichever_comes_first(shop: Shop) -> None:
    report(shop)
    shop.deploy(1, reference_id=shop.reference(1))
    found = shop.server.call("incidents.info", reference_id=shop.reference("i"))
    assert linked(found) == {shop.reference(1): "followed"}


@pytest.mark.parametrize(("hours", "follows"), [(0, True), (24, True), (24.01, False), (-1, False)])
def test_it_follows_within_a_day(shop: Shop, hours: float, follows: bool) -> None:
    shop.deploy(1, reference_id=shop.reference(1))
    assert linked(report(shop, hours=1 + hours)) == (
        {shop.reference(1): "followed"} if follows else {}
    )


def test_one_that_names_its_deployment_follows_no_other(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference(1), environment="staging")
    shop.deploy(1.5, reference_id=shop.reference(1.5))
    answer = report(shop, deployment_reference_id=shop.reference(1))
    assert linked(answer) == {shop.reference(1): "named"}
    assert answer["names_unknown_deployment"] is False


def test_one_of_staging_follows_what_was_deployed_there(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference(1), environment="staging")
    shop.deploy(1.5, reference_id=shop.reference(1.5))
    assert linked(report(shop, environment="staging")) == {shop.reference(1): "followed"}


def test_a_link_is_corrected_by_hand_and_stays_so(shop: Shop) -> None:
    for hours in (1, 1.5):
        shop.deploy(hours, reference_id=shop.reference(hours))
    report(shop)
    pair = {"reference_id": shop.reference("i"), "deployment_reference_id": shop.reference(1.5)}
    answer = shop.server.call("incidents.unlink", **pair, reason="It was the database.")
    assert linked(answer) == {shop.reference(1.5): None}
    assert answer["links"][0]["correction"]["reason"] == "It was the database."
    assert answer["links"][0]["correction"]["account"] == "default"
    assert "It was the database." in answer["links"][0]["why"]
    other = pair | {"deployment_reference_id": shop.reference(1)}
    shop.server.call("incidents.link", **other, reason="Its migration.")
    assert linked(report(shop, name="Again")) == {
        shop.reference(1): "by_hand",
        shop.reference(1.5): None,
    }
    shop.server.call("deployments.delete", reference_id=shop.reference(1))
    assert linked(report(shop)) == {shop.reference(1.5): None}
    shop.deploy(1, reference_id=shop.reference(1))
    assert linked(report(shop))[shop.reference(1)] == "by_hand"


@pytest.mark.parametrize("said", ["incidents.link", "incidents.unlink"])
def test_a_correction_is_withdrawn_so_that_the_rules_decide_again(shop: Shop, said: str) -> None:
    for hours in (1, 1.5):
        shop.deploy(hours, reference_id=shop.reference(hours))
    by_rule = linked(report(shop))
    about = 1 if said == "incidents.link" else 1.5
    pair = {"reference_id": shop.reference("i"), "deployment_reference_id": shop.reference(about)}
    assert linked(shop.server.call(said, **pair)) != by_rule
    for reason in ("A mistake.", "Sent again."):
        answer = shop.server.call("incidents.withdraw", **pair, reason=reason)
        assert linked(answer) == by_rule
        assert [one["correction"] for one in answer["links"]] == [None]
        (withdrawn,) = answer["withdrawn"]
        assert (withdrawn["reason"], withdrawn["account"]) == ("A mistake.", "default")
        assert withdrawn["was_linked"] is (said == "incidents.link")
    assert linked(report(shop, name="Again")) == by_rule
    again = shop.server.call(said, **pair)
    assert linked(again) != by_rule
    assert again["withdrawn"] == []
    shop.server.call("incidents.delete", reference_id=shop.reference("i"))
    assert report(shop)["withdrawn"] == []


def test_what_was_said_of_a_deployment_that_is_gone_is_withdrawn_too(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference(1))
    report(shop)
    pair = {"reference_id": shop.reference("i"), "deployment_reference_id": shop.reference(1)}
    shop.server.call("incidents.unlink", **pair)
    shop.server.call("deployments.delete", reference_id=shop.reference(1))
    shop.server.call("incidents.withdraw", **pair)
    shop.deploy(1, reference_id=shop.reference(1))
    assert linked(report(shop)) == {shop.reference(1): "followed"}


def test_there_is_nothing_to_withdraw_where_nothing_was_said(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference(1))
    report(shop)
    pair = {"reference_id": shop.reference("i"), "deployment_reference_id": shop.reference(1)}
    refusal = shop.server.refusal("incidents.withdraw", **pair)
    assert refusal.what == (422, "invalid_arguments", "deployment_reference_id")


@pytest.mark.parametrize("method", ["incidents.link", "incidents.unlink", "incidents.withdraw"])
def test_only_what_is_known_is_linked(shop: Shop, method: str) -> None:
    shop.deploy(1, reference_id=shop.reference(1))
    pair = {"reference_id": shop.reference("i"), "deployment_reference_id": shop.reference(1)}
    assert shop.server.refusal(method, **pair).what == (404, "incident_not_found", "reference_id")
    report(shop)
    unknown = pair | {"deployment_reference_id": "nowhere"}
    refusal = shop.server.refusal(method, **unknown)
    assert refusal.what == (404, "deployment_not_found", "deployment_reference_id")


def test_incidents_are_listed_page_by_page_and_filtered(shop: Shop) -> None:
    shop.deploy(1.5, reference_id=shop.reference("d"))
    for number in range(7):
        report(shop, number, hours=number // 2, resolved_at=when(9) if number % 2 else None)
    asked = {"service": shop.service, "limit": 3}
    pages = [page["incidents"] for page in all_pages(shop.server, "incidents.list", **asked)]
    names = [[one["reference_id"].rpartition("/")[2] for one in page] for page in pages]
    assert names == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert [linked(one) for one in pages[0]] == [{shop.reference("d"): "followed"}] * 3
    is_open = shop.server.call("incidents.list", service=shop.service, resolved=False)
    assert len(is_open["incidents"]) == 4
    of_time = shop.server.call("incidents.list", service=shop.service, since=when(1), until=when(2))
    assert len(of_time["incidents"]) == 2


def test_a_deleted_incident_is_gone_with_its_corrections(shop: Shop) -> None:
    shop.deploy(1, reference_id=shop.reference(1))
    report(shop)
    pair = {"reference_id": shop.reference("i"), "deployment_reference_id": shop.reference(1)}
    shop.server.call("incidents.unlink", **pair)
    assert shop.server.call("incidents.delete", reference_id=shop.reference("i"))["deleted"]
    assert not shop.server.call("incidents.delete", reference_id=shop.reference("i"))["deleted"]
    assert linked(report(shop)) == {shop.reference(1): "followed"}
