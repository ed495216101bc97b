"""Pages of deploy rules and path rules: tried, saved, deleted, over HTTP."""

import re
from contextlib import closing

import pytest
from tests.builders import at
from tests.conftest import DATABASES
from tests.server import LiveServer
from tests.shops import Shop
from tests.web.people import Person

from shipmark.application.policy import Policy
from shipmark.application.record_facts import record_facts
from shipmark.connectors.rules_file import read_rules_file
from shipmark.domain.events import EventSource, SourceEvent
from shipmark.domain.path_rules import PathRules, ServicePaths
from shipmark.storage.database import Database
from shipmark.web.path_rules import written


def event(shop: Shop, number: int, branch: str = "main") -> SourceEvent:
    return SourceEvent(
        source=EventSource.GITHUB_ACTIONS,
        key=f"github:{shop.repository}:run:{number}:1",
        repository=shop.repository,
        at=at(number),
        success=True,
        commit_sha=shop.sha(number),
        branch=branch,
        workflow="Deploy",
    )


@pytest.fixture
def server(request: pytest.FixtureRequest) -> LiveServer:
    """What is stored is tested on both databases; of the pages, the main path is."""
    database = getattr(request, "param", "sqlite")
    shared: LiveServer = request.getfixturevalue(f"{database}_server")
    return shared


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A shop that merged 1 to 3, with two runs on main and one elsewhere."""
    shop.merge_all(range(1, 4), files=["apps/web/main.ts"])
    events = [event(shop, 1), event(shop, 2), event(shop, 3, branch="try")]
    with closing(Database(shop.server.database_url)) as database, database.write() as tx:
        record_facts(tx, events, policy=Policy())
    return shop


def a_rule(shop: Shop, **fields: str) -> dict[str, str]:
    """A rule as its form says it."""
    return {
        "name": shop.reference("deploys"),
        "source": "github_actions",
        "when.repository": shop.repository,
        "when.branch": "main",
        "make.service": shop.service,
        "do": "save",
    } | fields


def rule_of(shop: Shop) -> dict[str, object] | None:
    rules = shop.server.call("rules.list", limit=1000)["rules"]
    return next((one for one in rules if one["name"] == shop.reference("deploys")), None)


@pytest.mark.parametrize("server", DATABASES, indirect=True)
def test_a_rule_is_previewed_before_it_is_saved(person: Person, shop: Shop) -> None:
    person.get("/rules/edit")
    person.page = person.post("/rules/edit", **a_rule(shop, do="preview"))
    assert person.page.status_code == 200
    assert "Deployments it would make 2" in person.words
    assert "branch: its branch is 'try', and the rule wants 'main'" in person.words
    assert f'value="{shop.service}"' in person.page.text
    assert rule_of(shop) is None
    saved = person.post("/rules/edit", **a_rule(shop, since="2024-06-01"))
    assert (saved.status_code, saved.headers["Location"]) == (303, "/rules?done=rule-saved")
    person.get("/deployments", service=shop.service)
    assert "2 deployments shown" in person.words


def test_a_rule_is_changed_and_deleted(person: Person, shop: Shop) -> None:
    name = shop.reference("deploys")
    person.get("/rules/edit")
    person.post("/rules/edit", **a_rule(shop))
    person.get("/rules/edit", name=name)
    assert 'name="when.branch" type="text" value="main"' in person.page.text
    form = a_rule(shop, also_failures="yes", **{"when.branch": "regex:ma(?P<end>in)"})
    assert person.post(f"/rules/edit?name={name}", **form).status_code == 303
    changed = rule_of(shop)
    assert changed is not None
    assert (changed["version"], changed["also_failures"]) == (2, True)
    assert changed["when"] == {"repository": shop.repository, "branch": "regex:ma(?P<end>in)"}
    person.get("/rules")
    assert name in person.words
    assert person.post("/rules/delete", name=name).status_code == 303
    assert rule_of(shop) is None
    assert person.get("/rules/edit", name=name).status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"when.branch": "regex:("}, "when.branch"),
        ({"make.service": "{colour}"}, "make.service"),
        ({"make.service": ""}, "make.service is required"),
        ({"name": " "}, "name"),
        ({"source": "nonsense"}, "source is"),
        ({"since": "yesterday"}, "since is"),
        ({"also_failures": "perhaps"}, "also_failures is"),
        ({"source": "push", "when.branch": ""}, "must say which branch"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_in_its_form(
    person: Person, shop: Shop, fields: dict[str, str], said: str
) -> None:
    person.get("/rules/edit")
    for do in ("preview", "save"):
        person.page = person.post("/rules/edit", **a_rule(shop, **fields, do=do))
        assert person.page.status_code in (400, 422)
        assert said in person.words
        assert 'aria-invalid="true"' in person.page.text
    assert rule_of(shop) is None


def test_a_rule_that_someone_else_changed_meanwhile_is_shown_first(
    person: Person, shop: Shop
) -> None:
    name = shop.reference("deploys")
    person.get("/rules/edit")
    person.post("/rules/edit", **a_rule(shop))
    person.get("/rules/edit", name=name)
    form = a_rule(shop, also_failures="yes") | {"seen": person.seen()}
    theirs = {"when": {"repository": shop.repository, "branch": "release"}}
    make = {"service": shop.service}
    shop.server.call("rules.upsert", name=name, source="github_actions", **theirs, make=make)
    person.page = person.post(f"/rules/edit?name={name}", **form)
    assert person.page.status_code == 409
    assert "when.branch is 'release' by now." in person.words
    assert rule_of(shop)["when"] == theirs["when"]
    again = person.post(f"/rules/edit?name={name}", **form | {"seen": person.seen()})
    assert again.status_code == 303
    assert rule_of(shop)["also_failures"] is True


def test_path_rules_that_someone_else_changed_meanwhile_are_shown_first(
    person: Person, shop: Shop
) -> None:
    path = f"/rules/paths/edit?repository={shop.repository}"
    person.get("/rules/paths/edit")
    form = {"repository": shop.repository, "file": RULES, "do": "save"}
    assert person.post("/rules/paths/edit", **form).status_code == 303
    person.page = person.post("/rules/paths/edit", **form)
    assert "already; edit those" in person.words
    person.get(path)
    form["seen"] = person.seen()
    shop.server.call("path_rules.upsert", repository=shop.repository, services={"web": ["w/"]})
    person.page = person.post(path, **form)
    assert person.page.status_code == 409
    assert "What is stored now version: 1 services: web: - w/" in person.words
    assert person.post(path, **form | {"seen": person.seen()}).status_code == 303


def test_a_new_rule_takes_no_name_that_is_taken(person: Person, shop: Shop) -> None:
    person.get("/rules/edit")
    person.post("/rules/edit", **a_rule(shop))
    person.page = person.post("/rules/edit", **a_rule(shop, also_failures="yes"))
    assert person.page.status_code == 400
    assert "already; edit that one" in person.words


RULES = "version: 1\nservices:\n  '{folder}': apps/{folder}/\n"


def test_path_rules_are_previewed_saved_and_deleted(person: Person, shop: Shop) -> None:
    form = {"repository": shop.repository, "file": RULES}
    person.get("/rules/paths/edit")
    person.page = person.post("/rules/paths/edit", **form, do="preview")
    assert "Pull requests with known files 3 Get other services 3" in person.words
    assert "#1 all web" in person.words
    person.get("/rules/paths/edit")
    assert person.post("/rules/paths/edit", **form, do="save").status_code == 303
    person.get("/rules/paths")
    assert f"{shop.repository} stored here" in person.words
    person.get("/rules/paths/edit", repository=shop.repository)
    assert "&#34;{folder}&#34;:\n    - &#34;apps/{folder}/&#34;" in person.page.text
    gone = person.post("/rules/paths/delete", repository=shop.repository, origin="stored")
    assert gone.status_code == 303
    assert f"{shop.repository} stored here" not in person.get("/rules/paths").text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"file": "services: ["}, ".shipmark.yml, line"),
        ({"file": "version: 1\nservices:\n  a: ['#x']"}, "line 3: services.a[0]: '#x'"),
        ({"repository": ""}, "Say whose rules they are"),
        ({"repository": "nobody/nothing"}, "nobody/nothing"),
    ],
)
def test_what_is_wrong_with_path_rules_is_said_in_their_form(
    person: Person, shop: Shop, fields: dict[str, str], said: str
) -> None:
    person.get("/rules/paths/edit")
    form = {"repository": shop.repository, "file": RULES, "do": "save"} | fields
    person.page = person.post("/rules/paths/edit", **form)
    assert person.page.status_code == 422
    assert said in person.words
    assert 'aria-invalid="true"' in person.page.text


@pytest.mark.parametrize(
    "rules",
    [
        PathRules(services=()),
        PathRules(
            services=(
                ServicePaths(service="{folder}-api", patterns=("apps/{folder}/", "!*.md")),
                ServicePaths(service="on", patterns=("null", "1.0", " x", "a: b #c", '"')),
                ServicePaths(service="a\u2028b\U0001f600", patterns=("ü\t\\",)),
            ),
            ignore=("*.md", "- x"),
            otherwise=("none",),
        ),
    ],
)
def test_rules_are_written_as_they_are_read(rules: PathRules) -> None:
    assert read_rules_file(written(rules).encode()).rules == rules


def test_rules_are_for_those_who_may_change_them(server: LiveServer) -> None:
    with Person(server) as somebody:
        somebody.sign_in(server.token("read"))
        for path in ("/rules", "/rules/paths"):
            assert somebody.get(path).status_code == 200
            assert not re.search(r'href="/rules/\w*/?edit', somebody.page.text)
        for path in ("/rules/edit", "/rules/paths/edit"):
            assert somebody.get(path).status_code == 403
            somebody.get("/rules")
            assert somebody.post(path, do="save").status_code == 403
        for path in ("/rules/delete", "/rules/paths/delete"):
            assert somebody.post(path).status_code == 403
