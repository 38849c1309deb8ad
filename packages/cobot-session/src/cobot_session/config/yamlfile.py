"""YAML text to plain values, each with its place in the file.

The scalars follow YAML 1.1 as far as nobody is surprised: `0123`, `1_000`, `12:34:56` and dates
are not the numbers and moments that YAML 1.1 makes of them, because they may be somebody's id.
Keys are always strings, as written.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from cobot_session.config.places import Places, Spot, Steps, shown_key
from cobot_session.config.secretfile import read_secret
from cobot_session.config.variables import InterpolationError, expand
from cobot_session.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

MAX_VALUES = 20_000
"""Values that one file may expand to; aliases can multiply a short text beyond all memory."""

_TAG = "tag:yaml.org,2002:"
_TRUE = {"true", "yes", "on"}
_SCALARS = [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"(?i:true|false|yes|no|on|off)", list("tTfFyYnNoO")),
    ("int", r"[-+]?[0-9]{1,99}|0x[0-9a-fA-F]{1,64}|0o[0-7]{1,64}", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf)|\.nan",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
]


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with our own idea of what an unquoted scalar is."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML copies it on write


for _name, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


class Reader:
    """Reads one file. After `read`, `problems` has every mistake with the way to it."""

    def __init__(self, file: Path, env: Mapping[str, str]) -> None:
        self.problems: list[tuple[Steps, Problem]] = []
        self._spots: dict[Steps, Spot] = {}
        self.places = Places(str(file), self._spots)
        self._folder = file.parent
        self._env = env
        self._open: set[int] = set()
        self._values = 0

    def read(self, text: str) -> Any:
        """Return the file's value.

        Raises:
            ConfigError: it is no YAML, or expands without bound.
        """
        try:
            root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
            return None if root is None else self._value(root, (), root)
        except yaml.YAMLError as error:
            raise ConfigError([_syntax_problem(error, self.places.file, text)]) from None
        except RecursionError:
            raise self._too_much((), "is nested too deeply") from None

    def _value(self, node: yaml.Node, steps: Steps, key: yaml.Node) -> Any:
        source = node.value if isinstance(node, yaml.ScalarNode) else None
        line, column = _position(node)
        self._spots[steps] = Spot(line, column, _position(key), source)
        self._count(steps)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, steps)
        with self._inside(node, steps):
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, steps)
            return self._sequence(node, steps)

    def _count(self, steps: Steps) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._too_much(steps[:1], f"has more than {MAX_VALUES} values")

    @contextmanager
    def _inside(self, node: yaml.Node, steps: Steps) -> Iterator[None]:
        """Refuse an alias within what it stands for."""
        if id(node) in self._open:
            raise self._too_much(steps, "contains itself")
        self._open.add(id(node))
        try:
            yield
        finally:
            self._open.remove(id(node))

    def _mapping(self, node: yaml.MappingNode, steps: Steps) -> dict[str, Any]:
        if node.tag != f"{_TAG}map":
            self._report(steps, "has a tag that is not known", "Take the tag out.")
        return {
            name: self._value(value, (*steps, name), key)
            for name, (key, value) in self._pairs(node, steps).items()
        }

    def _sequence(self, node: yaml.Node, steps: Steps) -> list[Any]:
        if node.tag != f"{_TAG}seq":
            self._report(steps, "has a tag that is not known", "Take the tag out.")
        return [self._value(item, (*steps, at), item) for at, item in enumerate(node.value)]

    def _pairs(
        self, node: yaml.MappingNode, steps: Steps
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return the keys of a mapping; what `<<` brings in comes first and is overridden."""
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            if key.tag == f"{_TAG}merge":
                merged = self._merged(value, steps) | merged
            elif not isinstance(key, yaml.ScalarNode):
                self._report_at(key, steps, "a key is not a word", "Write `key: value`.")
            elif key.value in own:
                self._report_twice(own[key.value][0], key, (*steps, key.value))
            else:
                own[key.value] = (key, value)
        return merged | own

    def _merged(self, node: yaml.Node, steps: Steps) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for part in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(part, yaml.MappingNode):
                self._report_at(part, steps, "`<<` stands before no mapping", "Name an alias.")
                continue
            self._count(steps)
            with self._inside(part, steps):
                pairs |= self._pairs(part, steps)
        return pairs

    def _scalar(self, node: yaml.ScalarNode, steps: Steps) -> Any:
        kind = node.tag.removeprefix(_TAG)
        text: str = node.value
        if kind in {"str", "!"}:
            return self._expanded(text, steps)
        if kind == "!file":
            return self._secret(text, steps)
        try:
            return _number_or_word(kind, text)
        except (ValueError, KeyError):
            self._report(
                steps,
                "has a tag that is not known, or that does not fit",
                "Quote a value that begins with `!`; `!file path` reads a secret from a file.",
            )
            return None

    def _expanded(self, text: str, steps: Steps) -> str:
        try:
            return expand(text, self._env)
        except InterpolationError as error:
            self._report(steps, error.rule, error.fix)
            return ""

    def _secret(self, text: str, steps: Steps) -> str:
        try:
            return read_secret(expand(text, self._env), self._folder)
        except InterpolationError as error:
            self._report(steps, error.rule, error.fix)
            return ""

    def _report(self, steps: Steps, rule: str, fix: str) -> None:
        self.problems.append((steps, self.places.problem(steps, rule, fix)))

    def _report_at(self, node: yaml.Node, steps: Steps, rule: str, fix: str) -> None:
        where = self.places.problem(steps, rule, fix)
        line, column = _position(node)
        problem = Problem(where.field, rule, fix, self.places.file, line, column)
        self.problems.append((steps, problem))

    def _report_twice(self, first: yaml.Node, second: yaml.Node, steps: Steps) -> None:
        line, _ = _position(first)
        fix = f"Keep one of the two; the other stands in line {line}."
        rule = f"`{shown_key(str(steps[-1]))}` is written twice"
        self._report_at(second, steps, rule, fix)

    def _too_much(self, steps: Steps, rule: str) -> ConfigError:
        return ConfigError([self.places.problem(steps, rule, "Write it without aliases (`*`).")])


def _number_or_word(kind: str, text: str) -> Any:
    """Return the value of an unquoted scalar that is not a string.

    Raises:
        ValueError: an explicit tag does not fit the text.
        KeyError: the tag is not one of YAML's plain ones.
    """
    folded = text.lower().replace(".inf", "inf").replace(".nan", "nan")
    base = {"0x": 16, "0o": 8}.get(folded[:2], 10)
    makers: dict[str, Callable[[], Any]] = {
        "null": lambda: None,
        "bool": lambda: folded in _TRUE,
        "int": lambda: int(folded, base),
        "float": lambda: float(folded),
        "merge": lambda: text,
    }
    return makers[kind]()


def _position(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _syntax_problem(error: yaml.YAMLError, file: str, text: str) -> Problem:
    """Return the problem without the words of the file: they could be a secret."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        rule = re.sub(r"'([^']*)'", _without_words, error.problem or "cannot be read")
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    else:
        at = getattr(error, "position", 0)
        rule = "has a character that YAML does not allow"
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    return Problem("YAML", rule, _syntax_fix(rule), file, line, column)


def _without_words(quoted: re.Match[str]) -> str:
    """Keep what PyYAML quotes of its own grammar: a character, `<stream end>`, an escape."""
    own = len(quoted[1]) < 2 or quoted[1].startswith(("<", "\\"))
    return quoted[0] if own else "…"


def _syntax_fix(rule: str) -> str:
    hints = {
        "'\\t'": "Indent with spaces, not with tabs.",
        "mapping values are not allowed": "Quote a value that contains `: `, and check the indent.",
        "undefined alias": "Quote a value that begins with `*`.",
        "another document": "Keep one document: take the second `---` out.",
        "cannot start any token": "Quote a value that begins with this character.",
        "unexpected end of stream": "Close the quote or the bracket.",
    }
    found = (fix for sign, fix in hints.items() if sign in rule)
    return next(found, "Check the indent, the quotes and the brackets here and in the line above.")
