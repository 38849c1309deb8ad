"""Reference pages made from the code when the site is built, so that they cannot go stale.

    :::{cobot-hooks} channel          the hooks of a kind, `channel` or `observer`, with docstrings
    :::{cobot-verbs}                  every public verb of a session, with its docstring
    :::{cobot-data} MODULE:CLASS      a dataclass: its fields, with type, default and meaning
    :::{cobot-settings} MODULE:CLASS  a settings model: key, type, unit, default, meaning
    :::{cobot-commands}               every command of the command line, as its `--help` shows it
    :::{cobot-errors}                 the errors a caller or a channel meets

A setting without a description, and a number whose description names no unit, are warnings, which
fail the build.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import re
import textwrap
import types
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from cobot_session import AsyncSession, Session, errors, hookspecs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docutils import nodes
    from pydantic.fields import FieldInfo
    from sphinx.application import Sphinx

log = logging.getLogger(__name__)

UNITS = {
    r"messages a minute": "messages a minute",
    r"\bseconds?\b|_seconds\b|least time": "seconds",
    r"\bdays?\b": "days",
    r"\bhours?\b|_hours\b": "hours",
    r"\bbytes?\b": "bytes",
    r"\bbits\b": "bits",
    r"\bmessages\b": "messages",
    r"\brelays\b": "relays",
    r"\bdeliveries\b": "deliveries",
    r"\bhow often\b": "times",
    r"\bport\b": "port number",
}
"""What tells a number's unit in its key or description; the first that is found counts."""

SECTION = re.compile(r"^(Args|Returns|Raises|Attributes):$", re.MULTILINE)
ITEM = re.compile(r"^(?P<names>[\w, .`]+?):\s+(?P<text>.*)$", re.DOTALL)
TITLES = {"Args": "Arguments", "Returns": "Returns", "Raises": "Raises", "Attributes": "Fields"}


class Reference(SphinxDirective):
    """A directive that stands for Markdown which a function makes of its arguments.

    Its own content is for who reads the page where no site has been built: what would be here, and
    from where.
    """

    has_content = True
    optional_arguments = 1
    make: Callable[..., Iterator[str]]

    def run(self) -> list[nodes.Node]:
        """Return what the Markdown says."""
        made = type(self).make(*self.arguments)
        return self.parse_text_to_nodes("\n".join(made), allow_section_headings=True)


def hooks(kind: str) -> Iterator[str]:
    """Yield the hooks of a kind, in the order in which the contract has them."""
    wanted = hookspecs.OBSERVER_HOOKS
    if kind == "channel":
        wanted = hookspecs.HOOKS - wanted
    for name, function in vars(hookspecs).items():
        if name in wanted:
            yield from _described(name, function)


def verbs() -> Iterator[str]:
    """Yield what a session can be told, and what of it is not awaited."""
    yield from ("## `Session`", "", *_text(Session))
    for name, function in inspect.getmembers_static(Session):
        if name.startswith("_") or not inspect.isfunction(function):
            continue
        twin = inspect.getattr_static(AsyncSession, name)
        plain = "" if inspect.iscoroutinefunction(twin) else _plainly(name, twin)
        yield from _described(name, function, plain)


def _plainly(name: str, twin: object) -> str:
    if inspect.isasyncgenfunction(twin):
        return f"On `AsyncSession`: `async for … in session.{name}()`."
    return f"On `AsyncSession`, `{name}` is not awaited."


def data(path: str) -> Iterator[str]:
    """Yield a dataclass: what it is, and a table of its fields."""
    class_ = _found(path)
    summary, sections = _sections(class_)
    yield from (f"(`{class_.__module__}`)", "", summary, "")
    told = _items(sections.get("Attributes", ""))
    yield from ("| field | type | default | meaning |", "| --- | --- | --- | --- |")
    for field in dataclasses.fields(class_):
        if field.name not in told:
            log.warning("%s.%s is not described", path, field.name, type="cobot")
        cells = (f"`{field.name}`", f"`{field.type}`", _default(field), told.get(field.name, ""))
        yield _row(*cells)


def settings(path: str) -> Iterator[str]:
    """Yield the keys of a block of `cobot.yml`, those of nested blocks below their own names."""
    yield from ("| key | type | unit | default | meaning |", "| --- | --- | --- | --- | --- |")
    yield from _keys(_found(path), "")


def commands() -> Iterator[str]:
    """Yield each command's help, as a terminal of 80 columns shows it."""
    import typer

    from cobot_session.cli.app import app

    def walk(command: Any, path: str) -> Iterator[str]:
        sizes = {"max_content_width": 80, "terminal_width": 80}
        context = command.context_class(command, info_name=path, **sizes)
        inner = getattr(command, "commands", {})
        if path != "cobot-session":
            yield from (f"## `{path.removeprefix('cobot-session ')}`", "")
        yield from ("```text", command.get_help(context).strip(), "```", "")
        for name in inner:
            yield from walk(inner[name], f"{path} {name}")

    yield from walk(typer.main.get_command(app), "cobot-session")


def told_errors() -> Iterator[str]:
    """Yield the errors, in the order of their tree."""
    yield from ("| error | is a | when |", "| --- | --- | --- |")
    for name, class_ in vars(errors).items():
        if isinstance(class_, type) and issubclass(class_, errors.CobotError):
            summary, _ = _sections(class_)
            yield _row(f"`{name}`", f"`{class_.__bases__[0].__name__}`", summary)


# -- the parts of a page


def _described(name: str, function: Any, remark: str = "") -> Iterator[str]:
    signature = re.sub(r"\bself, |\bself\b", "", str(inspect.signature(function)))
    signature = signature.replace("'", "")
    yield from (f"## `{name}`", "", "```text", f"{name}{signature}", "```", "")
    yield from _text(function)
    if remark:
        yield from (remark, "")


def _text(thing: Any) -> Iterator[str]:
    summary, sections = _sections(thing)
    yield from (summary, "")
    for title, text in sections.items():
        yield from (f"**{TITLES[title]}**", "")
        items = _items(text)
        if items:
            yield from (f"- `{names}`: {said}" for names, said in items.items())
        else:
            yield _flat(text)
        yield ""


def _sections(thing: Any) -> tuple[str, dict[str, str]]:
    """Return what a docstring says first, and its sections."""
    parts = SECTION.split(inspect.getdoc(thing) or "")
    if not parts[0].strip():
        log.warning("%r has no docstring", thing, type="cobot")
    return parts[0].strip(), dict(zip(parts[1::2], parts[2::2], strict=True))


def _items(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", textwrap.dedent(text).strip()):
        match = ITEM.match(entry)
        if match:
            found[match["names"]] = _flat(match["text"])
    return found


def _keys(model: type[BaseModel], before: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{before}{name}"
        if not field.description:
            log.warning("the setting `%s` of %s is not described", key, model, type="cobot")
        words = (
            _type(field.annotation),
            _unit(key, field),
            _preset(field),
            field.description or "",
        )
        yield _row(f"`{key}`", *words)
        for inner, mark in _models(field.annotation):
            yield from _keys(inner, f"{key}{mark}.")


def _models(annotation: Any, mark: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """Yield the settings models in a type, with `[]` for each list they stand in."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, mark
    deeper = f"{mark}[]" if get_origin(annotation) is list else mark
    for part in get_args(annotation):
        yield from _models(part, deeper)


def _type(annotation: Any) -> str:
    """Return a type in the words of who writes YAML."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return " or ".join(f"`{part}`" for part in parts) if len(parts) <= 5 else "names"
    if origin in {Union, types.UnionType}:
        kinds = [_type(part) for part in parts if part is not type(None)]
        return " or ".join(dict.fromkeys(kinds))
    if origin is list:
        return f"list of {_type(parts[0])}"
    return _named(annotation)


def _named(annotation: Any) -> str:
    names = {
        bool: "`true` or `false`",
        int: "whole number",
        float: "number",
        str: "text",
        SecretStr: "secret text",
    }
    if annotation in names:
        return names[annotation]
    is_block = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return "block" if is_block else str(getattr(annotation, "__name__", annotation)).lower()


def _unit(key: str, field: FieldInfo) -> str:
    if not {"number", "whole number"} & {_type(field.annotation)}:
        return ""
    told = f"{key} {field.description}".lower()
    for pattern, unit in UNITS.items():
        if re.search(pattern, told):
            return unit
    log.warning("the number `%s` says no unit: %s", key, field.description, type="cobot")
    return ""


def _preset(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or isinstance(value, BaseModel):
        return ""
    return f"`{_as_yaml(value)}`"


def _as_yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return f"[{', '.join(map(_as_yaml, value))}]"
    return str(value)


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
        return f"`{value.value if isinstance(value, enum.Enum) else value!r}`"
    if field.default_factory is not dataclasses.MISSING:
        made = field.default_factory()
        return f"`{made!r}`"
    return "required"


def _found(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _row(*cells: str) -> str:
    return f"| {' | '.join(_flat(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directives."""
    made: dict[str, Callable[..., Iterator[str]]] = {
        "cobot-hooks": hooks,
        "cobot-verbs": verbs,
        "cobot-data": data,
        "cobot-settings": settings,
        "cobot-commands": commands,
        "cobot-errors": told_errors,
    }
    for name, function in made.items():
        directive = type(name, (Reference,), {"make": staticmethod(function)})
        app.add_directive(name, directive)
    return {"parallel_read_safe": True}
