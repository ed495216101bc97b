"""A repository's own path rules, from the file `.shipmark.yml` at its root.

The file is anybody's who can push: it is read node by node, nothing is constructed from it, and
what is too large, too deep or refers to itself is refused.
"""

from collections.abc import Iterator

import yaml

from shipmark.domain.errors import InvalidArgument
from shipmark.domain.path_rules import PathRules, PathRulesInvalid, ServicePaths

FILE_NAME = ".shipmark.yml"
LARGEST_FILE = 64 * 1024
"""Bytes."""

DEEPEST = 6
"""Levels of nesting. The format itself has three."""

VERSION = "1"
_KEYS = ("version", "services", "ignore", "otherwise")


class RulesFileInvalid(InvalidArgument):
    """The file .shipmark.yml cannot be read."""


class RulesFile:
    """A file that was read: its rules, and where in it each of them stands."""

    def __init__(self, body: bytes) -> None:
        """Raises RulesFileInvalid, which names the line."""
        self._lines: dict[tuple[str | int, ...], int] = {}
        self.rules = self._read(_compose(body))

    def refusal(self, error: PathRulesInvalid) -> RulesFileInvalid:
        """The same refusal, with the line of the file that it is about."""
        path = error.path
        while path not in self._lines and path:
            path = path[:-1]
        return _invalid(self._lines.get(path, 1), error.message)

    def _read(self, root: yaml.Node) -> PathRules:
        top = dict(self._mapping(root, ()))
        for key, value in top.items():
            if key not in _KEYS:
                known = ", ".join(_KEYS)
                raise _invalid(_line(value), f"'{key}' is not known here; known are {known}.")
        version = self._text(top["version"], ("version",)) if "version" in top else None
        if version != VERSION:
            raise _invalid(self._lines.get(("version",), 1), f"it must say 'version: {VERSION}'.")
        if "services" not in top:
            raise _invalid(1, "it must have 'services', a mapping from services to patterns.")
        return PathRules(
            services=tuple(
                ServicePaths(service=name, patterns=self._list(node, ("services", name)))
                for name, node in self._mapping(top["services"], ("services",))
            ),
            ignore=self._list(top["ignore"], ("ignore",)) if "ignore" in top else (),
            otherwise=self._list(top["otherwise"], ("otherwise",)) if "otherwise" in top else (),
        )

    def _mapping(
        self, node: yaml.Node, path: tuple[str | int, ...]
    ) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise _invalid(_line(node), f"{_name(path)} must be a mapping ('key: value').")
        seen: set[str] = set()
        for key_node, value in node.value:
            key = _text(key_node, path)
            if key in seen:
                raise _invalid(_line(key_node), f"{_name((*path, key))} stands here twice.")
            seen.add(key)
            self._lines[*path, key] = _line(key_node)
            yield key, value

    def _list(self, node: yaml.Node, path: tuple[str | int, ...]) -> tuple[str, ...]:
        """A list of texts, or one text alone."""
        if not isinstance(node, yaml.SequenceNode):
            return (self._text(node, (*path, 0)),)
        return tuple(self._text(item, (*path, index)) for index, item in enumerate(node.value))

    def _text(self, node: yaml.Node, path: tuple[str | int, ...]) -> str:
        self._lines[path] = _line(node)
        return _text(node, path)


def read_rules_file(body: bytes) -> RulesFile:
    """Read the file. Raises RulesFileInvalid, which names the line."""
    return RulesFile(body)


def _compose(body: bytes) -> yaml.Node:
    if len(body) > LARGEST_FILE:
        raise _invalid(1, f"it is larger than {LARGEST_FILE} bytes.")
    try:
        _check_events(body)
        root = yaml.compose(body, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _invalid(mark.line + 1 if mark else 1, f"{error.problem or error.context}.") from None
    except (yaml.YAMLError, UnicodeError, ValueError) as error:
        raise _invalid(1, f"it is no YAML: {' '.join(str(error).split())}.") from None
    if root is None:
        raise _invalid(1, "it is empty.")
    return root


def _check_events(body: bytes) -> None:
    """Refuse what could grow when it is composed."""
    depth = 0
    for event in yaml.parse(body, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise _invalid(_line(event), "aliases ('*name') are not supported.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise _invalid(_line(event), "it is nested too deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _text(node: yaml.Node, path: tuple[str | int, ...]) -> str:
    """A text as it is written: nobody who names a service `on` means a truth value."""
    if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
        raise _invalid(_line(node), f"{_name(path)} must be text.")
    return str(node.value)


def _line(at: yaml.Node | yaml.Event) -> int:
    return at.start_mark.line + 1 if at.start_mark else 1


def _name(path: tuple[str | int, ...]) -> str:
    named = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return f"'{named[1:]}'" if named else "the file"


def _invalid(line: int, reason: str) -> RulesFileInvalid:
    return RulesFileInvalid(f"{FILE_NAME}, line {line}: {reason}", argument="file")
