"""Settings, commands, views and modules have their line in the documentation, and nothing else.

The API has a module of its own, and so have the examples and the links.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import typer.main
from sqlalchemy import inspect, text
from tests.docs.pages import CODE, ROOT, Page, all_pages, code_in, codes_in

import shipmark
from shipmark import settings
from shipmark.cli import app
from shipmark.connectors.merge_messages import read_merge_message
from shipmark.domain.model import Reason
from shipmark.storage.database import Database

ARCHITECTURE = Page("ARCHITECTURE.md")
ATTRIBUTION = Page("docs/attribution.md")
CLI = Page("docs/cli.md")
IMPORT_GIT = Page("docs/import-git.md")
OPERATION = Page("docs/operation.md")
SQL = Page("docs/sql.md")
RECORDS = [page for page in all_pages() if page.name.startswith("docs/adr/")]
HELP = {"--help", "-h"}
DEFAULTS_IN_WORDS = {"SHIPMARK_DATABASE_URL", "SHIPMARK_BASE_URL"}


# Settings


def test_each_setting_has_its_line_with_its_default_and_nothing_else_has() -> None:
    in_force = {name: value for name, value, _ in settings.shown(settings.Settings())}
    rows = {code_in(row[0]): row[1] for row in OPERATION.section("Settings").rows("Variable")}
    assert list(rows) == list(in_force)
    for name, default in rows.items():
        in_words = name in DEFAULTS_IN_WORDS or (default == "not set" and not in_force[name])
        assert in_words or code_in(default) == in_force[name]


def test_every_setting_that_a_page_mentions_exists() -> None:
    known = {name for name, _, _ in settings.shown(settings.Settings())}
    ours = {"SHIPMARK_URL", "SHIPMARK_TOKEN"}
    for page in all_pages():
        for name in re.findall(r"\bSHIPMARK_[A-Z_]+[A-Z]\b", page.text):
            known_here = known | ours | {f"{one}_FILE" for one in known}
            assert name in known_here or name.startswith(settings.NOT_SETTINGS), page.name


# Commands


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every command that does something, by what is typed for it."""
    if hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from _commands(below, (*words, name))
    else:
        yield " ".join(words), command


COMMANDS = dict(_commands(typer.main.get_command(app), ("shipmark",)))


def _options(command: Any) -> dict[tuple[str, ...], bool]:
    """Each option, by its names, and whether it is required."""
    return {
        (*one.opts, *one.secondary_opts): one.required
        for one in command.params
        if one.param_type_name == "option" and not HELP & set(one.opts)
    }


def test_each_command_has_its_section_and_its_line_and_nothing_else_has() -> None:
    titles = [one.title for one in CLI.sections if one.level > 1]
    assert set(titles) == COMMANDS.keys()
    assert [code_in(row[0]) for row in CLI.section("Command line").rows("Command")] == titles


@pytest.mark.parametrize("name", COMMANDS)
def test_each_option_and_argument_of_a_command_has_its_line(name: str) -> None:
    section, command = CLI.section(name), COMMANDS[name]
    options = {tuple(codes_in(row[0])): row[2] == "**required**" for row in section.rows("Option")}
    assert options == _options(command)
    arguments = [code_in(row[0]) for row in section.rows("Argument")]
    assert arguments == [one.name for one in command.params if one.param_type_name == "argument"]


def test_commands_in_examples_can_be_typed() -> None:
    for page in all_pages():
        shown = [block.text for block in page.blocks] + CODE.findall(page.prose)
        for line in "\n".join(shown).replace("\\\n", " ").splitlines():
            for typed in re.findall(r"(?:^|[/( ])shipmark ((?:[a-z]+ ?)+)([^)|#]*)", line):
                _check_typed(*typed, where=page.name)


def _check_typed(words: str, rest: str, *, where: str) -> None:
    typed = f"shipmark {words}".strip()
    matching = [one for one in COMMANDS if f"{typed} ".startswith(f"{one} ")]
    assert matching or any(one.startswith(f"{typed} ") for one in COMMANDS), f"{where}: {typed}"
    if matching:
        known = {name for names in _options(COMMANDS[matching[0]]) for name in names}
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= known | HELP, f"{where}: {typed}"


# Views


def test_each_view_and_column_has_its_line_and_nothing_else_has(database: Database) -> None:
    found = inspect(database.engine)
    views = {
        view: [column["name"] for column in found.get_columns(view)]
        for view in found.get_view_names()
    }
    told = {
        one.title: [code_in(row[0]) for row in SQL.section(one.title).rows("Column")]
        for one in SQL.sections
        if one.level == 2
    }
    assert told == views


def test_the_queries_on_views_run(database: Database) -> None:
    kind = "sqlite" if database.is_sqlite else "postgresql"
    queries = [block for block in SQL.blocks if block.language == "sql"]
    assert queries
    with database.engine.connect() as connection:
        for query in queries:
            if query.note in ("", kind):
                connection.execute(text(query.text))


# Attribution


def test_each_reason_is_explained() -> None:
    told = {code for section in ATTRIBUTION.sections for code in section.codes}
    assert set(Reason) <= told


def test_the_merge_messages_that_are_told_are_recognised() -> None:
    rows = IMPORT_GIT.section("What is read").rows("Forge")
    assert rows
    for forge, told in rows:
        message = codes_in(told)[-1]
        if message.startswith("See "):
            message = f"Merge branch 'apples' into 'main'\n\nSell apples\n\n{message}"
        found = read_merge_message(message)
        assert found is not None, forge
        assert found.number == 12, forge


# The map


def _modules() -> list[str]:
    """Every module, by its path below the package."""
    walked = pkgutil.walk_packages(shipmark.__path__, "shipmark.")
    names = [one.name.removeprefix("shipmark.") for one in walked if not one.ispkg]
    paths = [f"{name.replace('.', '/')}.py" for name in names]
    return [path for path in paths if not path.startswith("storage/migrations/")]


def test_each_module_is_on_the_map_and_nothing_else_is() -> None:
    told = [code for row in ARCHITECTURE.section("Map").rows("Module") for code in codes_in(row[0])]
    files = [one for one in told if one.endswith(".py") and not one.endswith("__init__.py")]
    assert len(told) == len(set(told))
    assert set(files) == set(_modules())
    assert all((ROOT / "src/shipmark" / one).exists() for one in told)


def test_every_name_that_the_map_follows_exists() -> None:
    modules: dict[str, list[ModuleType]] = {}
    for path in set(_modules()) - {"__main__.py"}:  # To import that is to run it.
        name = f"shipmark.{path.removesuffix('.py').replace('/', '.')}"
        modules.setdefault(name.rpartition(".")[2], []).append(importlib.import_module(name))
    code = {one for section in ARCHITECTURE.sections for one in section.codes}
    dotted = [one for one in code if re.fullmatch(r"[a-z_]+\.\w+", one) and one[-3:] != ".py"]
    checked = [one for one in dotted if one.partition(".")[0] in modules]
    assert len(checked) > 20
    for one in checked:
        module, _, name = one.partition(".")
        assert any(hasattr(here, name) for here in modules[module]) or _is_method(one), one


def _is_method(name: str) -> bool:
    return any(one.title == name for one in Page("docs/api.md").sections)


# Decision records


@pytest.mark.parametrize("page", RECORDS, ids=lambda page: page.path.stem)
def test_a_decision_record_has_its_four_parts_and_is_listed(page: Page) -> None:
    title, *parts = [section.title for section in page.sections]
    number = int(page.path.name[:4])
    assert title.startswith(f"{number}. ")
    assert parts == ["Context", "Decision", "Consequences", "What else was weighed"]
    listed = ARCHITECTURE.section("Decisions").text
    assert f"{number}. [{title.partition(' ')[2]}]({page.name})" in listed
