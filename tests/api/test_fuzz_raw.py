"""Whatever bytes, values and texts are sent, the answer is one that clients understand."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.api.fuzzing import few, understood
from tests.server import LiveServer, refused

from shipmark.api.routes import METHODS

ODD_TEXTS = (
    "",
    " ",
    "\0",
    "a\0b",
    "\u202e\u0645\u0631\u062d\u0628\u0627",
    "\U0001f680" * 50,
    "\uffff\ufeff\u0085\u2028",
    "x" * 10_000,
    "'; DROP TABLE deployments; --",
    "%s %(a)s {0} ${a} \\",
    "true",
    "null",
    "NaN",
    "[1, 2",
    '{"a": 1',
    "[" * 2000,
    '{"a":' * 2000,
    "1e400",
    "-1",
    "9" * 400,
    "0x10",
    "\u0661\u0662\u0663",
)
texts = st.sampled_from(ODD_TEXTS) | st.text(max_size=30)
numbers = st.one_of(
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
NAMES = sorted(
    {name for method in METHODS for name in method.takes.__struct_fields__}
    | {"pulls", "merged_at", "base_ref", "commit_shas", "labels", "title"}
)
names = st.sampled_from(NAMES) | texts
methods = st.sampled_from([method.name for method in METHODS])
likely = st.fixed_dictionaries(
    {},
    optional={
        "deployed_at": st.just(1717250400) | values,
        "service": st.just("api") | values,
        "services": st.just(["api"]) | values,
        "repository": st.just("acme/fuzz") | values,
        "number": st.just(1) | values,
        "pull_number": st.just(1) | values,
        "reference_id": st.just("fuzz") | values,
        "name": st.just("acme/fuzz") | values,
        "default_branch": st.just("main") | values,
        "base_ref": st.just("main") | values,
    },
)
arguments = st.builds(
    lambda probable, others: probable | others, likely, st.dictionaries(names, values, max_size=3)
)


@few
@given(method=methods, sent=arguments)
@example(method="deployments.create", sent={"deployed_at": 10**400})
def test_json_of_any_kind_is_understood(
    server: LiveServer, method: str, sent: dict[str, Any]
) -> None:
    understood(server.send(method, json=sent))


@few
@given(items=st.lists(arguments | values, max_size=4), lines=st.booleans())
def test_items_of_any_kind_are_understood(
    server: LiveServer, items: list[Any], lines: bool
) -> None:
    if lines:
        body = "\n".join(json.dumps(item) for item in items).encode()
        headers = {"Content-Type": "application/x-ndjson"}
        understood(server.send("pulls.import", content=body, headers=headers))
        return
    answer = server.call("pulls.import", pulls=items)
    assert len(answer["results"]) == len(items)


BODIES = (
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"metadata":' + b'{"a":' * 990 + b"1" + b"}" * 990 + b"}",
    b'{"service": "\\ud800"}',
    b'{"service": "\\udc00\\ud800"}',
    b'{"service": "\xff\xfe"}',
    b'{"service": "\xed\xa0\x80"}',
    b'{"deployed_at": NaN}',
    b'{"deployed_at": -Infinity}',
    b'{"deployed_at": 1e999}',
    b'{"deployed_at": ' + b"9" * 5000 + b"}",
    b'{"service": "a", "service": "b"}',
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\x00}\x00",
    b"\0",
    b"service=%ff%fe&repository=%00&%zz=%&&==&[]=&a[=&]=&a[b]=&a[b]=2&a=3&a[]=4",
    b"service[identifier]=x&service[identifier][name]=y&service[]=z",
    b"{}" * 100,
    b"<xml/>",
)
bodies = st.sampled_from(BODIES) | st.binary(max_size=200)
content_types = st.sampled_from(
    [
        "",
        "application/json",
        "application/x-www-form-urlencoded",
        "application/x-ndjson",
        "multipart/form-data; boundary=x",
        "text/plain; charset=utf-16",
        ";;;",
    ]
)


@few
@given(method=methods, body=bodies, content_type=content_types)
@example(method="deployments.create", body=BODIES[3], content_type="application/json")
def test_bytes_of_any_kind_are_understood(
    server: LiveServer, method: str, body: bytes, content_type: str
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    understood(server.send(method, content=body, headers=headers))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", ["deployments.create", "pulls.import"])
def test_bodies_that_broke_others_are_understood(
    server: LiveServer, method: str, body: bytes
) -> None:
    for content_type in ("application/json", "application/x-ndjson"):
        understood(server.send(method, content=body, headers={"Content-Type": content_type}))


escaped = st.binary(max_size=60).map(lambda raw: "".join(f"%{byte:02x}" for byte in raw))
queries = (
    st.lists(
        st.tuples(st.sampled_from(NAMES), escaped | st.sampled_from(["%", "%zz", "[]", "{}"])),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
    | escaped
)


@few
@given(method=methods, query=queries, verb=st.sampled_from(["GET", "POST"]))
@example(method="repositories.list", query="cursor=WyJcdTAwMDAiXQ==", verb="GET")
@example(method="deployments.list", query="cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwWiIsIiJd", verb="GET")
@example(method="pulls.list", query="cursor=WyIyMDI0LTAxLTAxVDAwOjAwOjAwWiIsMWU0MDBd", verb="GET")
@example(
    method="pulls.list",
    query="cursor=WyIyMDI0LTAxLTAxVDAwOjAwOjAwWiIsOTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ==",
    verb="GET",
)
def test_query_strings_of_any_kind_are_understood(
    server: LiveServer, method: str, query: str, verb: str
) -> None:
    url = httpx.URL(server.base_url, path=f"/api/{method}", query=query.encode())
    headers = {"Authorization": f"Bearer {server.default_token}"}
    understood(server.http.request(verb, url, headers=headers))


visible = st.binary(max_size=60).map(
    lambda raw: bytes(byte for byte in raw if byte >= 0x20 and byte != 0x7F).strip()
)


@few
@given(header=visible, scheme=st.sampled_from([b"", b"Bearer ", b"bearer\t", b"Basic "]))
@example(header="größer \U0001f680".encode(), scheme=b"Bearer ")
@example(header=b"\xff\xfe", scheme=b"Bearer ")
def test_authorization_of_any_kind_is_understood(
    server: LiveServer, header: bytes, scheme: bytes
) -> None:
    headers = [(b"Authorization", (scheme + header).strip())]
    response = server.http.post(f"{server.base_url}/api/deployments.list", headers=headers)
    assert refused(response).error in {"not_authed", "invalid_auth"}
