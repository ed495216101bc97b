"""Path rules: the list, and the form in which a repository's are tried and saved.

The form takes what a repository's own file `.shipmark.yml` may say, so that there is one way to
write rules.
"""

import json
import re
from collections.abc import Iterable
from functools import partial

from starlette.responses import Response

from shipmark.application.path_rules import FileDraft, Origin, PathRulesDraft, Recomputed
from shipmark.application.queries import Page, PathRulesRow, ReadTransaction
from shipmark.application.tokens import Scope
from shipmark.domain.errors import (
    ChangedMeanwhile,
    InvalidArgument,
    RepositoryNotFound,
    RequiredParamsMissing,
    ShipmarkError,
    Unavailable,
)
from shipmark.domain.path_rules import PathRules
from shipmark.web.visit import Visit
from shipmark.web.words import iso

PATH = "/rules/paths"
SHOWN = 50
FACTS = (Scope.PULLS_WRITE,)
PLAIN = re.compile(r"[A-Za-z][\w./-]*[\w/]")
BEGIN_WITH = """version: 1
services:
  billing:
    - services/billing/
ignore:
  - "*.md"
"""


async def listed(visit: Visit) -> Response:
    """The path rules of all repositories, by name."""
    repository, origin = visit.query.text("after"), visit.query.text("origin")
    page = Page(limit=SHOWN + 1, after=(repository, origin or "") if repository else None)
    found = await visit.read(lambda tx: tx.reports.path_rules(page))
    return visit.render(
        "path_rules.html",
        rows=found[:SHOWN],
        next=found[SHOWN - 1] if len(found) > SHOWN else None,
        may_change=visit.may(FACTS),
    )


async def edit(visit: Visit) -> Response:
    """The form of the rules that are stored for a repository, or of new ones."""
    repository = visit.query.text("repository")
    row = await visit.read(partial(_stored, repository=repository)) if repository else None
    return _form(
        visit,
        repository,
        written(row.rules) if row else BEGIN_WITH,
        seen=iso(row.updated_at) if row else "",
    )


def _stored(tx: ReadTransaction, repository: str) -> PathRulesRow | None:
    found = tx.reports.path_rules(Page(limit=2, after=(repository, "")))
    return next(
        (
            row
            for row in found
            if row.repository.casefold() == repository.casefold() and row.origin == Origin.STORED
        ),
        None,
    )


async def change(visit: Visit) -> Response:
    """Tell which pull requests would get other services, or save the rules."""
    sent, works = visit.form.sent, visit.site.calls.works
    repository = visit.query.text("repository") or sent.get("repository", "").strip()
    text = sent.get("file", "").replace("\r\n", "\n")
    draft = FileDraft(
        repository=repository,
        body=text.encode(errors="replace"),
        origin=Origin.STORED,
        seen=visit.form.instant("seen"),
    )
    tries, seen = visit.form.is_preview(), sent.get("seen", "")
    try:
        if not repository:
            raise RequiredParamsMissing("Say whose rules they are.", argument="repository")
        if visit.query.text("repository") is None:
            await visit.read(partial(_refuse_second, repository=repository))
        done = await visit.write(works.try_rules_file if tries else works.save_rules_file, draft)
    except Unavailable:
        raise
    except ChangedMeanwhile as error:
        return await _changed_meanwhile(visit, repository, text, error)
    except ShipmarkError as error:
        visit.form.problems[error.argument or "file"] = error.message
        return _form(visit, repository, text, seen=seen, status=visit.site.status_of(error))
    if tries:
        return _form(visit, repository, text, done, seen=seen)
    return visit.go_to(PATH, done="path-rules-saved")


def _refuse_second(tx: ReadTransaction, repository: str) -> None:
    if _stored(tx, repository) is not None:
        raise InvalidArgument(
            f"There are rules of '{repository}' already; edit those.", argument="repository"
        )


async def _changed_meanwhile(
    visit: Visit, repository: str, text: str, error: ChangedMeanwhile
) -> Response:
    """The form again, with what was typed and what is stored now."""
    row = await visit.read(partial(_stored, repository=repository))
    visit.form.problems["file"] = (
        f"Someone {'changed' if row else 'deleted'} these rules after you opened this form. "
        "Nothing of yours is saved. Compare it with what is stored now, then save again."
    )
    return _form(
        visit,
        repository,
        text,
        seen=iso(row.updated_at) if row else "",
        now_stored=written(row.rules) if row else None,
        status=visit.site.status_of(error),
    )


def _form(
    visit: Visit,
    repository: str | None,
    text: str,
    recomputed: Recomputed | None = None,
    *,
    seen: str,
    now_stored: str | None = None,
    status: int = 200,
) -> Response:
    return visit.render(
        "path_rules_edit.html",
        status=status,
        repository=repository,
        is_new=visit.query.text("repository") is None,
        seen=seen,
        now_stored=now_stored,
        text=text,
        recomputed=recomputed,
    )


async def delete(visit: Visit) -> Response:
    """Take away the rules of a repository, and the services that they derived."""
    draft = PathRulesDraft(
        repository=visit.form.sent.get("repository", ""),
        rules=None,
        origin=visit.form.choice("origin", Origin) or Origin.STORED,
    )
    if not draft.repository:
        raise RepositoryNotFound("No repository was named.")
    await visit.write(visit.site.calls.works.save_path_rules, draft)
    return visit.go_to(PATH, done="path-rules-deleted")


def written(rules: PathRules) -> str:
    """Rules as a file `.shipmark.yml` says them."""
    lines = ["version: 1", "services:" if rules.services else "services: {}"]
    for one in rules.services:
        lines.append(f"  {_scalar(one.service)}:")
        lines += _items(one.patterns, "    ")
    for name, texts in (("ignore", rules.ignore), ("otherwise", rules.otherwise)):
        if texts:
            lines += [f"{name}:", *_items(texts, "  ")]
    return "\n".join(lines) + "\n"


def _items(texts: Iterable[str], indent: str) -> list[str]:
    return [f"{indent}- {_scalar(text)}" for text in texts]


def _scalar(text: str) -> str:
    """A text as YAML: plain where it cannot mean anything else, or else quoted as in JSON."""
    if PLAIN.fullmatch(text) and text.lower() != "null":
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in quoted)
