"""Artifacts: what deploy systems say that runs, from which a table leads to commits.

The same image is written in many ways: by its digest, by a tag, as a package URL (purl), with or
without its registry. `artifact_ids` brings all of them to the same few ids.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from shipmark.domain.errors import InvalidArgument
from shipmark.domain.events import EventSource, SourceEvent

LONGEST_ARTIFACT: Final = 1000

_DIGEST: Final = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_HOST: Final = re.compile(r"(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_PURL: Final = re.compile(
    r"pkg:/*(?P<type>[A-Za-z][A-Za-z0-9.+-]*)/(?P<path>[^@?#]+)"
    r"(?:@(?P<version>[^?#]*))?(?:\?(?P<qualifiers>[^#]*))?(?:#.*)?"
)
_REPOSITORY_PURL: Final = re.compile(
    r"pkg:(?:github|gitlab|bitbucket)/(?P<name>[^@]+)@(?P<sha>[0-9a-f]{40})"
)
_IMAGE_TYPES: Final = frozenset({"oci", "docker"})
_DEFAULT_HOST: Final = "docker.io"
_MOVING_TAG: Final = "latest"


class ArtifactInvalid(InvalidArgument):
    """An artifact must be an image by its tag or digest, a digest, or a purl with a version."""


class Commit(NamedTuple):
    """What an artifact was built from."""

    repository: str
    sha: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDeployed:
    """A deploy system put something into an environment, named by what runs, not by a commit.

    ``key`` is the same whenever the same event is told. ``artifacts`` are as told; `artifact_ids`
    reads each. ``application`` is what the deploy system calls it; ``service`` and ``environment``
    are as the event names them, if it does. ``manifest_repository`` and ``manifest_revision`` are
    the configuration that was applied, not the application. ``subject`` is what was reconciled, of
    a system that tells of it again and again, whether or not anything else runs; see `unmade`.
    """

    key: str
    source: str
    at: datetime
    success: bool
    artifacts: tuple[str, ...]
    service: str | None = None
    environment: str | None = None
    application: str | None = None
    manifest_repository: str | None = None
    manifest_revision: str | None = None
    url: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was told, as stored. ``repeats``: no deployment is made of it."""

    id: int
    told: ServiceDeployed
    repeats: bool


def unmade(reports: Iterable[Report]) -> list[Report]:
    """Of reports on one subject, in the order of their time, those to make deployments of by now.

    Reports that follow one another and say the same are one deployment, of whichever was told
    first. Where another comes in between, later or late, what was one is two: then it is made of
    the first of those that have none. So the order in which they are told does not show.
    """
    found = []
    for _, stretch in groupby(reports, key=lambda one: _said(one.told)):
        alike = list(stretch)
        if all(one.repeats for one in alike):
            found.append(alike[0])
    return found


def artifact_ids(text: str) -> tuple[str, ...]:
    """The ids by which an artifact is known, the surest first. Raises ArtifactInvalid.

    An image has its digest, whatever registry it came from, then its name with its tag. A tag that
    moves by its nature (latest, or none) is no id. Other packages have their purl, without
    qualifiers.
    """
    written = text.strip()
    if not written or len(written) > LONGEST_ARTIFACT:
        raise ArtifactInvalid
    if written.startswith("pkg:"):
        return _of_purl(written)
    if _DIGEST.fullmatch(written.lower()):
        return (written.lower(),)
    return _of_image(written)


def known_commits(deployed: ServiceDeployed, commits: Mapping[str, Commit]) -> tuple[Commit, ...]:
    """The commits that what runs was built from, each once; ``commits`` are by artifact id.

    What runs may be several images, of which some, such as sidecars, are nobody's here.
    """
    found: dict[Commit, None] = {}
    for artifact in deployed.artifacts:
        ids = readable_ids([artifact])
        commit = next((commits[one] for one in ids if one in commits), None)
        if commit := commit or _commit_in(ids):
            found[commit] = None
    return tuple(found)


def readable_ids(artifacts: Iterable[str]) -> tuple[str, ...]:
    """The ids of artifacts, of those that can be read."""
    ids: list[str] = []
    for artifact in artifacts:
        try:
            ids += artifact_ids(artifact)
        except ArtifactInvalid:
            continue
    return tuple(ids)


def without_version(artifact: str) -> str:
    """What an artifact is called, whichever build of it; empty: it is named by a digest alone."""
    written = artifact.strip()
    if _DIGEST.fullmatch(written.lower()):
        return ""
    if found := _PURL.fullmatch(written):
        return f"pkg:{found['type']}/{found['path']}"
    name = written.partition("@")[0]
    path, colon, tag = name.rpartition(":")
    return path if colon and "/" not in tag else name


def as_events(deployed: ServiceDeployed, commits: Iterable[Commit]) -> tuple[SourceEvent, ...]:
    """The deployment as events that deploy rules match: one for each commit that it led to."""
    event = SourceEvent(
        source=EventSource.ARGO_CD,
        key=deployed.key,
        repository="",
        at=deployed.at,
        success=deployed.success,
        environment=deployed.environment,
        workflow=deployed.application,
        url=deployed.url,
    )
    return tuple(
        replace(
            event,
            key=f"{deployed.key}:{commit.repository}:{commit.sha}",
            repository=commit.repository,
            commit_sha=commit.sha,
        )
        for commit in commits
    )


def _said(told: ServiceDeployed) -> ServiceDeployed:
    """What a report says, without when and where it said so."""
    artifacts = tuple(sorted(set(told.artifacts)))
    return replace(told, key="", at=datetime.min, artifacts=artifacts, url=None)  # noqa: DTZ901


def _commit_in(ids: Iterable[str]) -> Commit | None:
    """The commit that a purl names by itself, as ``pkg:github/acme/shop@<sha>`` does."""
    found = (_REPOSITORY_PURL.fullmatch(one) for one in ids)
    return next((Commit(unquote(one["name"]), one["sha"]) for one in found if one), None)


def _of_image(written: str) -> tuple[str, ...]:
    name, at, digest = written.partition("@")
    digest = digest.lower()
    if at and not _DIGEST.fullmatch(digest):
        raise ArtifactInvalid(f"'{written}' does not name an image: its digest is none.")
    path, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        path, tag = name, ""
    return _image_ids(written, path, tag, digest)


def _image_ids(written: str, path: str, tag: str, digest: str) -> tuple[str, ...]:
    full = _full_name(path)
    if full is None or (tag and not _TAG.fullmatch(tag)):
        raise ArtifactInvalid(f"'{written}' does not name an image.")
    ids = [digest] if digest else []
    if tag and tag != _MOVING_TAG:
        ids.append(f"{full}:{tag}")
    if not ids:
        raise ArtifactInvalid(
            f"'{written}' names no one build of an image: give a digest, or a tag but latest."
        )
    return tuple(ids)


def _full_name(path: str) -> str | None:
    """An image's name with its registry, as Docker completes it; None: it is none."""
    host, slash, name = path.lower().partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, name = _DEFAULT_HOST, path.lower()
    if host in ("index.docker.io", "registry-1.docker.io"):
        host = _DEFAULT_HOST
    if host == _DEFAULT_HOST and "/" not in name:
        name = f"library/{name}"
    return f"{host}/{name}" if _HOST.fullmatch(host) and _NAME.fullmatch(name) else None


def _of_purl(written: str) -> tuple[str, ...]:
    found = _PURL.fullmatch(written)
    version = unquote((found and found["version"]) or "")
    if found is None or not version:
        raise ArtifactInvalid(f"'{written}' is no package URL with a version.")
    kind = found["type"].lower()
    path = "/".join(unquote(part) for part in found["path"].strip("/").split("/"))
    if kind in _IMAGE_TYPES:
        qualifiers = _qualifiers(found["qualifiers"] or "")
        where = qualifiers.get("repository_url", "").removeprefix("https://").strip("/")
        # In an oci purl the URL ends with the name; in a docker one it is only the registry.
        named = where.rpartition("/")[2] == path
        full = where if named else "/".join(part for part in (where, path) if part)
        if _DIGEST.fullmatch(version.lower()):
            return _image_ids(written, full, qualifiers.get("tag", ""), version.lower())
        return _image_ids(written, full, version, "")
    return (f"pkg:{kind}/{quote(path, safe='/')}@{quote(version, safe='')}",)


def _qualifiers(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split("&") if "=" in pair)
    return {key.lower(): unquote(value) for key, _, value in pairs}
