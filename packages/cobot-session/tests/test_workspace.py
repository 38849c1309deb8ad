"""The folder of what a session keeps is its owner's alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from cobot_session import ConfigError, Session
from cobot_session.workspace import private_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_folder_is_closed(tmp_path: Path) -> None:
    """What is made can be read by its owner only, with everything in it."""
    folder = tmp_path / "deep" / "workspace"
    with Session({"plugins": {"workspace": {"path": str(folder)}}}, plugins={}):
        assert mode(folder) == 0o700
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert {mode(path) for path in files} == {0o600}
        assert {"session.db", "session.lock"} <= {path.name for path in files}


@pytest.mark.parametrize("name", [None, "session.db"])
def test_a_folder_of_ours_is_closed(tmp_path: Path, name: str | None) -> None:
    """One that is empty, or was a session's, is closed to others."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    folder.chmod(0o755)
    if name:
        (folder / name).touch()
    assert mode(private_folder(folder)) == 0o700


def test_a_folder_with_another_use_is_left_alone(tmp_path: Path) -> None:
    """Others can read it, so no session starts on it; nobody else's folder is closed."""
    folder = tmp_path / "project"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "README").touch()
    with pytest.raises(ConfigError, match=r"others can read the folder .*755.*chmod 700"):
        Session({"plugins": {"workspace": {"path": str(folder)}}}, plugins={}).start()
    assert mode(folder) == 0o755
