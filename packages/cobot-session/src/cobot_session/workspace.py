"""The folders that hold what a session keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cobot_session.errors import ConfigError, Problem

if TYPE_CHECKING:
    from pathlib import Path

_OTHERS = 0o077


def private_folder(path: Path) -> Path:
    """Return a folder that only its owner can read, made when it is not there.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & _OTHERS:
            path.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            [
                Problem(
                    "plugins.workspace.path",
                    f"the folder {path} cannot be used: {error.strerror or error}",
                    "Name a folder that this user can write to.",
                )
            ]
        ) from error
    return path
