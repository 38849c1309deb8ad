"""The folders that hold what a session keeps."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from cobot_session.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("cobot_session")

_OTHERS = 0o077
_OURS = frozenset({"session.db", "session.lock", "send.lock", "plugins", "chat"})
"""What a session leaves in its folder: one of these, and the folder is ours to close."""


def private_folder(path: Path) -> Path:
    """Return a folder that only its owner can read, made when it is not there.

    One that is open to others is closed to them when it is empty or was a session's before.

    Raises:
        ConfigError: it cannot be made, or others can read it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_open(path):
            _close(path)
    except OSError as error:
        raise _unusable(
            f"the folder {path} cannot be used: {error.strerror or error}",
            "Name a folder that this user can write to.",
        ) from error
    if _is_open(path):
        raise _unusable(
            f"others can read the folder {path} (mode {_mode(path):o}), which is to hold messages"
            " and keys",
            f"Name a folder of its own, or close this one with `chmod 700 {path}`; a file system"
            " that knows no owners will not do.",
        )
    return path


def is_ours(path: Path) -> bool:
    """Tell whether a folder is a session's or empty: else closing it could spoil another use."""
    names = {one.name for one in path.iterdir()}
    return not names or bool(names & _OURS)


def _close(path: Path) -> None:
    if not is_ours(path):
        return
    mode = _mode(path)
    path.chmod(0o700)
    if any(path.iterdir()):
        log.warning("the folder %s was open to others (mode %o); now it is not", path, mode)


def _is_open(path: Path) -> bool:
    return os.name == "posix" and bool(_mode(path) & _OTHERS)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _unusable(rule: str, fix: str) -> ConfigError:
    return ConfigError([Problem("plugins.workspace.path", rule, fix)])
