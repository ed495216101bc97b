"""Which services a pull request changed, told from the files it changed.

Each service has an ordered list of path patterns, in the syntax of `.gitignore`: the last one that
matches a file decides, and one that begins with ``!`` takes the file out again. A file may belong
to several services, or to none. How patterns match is up to the `PathEngine` that is handed in.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import Final, Protocol

from shipmark.domain.errors import InvalidArgument
from shipmark.domain.patterns import LONGEST_PATTERN, PatternInvalid
from shipmark.domain.templates import Template, TemplateInvalid, read_template

MOST_PATTERNS: Final = 10_000

_PLAIN_PART: Final = re.compile(r"(?!\.\.?$)[^*?\[\\\s]+")
"""A part of a path that can only mean itself."""

_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class PathRulesInvalid(InvalidArgument):
    """A path rule that cannot be used. ``path`` leads to it: ``("services", "billing", 2)``."""

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        self.path = path
        self.reason = reason
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
        super().__init__(f"{where}: {reason}.", argument=where)


@dataclass(frozen=True, slots=True)
class Decision:
    """The place in the list of the pattern that decided, and whether it takes the file in."""

    place: int
    included: bool


class PathMatcher(Protocol):
    """An ordered list of patterns that is ready to be tried."""

    def decide(self, file: str) -> Decision | None:
        """What the last matching pattern says of a file; None where none matches."""


class PathEngine(Protocol):
    """Compiles ordered lists of patterns in the syntax of `.gitignore`."""

    def compile(self, patterns: Sequence[str]) -> PathMatcher:
        """Raises PatternInvalid, with the pattern's place in the list as its second argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePaths:
    """What belongs to a service.

    ``service`` may be a template such as ``{folder}``: then each of its patterns names a folder
    by it (``services/{folder}/``), and every such folder is a service of that name.
    """

    service: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRules:
    """The rules of one repository.

    Files that match ``ignore`` count for no service. ``otherwise`` are the services of a pull
    request none of whose files belongs to any; empty: it has none, and every service ships it.
    """

    services: tuple[ServicePaths, ...]
    ignore: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()


class RulesFile(Protocol):
    """A repository's own file that was read."""

    @property
    def rules(self) -> PathRules: ...

    def refusal(self, error: PathRulesInvalid) -> InvalidArgument:
        """The same refusal, which says where in the file it is about."""


class RulesFileReader(Protocol):
    """Reads a repository's own file."""

    def __call__(self, body: bytes) -> RulesFile:
        """Raises InvalidArgument, which says where the file is wrong."""


@dataclass(frozen=True, slots=True)
class _Service:
    template: Template
    matcher: PathMatcher
    places: tuple[Mapping[str, int], ...]
    """For each pattern, which part of a path each placeholder stands for."""
    anchors: frozenset[str]
    """What it takes in are these paths, or lies below them; blank: anything may."""

    def name_for(self, file: str) -> str | None:
        decision = self.matcher.decide(file)
        if decision is None or not decision.included:
            return None
        parts = file.split("/")
        return self.template.fill(
            {name: parts[place] for name, place in self.places[decision.place].items()}
        )


@dataclass(frozen=True, slots=True)
class CompiledPathRules:
    """Rules that were checked and are ready to be tried."""

    rules: PathRules
    services: tuple[_Service, ...]
    ignore: PathMatcher | None
    by_anchor: Mapping[str, tuple[_Service, ...]]
    """By each folder below which a service has files: with thousands of services, a file is tried
    with those alone that it can belong to."""

    def services_of_file(self, file: str) -> frozenset[str]:
        """The services that a file, by its path from the root of the repository, belongs to."""
        if self.ignore and (decision := self.ignore.decide(file)) and decision.included:
            return frozenset()
        names = (service.name_for(file) for service in self._about(file))
        return frozenset(name for name in names if name)

    def _about(self, file: str) -> Iterable[_Service]:
        if file.startswith(("/", "./")):
            # Matchers look past this, where an anchor does not.
            return self.services
        folders = accumulate(file.split("/"), "{}/{}".format)
        return (one for at in ("", *folders) for one in self.by_anchor.get(at, ()))


def compile_path_rules(rules: PathRules, engine: PathEngine) -> CompiledPathRules:
    """Check rules. Raises PathRulesInvalid."""
    number = sum(len(one.patterns) for one in rules.services) + len(rules.ignore)
    if number > MOST_PATTERNS:
        raise PathRulesInvalid(("services",), f"there are more than {MOST_PATTERNS} patterns")
    for index, name in enumerate(rules.otherwise):
        if not name.strip():
            raise PathRulesInvalid(("otherwise", index), "the name of the service is blank")
    services = tuple(_compile_service(one, engine) for one in rules.services)
    return CompiledPathRules(
        rules,
        services,
        _compile(rules.ignore, engine, ("ignore",)) if rules.ignore else None,
        _by_anchor(services),
    )


def _by_anchor(services: Iterable[_Service]) -> dict[str, tuple[_Service, ...]]:
    found: dict[str, tuple[_Service, ...]] = {}
    for service in services:
        for anchor in service.anchors:
            found[anchor] = (*found.get(anchor, ()), service)
    return found


def services_of(files: Iterable[str], rules: CompiledPathRules) -> frozenset[str]:
    """The services of a pull request that changed these files."""
    found: frozenset[str] = frozenset().union(*(rules.services_of_file(file) for file in files))
    return found or frozenset(rules.rules.otherwise)


def _compile_service(one: ServicePaths, engine: PathEngine) -> _Service:
    path = ("services", one.service)
    wanted = frozenset(_PLACEHOLDER.findall(one.service))
    try:
        template = read_template(one.service, known=wanted)
    except TemplateInvalid as error:
        raise PathRulesInvalid(path, f"the name of the service cannot be used: {error}") from None
    if not one.patterns:
        raise PathRulesInvalid(path, "it has no patterns")
    places = tuple(
        _places(pattern, wanted, (*path, index)) for index, pattern in enumerate(one.patterns)
    )
    plain = [_PLACEHOLDER.sub("*", pattern) if wanted else pattern for pattern in one.patterns]
    anchors = frozenset(_anchor(one) for one in plain if not one.startswith("!"))
    return _Service(template, _compile(plain, engine, path), places, anchors)


def _anchor(pattern: str) -> str:
    """The longest path without wildcards that what matches is, or lies below.

    A pattern without a slash before its end matches at any depth.
    """
    if "/" not in pattern[:-1]:
        return ""
    plain = takewhile(_PLAIN_PART.fullmatch, pattern.removeprefix("/").split("/"))
    return "/".join(plain)


def _compile(
    patterns: Sequence[str], engine: PathEngine, path: tuple[str | int, ...]
) -> PathMatcher:
    for index, pattern in enumerate(patterns):
        if len(pattern) > LONGEST_PATTERN:
            reason = f"it is longer than {LONGEST_PATTERN} characters"
            raise PathRulesInvalid((*path, index), reason)
    try:
        return engine.compile(patterns)
    except PatternInvalid as error:
        reason, index = error.args
        raise PathRulesInvalid(
            (*path, index), f"'{patterns[index]}' cannot be used: {reason}"
        ) from None


def _places(pattern: str, wanted: frozenset[str], path: tuple[str | int, ...]) -> Mapping[str, int]:
    """Where in a path the placeholders of a pattern stand; it must be the same in every path."""
    if not wanted or pattern.startswith("!"):
        return {}
    *folders, _ = pattern.removeprefix("/").split("/")
    places: dict[str, int] = {}
    for place, part in enumerate(folders):
        if part == "**":
            break
        if (found := _PLACEHOLDER.fullmatch(part)) and found[1] in wanted:
            places[found[1]] = place
    if missing := wanted - set(places):
        raise PathRulesInvalid(
            path,
            f"'{pattern}' must name a folder by {{{min(missing)}}}, with a slash after it and no "
            f"'**' before it, as in 'services/{{{min(missing)}}}/'",
        )
    return places
