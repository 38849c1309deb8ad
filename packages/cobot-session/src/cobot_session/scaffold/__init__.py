"""A complete distribution for a new channel: made from templates, its tests pass at once."""

from __future__ import annotations

import keyword
import re
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

import importlib_metadata

from cobot_session.config import BUILT_IN
from cobot_session.errors import CobotError
from cobot_session.registry import installed

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_PREFIX = re.compile(r"^(cobot[-_])+")
"""Begins the distribution's name, and the package's: the channel is called without it."""
_PUBLISHED = {"discord", "nostr", "telegram"}
"""Channels whose distributions the package index has, be they installed or not."""
_SUFFIX = ".tmpl"
"""Ends every template's name, so that no tool takes one for what it will become."""


class ScaffoldError(CobotError):
    """A channel cannot be made there, or not by that name."""


def scaffold(name: str, parent: Path) -> Path:
    """Write a distribution for the channel `name` below `parent` and return its folder.

    Args:
        name: of the channel, its entry point and its block in `cobot.yml`, such as `slack`;
            of `cobot-slack`, its distribution, the channel is `slack` as well.
        parent: an existing folder.

    Raises:
        ScaffoldError: the name cannot be one, or the folder is there already. Nothing is written.
    """
    name = _PREFIX.sub("", name)
    _check(name)
    folder = parent / f"cobot-{name}"
    words = _words(name)
    texts = {
        _filled(path, words): _filled(one.read_text("utf-8"), words)
        for path, one in _templates(files(__name__) / "template", "")
    }
    try:
        folder.mkdir()
    except OSError as error:
        raise ScaffoldError(f"{folder} cannot be made: {error.strerror}") from error
    for path, text in texts.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ScaffoldError(
            f"{name!r} is no name for a channel: it begins with a lower-case letter and goes on"
            " with lower-case letters, digits, `-` and `_`, such as `slack`"
        )
    if name in BUILT_IN or keyword.iskeyword(name):
        raise ScaffoldError(f"the name {name!r} is taken: choose another, such as `my-{name}`")
    if owner := _owner(name):
        raise ScaffoldError(
            f"{owner}; two channels of one id, or two distributions of one name, cannot be used"
            f" together. Choose another name, such as `my-{name}`"
        )


def _owner(name: str) -> str | None:
    """Return who has a channel's id, or the name of its distribution, already."""
    distribution = f"cobot-{name}".replace("_", "-")
    for one in installed():
        if name == one.name or distribution == one.distribution.replace("_", "-").lower():
            return f"the channel `{one.name}` is installed, from {one}"
    if name in _PUBLISHED:
        return f"`cobot-{name}` is published beside cobot-session"
    return None


def _words(name: str) -> dict[str, str]:
    """Return what the marks in the templates stand for."""
    version = importlib_metadata.version("cobot-session")
    major, minor = version.split(".")[:2]
    package = f"cobot_{name.replace('-', '_')}"
    return {
        "name": name,
        "package": package,
        "class": "".join(word.title() for word in re.split(r"[-_]", name)),
        "env": package.removeprefix("cobot_").upper(),
        "year": str(datetime.now(UTC).year),
        "bounds": f">={major}.{minor},<{major}.{int(minor) + 1}",
    }


def _templates(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    """Return target path and template of every file, wherever the package is installed."""
    found = []
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.is_dir():
            found += _templates(one, f"{prefix}{one.name}/")
        elif one.name.endswith(_SUFFIX):
            found.append((prefix + one.name.removesuffix(_SUFFIX), one))
    return found


def _filled(text: str, words: dict[str, str]) -> str:
    return re.sub(r"@@(\w+)@@", lambda mark: words[mark[1]], text)
