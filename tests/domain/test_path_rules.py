"""Which services a pull request changed, told from its files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipmark.connectors.gitignore_paths import GitIgnoreEngine
from shipmark.domain.path_rules import (
    CompiledPathRules,
    PathRules,
    PathRulesInvalid,
    ServicePaths,
    compile_path_rules,
    services_of,
)
from shipmark.domain.patterns import PatternInvalid

names = st.sampled_from(["a", "b", "ab", ".", "..", "a b", "*", "**", "?", "[a]", "\\a", ""])
patterns = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "/", "!"]),
    st.lists(names, min_size=1, max_size=4).map("/".join),
    st.sampled_from(["", "/"]),
)
paths = st.lists(st.sampled_from(["a", "b", "ab", "a b"]), min_size=1, max_size=4).map("/".join)


def is_pattern(pattern: str) -> bool:
    try:
        GitIgnoreEngine().compile([pattern])
    except PatternInvalid:
        return False
    return True


@given(
    lists=st.lists(
        st.lists(patterns.filter(is_pattern), min_size=1, max_size=3), min_size=1, max_size=3
    ),
    file=paths | paths.map("./{}".format) | paths.map("/{}".format),
)
def test_a_file_is_tried_with_every_service_that_it_can_belong_to(
    lists: list[list[str]], file: str
) -> None:
    compiled = rules(**{f"s{number}": tuple(one) for number, one in enumerate(lists)})
    each = {service.name_for(file) for service in compiled.services}
    assert compiled.services_of_file(file) == each - {None}


def rules(
    *,
    ignore: tuple[str, ...] = (),
    otherwise: tuple[str, ...] = (),
    **services: str | tuple[str, ...],
) -> CompiledPathRules:
    """Rules for services by name; a blank stands for a template's braces: ``_folder_``."""
    return compile_path_rules(
        PathRules(
            services=tuple(
                ServicePaths(
                    service=f"{{{name.strip('_')}}}" if name.startswith("_") else name,
                    patterns=(patterns,) if isinstance(patterns, str) else patterns,
                )
                for name, patterns in services.items()
            ),
            ignore=ignore,
            otherwise=otherwise,
        ),
        GitIgnoreEngine(),
    )


SHOP = rules(
    billing=("services/billing/", "libs/money/"),
    search=("services/search/", "!services/search/ui/", "libs/money/"),
    ignore=("*.md", "!CHANGELOG.md"),
)


@pytest.mark.parametrize(
    ("files", "services"),
    [
        (["services/billing/main.py"], {"billing"}),
        (["services/billing/main.py", "services/search/main.py"], {"billing", "search"}),
        (["libs/money/sum.py"], {"billing", "search"}),
        (["services/search/ui/page.html"], set()),
        (["services/search/ui/page.html", "services/search/x"], {"search"}),
        (["services/billing/README.md"], set()),
        (["services/billing/CHANGELOG.md"], {"billing"}),
        (["services/billing"], set()),
        (["other/services/billing/x"], set()),
        (["SERVICES/billing/x"], set()),
        ([], set()),
        (["Makefile", "\udcff/x"], set()),
    ],
)
def test_files_belong_to_the_services_whose_last_matching_pattern_takes_them_in(
    files: list[str], services: set[str]
) -> None:
    assert services_of(files, SHOP) == services


def test_the_order_of_patterns_decides() -> None:
    assert services_of(["a/b/c"], rules(one=("!a/b/", "a/"))) == {"one"}
    assert services_of(["a/b/c"], rules(one=("a/", "!a/b/"))) == set()


def test_each_folder_can_be_a_service_of_its_name() -> None:
    folders = rules(_folder_=("services/{folder}/", "!services/legacy/"), web="web/")
    changed = ["services/billing/x", "services/search/a/b", "services/legacy/x", "services/README"]
    assert services_of(changed, folders) == {"billing", "search"}


def test_a_folder_may_be_named_in_several_places() -> None:
    folders = rules(_name_=("apps/*/{name}/**", "/{name}/src/", "!**/test/"))
    changed = ["apps/eu/web/x", "till/src/y", "desk/src/test/z", "shop/other/z"]
    assert services_of(changed, folders) == {"web", "till"}


def test_a_pull_request_without_a_service_gets_those_of_otherwise() -> None:
    some = rules(billing="services/billing/", otherwise=("none",))
    assert services_of(["README"], some) == {"none"}
    assert services_of(["README", "services/billing/x"], some) == {"billing"}


@pytest.mark.parametrize(
    ("services", "path", "words"),
    [
        ({"a": ()}, ("services", "a"), "no patterns"),
        ({"a": ("x", "")}, ("services", "a", 1), "blank"),
        ({"a": ("# x",)}, ("services", "a", 0), "comment"),
        ({"a": ("x", "!")}, ("services", "a", 1), "'!' cannot be used"),
        ({"a": ("x\\",)}, ("services", "a", 0), "as in .gitignore"),
        ({"a": ("[[:alpha:]]",)}, ("services", "a", 0), "class in brackets"),
        ({"a": ("x" * 501,)}, ("services", "a", 0), "longer than 500"),
        ({"a": ("x",) * 10_001}, ("services",), "more than 10000"),
        ({" ": ("x",)}, ("services", " "), "blank"),
        ({"a{": ("x",)}, ("services", "a{"), "braces"),
        ({"_f_": ("services/",)}, ("services", "{f}", 0), "must name a folder by {f}"),
        ({"_f_": ("services/{f}",)}, ("services", "{f}", 0), "with a slash after it"),
        ({"_f_": ("**/{f}/",)}, ("services", "{f}", 0), "no '**' before it"),
        ({"_f_": ("services/{g}/",)}, ("services", "{f}", 0), "must name a folder by {f}"),
        ({"_f_": ("services/x-{f}/",)}, ("services", "{f}", 0), "must name a folder by {f}"),
    ],
)
def test_rules_that_cannot_work_are_refused_with_the_place(
    services: dict[str, tuple[str, ...]], path: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(PathRulesInvalid) as refusal:
        rules(**services)
    assert refusal.value.path == path
    assert words in refusal.value.message


def test_a_refusal_says_where_in_words() -> None:
    with pytest.raises(PathRulesInvalid) as refusal:
        rules(billing=("x", "#"))
    assert refusal.value.argument == "services.billing[1]"
    assert refusal.value.message.startswith("services.billing[1]: '#' cannot be used")


def test_names_in_otherwise_may_not_be_blank() -> None:
    with pytest.raises(PathRulesInvalid, match=r"otherwise\[0\]"):
        rules(a="x", otherwise=(" ",))


paths = st.text(alphabet="ab/*?.![]{}\\ #é\ud800", max_size=12)


@given(st.lists(paths, max_size=4), st.lists(paths, max_size=4), paths)
def test_any_rules_are_refused_or_answer_every_file(
    patterns: list[str], files: list[str], name: str
) -> None:
    try:
        compiled = rules(**{name or "a": tuple(patterns), "_ab_": "a/{ab}/"})
    except PathRulesInvalid as refusal:
        assert refusal.path  # noqa: PT017 - the refusal is one of two right answers
        return
    found = services_of(files, compiled)
    assert found == frozenset().union(*(services_of([file], compiled) for file in files))
    assert all(service.strip() for service in found)
