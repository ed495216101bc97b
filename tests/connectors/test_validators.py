"""What has not changed is not fetched again."""

from tests.connectors.talks import ok

from shipmark.connectors.exchange import Request, Response
from shipmark.connectors.validators import answered, keep, unless_same

REQUEST = Request(path="/repos/org/app", headers={"accept": "application/json"})


def test_an_answer_is_kept_and_asked_for_again_by_its_name() -> None:
    kept = keep(REQUEST, ok({"id": 1}, etag='W/"abc"', remaining="5"))
    again = unless_same(REQUEST, kept)
    assert again.headers == {"accept": "application/json", "if-none-match": 'W/"abc"'}
    same = answered(Response(status=304, headers={"remaining": "4"}), kept)
    assert (same.status, same.json(), same.headers["remaining"]) == (200, {"id": 1}, "4")


def test_an_answer_that_changed_is_the_new_one() -> None:
    kept = keep(REQUEST, ok({"id": 1}, etag='"a"'))
    new = ok({"id": 2}, etag='"b"')
    assert answered(new, kept) is new
    assert answered(new, None) is new


def test_only_what_can_be_asked_for_by_a_name_is_kept() -> None:
    assert keep(REQUEST, ok({})) is None
    assert keep(REQUEST, ok({}, status=404, etag='"a"')) is None
    assert keep(Request(path="/graphql", method="POST"), ok({}, etag='"a"')) is None
    assert unless_same(REQUEST, None) is REQUEST
