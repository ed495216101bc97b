"""Every page has its line in the documentation, and nothing else has."""

from tests.docs.pages import Page, code_in

from shipmark.web.headers import CONTENT_SECURITY_POLICY
from shipmark.web.routes import PAGES

WEB = Page("docs/web.md")


def test_each_page_has_its_line_and_nothing_else_has() -> None:
    told = [code_in(row[0]) for row in WEB.section("Pages").rows("Page")]
    assert told == list(dict.fromkeys(one.path for one in PAGES if not one.changes))


def test_the_policy_is_told_as_it_is() -> None:
    assert CONTENT_SECURITY_POLICY in [block.text.strip() for block in WEB.blocks]
