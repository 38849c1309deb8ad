"""The configuration as plain values, from wherever it comes: a file, a mapping, or nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from cobot_session.config.places import Places, Steps
from cobot_session.config.variables import InterpolationError, expand
from cobot_session.config.yamlfile import Reader
from cobot_session.errors import ConfigError, Problem

if TYPE_CHECKING:
    import os

FILE_NAME = "cobot.yml"


@dataclass(slots=True)
class Document:
    """What was read, before anything is checked.

    Attributes:
        data: mappings, lists and scalars, with `${VAR}` replaced.
        places: where the values stand.
        file: the file, absolute; `None` for a mapping and for nothing.
        problems: the mistakes found by reading, with the way to each value concerned.
    """

    data: Any = field(repr=False)
    places: Places = field(default_factory=Places, repr=False)
    file: Path | None = None
    problems: list[tuple[Steps, Problem]] = field(default_factory=list)


def read(
    source: str | os.PathLike[str] | Mapping[str, Any] | None, env: Mapping[str, str]
) -> Document:
    """Read a file, take a mapping, or look in the usual places.

    Raises:
        ConfigError: the file is not there, cannot be read, or is no YAML.
    """
    if isinstance(source, Mapping):
        document = Document(None)
        document.data = _expanded(source, (), env, document)
        return document
    named = source or env.get("COBOT_CONFIG")
    path = _usual_place() if not named else _path(named)
    return Document({}) if path is None else _read_file(path.absolute(), env)


def _path(named: str | os.PathLike[str]) -> Path:
    try:
        return Path(named).expanduser()
    except RuntimeError:
        problem = Problem(str(named), "names a user who is not known", "Write it without `~`.")
        raise ConfigError([problem]) from None


def _usual_place() -> Path | None:
    """Return `./cobot.yml`, or the user's; `None` when there is neither."""
    folders = [Path(), platformdirs.user_config_path("cobot", appauthor=False)]
    return next((folder / FILE_NAME for folder in folders if _exists(folder / FILE_NAME)), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that is not ours to look into
        return False


def _read_file(file: Path, env: Mapping[str, str]) -> Document:
    reader = Reader(file, env)
    data = reader.read(_text(file))
    return Document(data, reader.places, file, reader.problems)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        fix = "Check the path given to --config or in COBOT_CONFIG."
        raise ConfigError([Problem(str(file), "there is no such file", fix)]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem("YAML", "is not UTF-8 text", "Save it as UTF-8.", str(file), line, 1)
        raise ConfigError([problem]) from None
    except OSError as error:
        rule = f"the file cannot be read ({error.strerror})"
        raise ConfigError([Problem(str(file), rule, "Name a readable file.")]) from None


def _expanded(value: Any, steps: Steps, env: Mapping[str, str], document: Document) -> Any:
    """Return a copy of a mapping's values, with the references in its strings replaced."""
    if isinstance(value, Mapping):
        return {
            str(key): _expanded(item, (*steps, str(key)), env, document)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_expanded(item, (*steps, at), env, document) for at, item in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return expand(value, env)
    except InterpolationError as error:
        problem = document.places.problem(steps, error.rule, error.fix)
        document.problems.append((steps, problem))
        return ""
