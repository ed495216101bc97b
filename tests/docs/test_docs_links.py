"""Links lead somewhere, and no page says what it should not."""

import re

import pytest
from tests.docs.pages import ROOT, Page, all_pages

PAGES = all_pages()
ELSEWHERE = re.compile(r"https?://")
INDEX_HOSTS = re.compile(
    r"pypi\.|pythonhosted|files\.python|--index-url|--extra-index", re.IGNORECASE
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
class TestPage:
    def test_its_links_lead_to_a_file_and_to_a_heading_of_it(self, page: Page) -> None:
        for link in page.links:
            if ELSEWHERE.match(link):
                continue
            name, _, anchor = link.partition("#")
            target = (page.path.parent / name).resolve() if name else page.path
            assert target.exists(), link
            if anchor:
                assert anchor in Page(str(target.relative_to(ROOT))).anchors, link

    def test_no_two_of_its_headings_have_one_anchor(self, page: Page) -> None:
        if page.name != "CHANGELOG.md":  # There each release has the same ones.
            assert len(page.anchors) == len(page.sections)

    def test_it_names_no_package_index(self, page: Page) -> None:
        assert not INDEX_HOSTS.search(page.text)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, to_read = set(), ["README.md"]
    while to_read:
        page = Page(to_read.pop())
        reached.add(page.name)
        for link in page.links:
            name = link.partition("#")[0]
            if name.endswith(".md") and not ELSEWHERE.match(link):
                target = str((page.path.parent / name).resolve().relative_to(ROOT))
                to_read += [] if target in reached else [target]
    assert reached == {page.name for page in PAGES}
