"""Tell from a commit's message which pull request it merged, if any.

Each forge has its own default wording for merge commits and for squash commits; people may edit
it, so what cannot be recognised for certain is no pull request. Messages are anybody's text:
lines that are longer than a forge would write are not looked at, and no expression here takes
more than a moment on the ones that are.
"""

import re
from dataclasses import dataclass

LONGEST_SUBJECT = 2000
"""Characters. The longest title any of the forges allows is a fifth of this."""

_NUMBER = r"(?P<number>[1-9][0-9]{0,9})"
_HEAD = r"(?P<head>\S+)"
_AND_MORE = r"(?: .*)?"

_TITLED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"Merged? PR {_NUMBER}: *(?P<title>.*)",  # Azure DevOps, merge and squash
        rf"Pull request #{_NUMBER}: *(?P<title>.*)",  # Bitbucket Data Center, merge and squash
        rf"Merge pull request '(?P<title>.*)' \([#!]{_NUMBER}\) from {_HEAD} into \S+",  # Gitea
    )
)
"""Subjects that hold the title of the pull request."""

_UNTITLED = tuple(
    re.compile(pattern + _AND_MORE)
    for pattern in (
        rf"Merge pull request #{_NUMBER} in \S+ from {_HEAD} to \S+",  # Bitbucket Data Center
        rf"Merge pull request #{_NUMBER} from (?:[^/\s]+/)?{_HEAD}",  # GitHub: owner/branch
        rf"Merge pull request {_NUMBER} from {_HEAD} into \S+",  # Azure DevOps, formerly
        rf"Merged in {_HEAD} \(pull request #{_NUMBER}\)",  # Bitbucket Cloud, merge and squash
    )
)
"""Subjects that leave the title to the first line of the body."""

_NUMBERED = re.compile(rf"(?P<title>.*\S) \([#!]{_NUMBER}\)")
"""A title with its number at the very end: squash commits, and merge commits if so configured."""

_SEE = re.compile(rf"See merge request (?:\S*!|https?://\S+/merge_requests/){_NUMBER}")
"""GitLab's last line: the reference (`group/project!12`, or only `!12`) or the address."""

_GITLAB_BRANCH = re.compile(rf"Merge branch '{_HEAD}'{_AND_MORE}")
_DATA_CENTER_BRANCH = re.compile(rf"Merge in \S+ from {_HEAD} to \S+")
_TRAILER = re.compile(r"[A-Z][A-Za-z-]{0,50}: ")
_NO_TITLE = re.compile(
    r"See merge request |Closes |Merge in |Merged in |\* |[A-Z][a-z]+(?:-[a-z]+)?-by: "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeMessage:
    """What a message says of the pull request it merged; ``head_ref`` is a bare branch name."""

    number: int
    title: str | None = None
    head_ref: str | None = None


def read_merge_message(message: str) -> MergeMessage | None:
    """The pull request a commit with this message merged, or None.

    Wordings with the number in a fixed place come first. A number in brackets at the end of the
    subject comes last: on GitLab it is an issue's, which the line "See merge request" outdoes;
    and in "Merge pull request #12 from fork/main (#34)" it says that 34 was squashed.
    """
    subject, body = _parts(message)
    if len(subject) > LONGEST_SUBJECT:
        return None
    return (
        _titled(subject, body)
        or _untitled(subject, body)
        or _gitlab(subject, body)
        or _numbered(subject)
    )


def _parts(message: str) -> tuple[str, list[str]]:
    """The first line with anything on it, and those after it; without white space at the ends."""
    first, *rest = message.strip().split("\n")
    return first.strip(), [line.strip() for line in rest if line.strip()]


def _titled(subject: str, body: list[str]) -> MergeMessage | None:
    for pattern in _TITLED:
        if found := pattern.fullmatch(subject):
            named = found if "head" in found.re.groupindex else None
            if named is None and body:
                named = _DATA_CENTER_BRANCH.fullmatch(body[0])
            return _message(found, title=found["title"], head=named)
    return None


def _untitled(subject: str, body: list[str]) -> MergeMessage | None:
    if _NUMBERED.fullmatch(subject):
        return None
    for pattern in _UNTITLED:
        if found := pattern.fullmatch(subject):
            return _message(found, title=_body_title(body), head=found)
    return None


def _gitlab(subject: str, body: list[str]) -> MergeMessage | None:
    """GitLab's merge commits, and its squash commits whose template names the merge request.

    Only trailers may follow the line: a squash commit that quotes the messages of its commits
    may quote such a line too.
    """
    last = next((line for line in reversed(body) if not _TRAILER.match(line)), "")
    if len(last) > LONGEST_SUBJECT or not (found := _SEE.fullmatch(last)):
        return None
    if branch := _GITLAB_BRANCH.fullmatch(subject):
        return _message(found, title=_body_title(body), head=branch)
    numbered = _numbered(subject)
    own = numbered is not None and numbered.number == int(found["number"])
    return _message(found, title=numbered.title if numbered and own else subject)


def _numbered(subject: str) -> MergeMessage | None:
    found = _NUMBERED.fullmatch(subject)
    return found and _message(found, title=found["title"])


def _message(
    found: re.Match[str], *, title: str | None, head: re.Match[str] | None = None
) -> MergeMessage:
    # Forges put the fork before the branch, with a colon, which no branch name can hold.
    return MergeMessage(
        number=int(found["number"]),
        title=(title or "").strip() or None,
        head_ref=head["head"].rpartition(":")[2] or None if head else None,
    )


def _body_title(body: list[str]) -> str | None:
    """The first line of the body, unless a forge wrote it for another purpose."""
    if not body or len(body[0]) > LONGEST_SUBJECT or _NO_TITLE.match(body[0]):
        return None
    return body[0]
