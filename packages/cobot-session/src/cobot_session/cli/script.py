"""The conversation that `demo` shows, and whether all that it promises happens."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from cobot_session.cli.stage import SECONDS
from cobot_session.cli.start import nothing_waits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from cobot_session.cli.stage import Stage
    from cobot_session.session import Session
    from cobot_session.spool.beside import Beside

    Answer = dict[str, Any]

FILEDROP = "filedrop"
_LOOK_SECONDS = 0.02


class Script:
    """Says something on each channel and looks whether what was promised happens.

    Args:
        session: where the agent is.
        spool: of that session.
        stage: where the person is, or would be.
        files: folder of the file channel; `None`: it is not installed.
    """

    def __init__(self, session: Session, spool: Beside, stage: Stage, files: Path | None) -> None:
        self._session = session
        self._spool = spool
        self._stage = stage
        self._files = files
        self._kept = dict.fromkeys(_promises(stage, files), False)

    @property
    def went_well(self) -> bool:
        """Whether all that was promised has happened."""
        return all(self._kept.values())

    def verdict(self, networks: Mapping[str, Mapping[str, bool]], broken: list[str]) -> str:
        """Return in a sentence how it went.

        Args:
            networks: what else was promised, by network.
            broken: which of that did not happen.
        """
        missing = [what for what, kept in self._kept.items() if not kept] + broken
        if missing:
            return f"NOT all of it happened. Missing: {', '.join(missing)}."
        more = [f"{len(promises)} promises on {name}" for name, promises in networks.items()]
        return f"All of it happened: {', '.join([*self._kept, *more])}."

    def play(self) -> None:
        """Play everything, then stop the session."""
        try:
            if self._files is not None:
                self._play_files(self._files)
            if self._stage.person:
                self._wait_for_person()
            else:
                self._play_console()
        finally:
            self._session.stop()

    def _play_console(self) -> None:
        stage = self._stage
        print("\n# Somebody types at the console.")
        stage.types("hello")
        self._kept["an answer at the console"] = stage.shows("You said: hello")
        print("\n# What was said can be changed, and reacted to.")
        stage.types("think about it")
        self._kept["an edit"] = stage.shows("I have thought about it.")
        self._kept["a reaction"] = stage.shows("👍")
        stage.leave()
        self._kept["nothing left to do"] = stage.left.wait(SECONDS) and self._until(self._is_quiet)
        print()

    def _wait_for_person(self) -> None:
        print("\n# Now it is your turn. `think` shows an edit and a reaction; Ctrl-D leaves.")
        self._stage.left.wait()
        self._kept["nothing left to do"] = self._until(self._is_quiet)

    def _is_quiet(self) -> bool:
        return nothing_waits(self._spool)

    def _play_files(self, files: Path) -> None:
        self._until(lambda: (files / "in").is_dir() or self._have_files_failed())
        if not (files / "in").is_dir():
            return
        print("\n# Somebody drops a file.")
        said = self._drop(files, "hello.txt", "hello from a file", _repeats)
        self._kept["an answer to a file"] = said
        print("\n# What one channel can do, another may do as well.")
        thought = self._drop(files, "think.txt", "think about files", _is_thought_over)
        self._kept["an edit and a reaction to a file"] = thought

    def _have_files_failed(self) -> bool:
        return self._session.status()[FILEDROP].state == "failed"

    def _drop(self, files: Path, name: str, text: str, meant: Callable[[Answer], bool]) -> bool:
        """Drop a file and wait for the answer that is meant; false when none came."""
        print(f"in/{name}: {text}", flush=True)
        part = files / "in" / f"{name}.part"
        part.write_text(f"{text}\n", encoding="utf-8")
        part.rename(files / "in" / name)
        happened = self._until(lambda: any(meant(answer) for answer in _answers(files).values()))
        for file, answer in _answers(files).items():
            if meant(answer):
                reaction = answer.get("reaction", "")
                print(
                    f"{file.relative_to(files)}: {answer['text']} {reaction}".rstrip(), flush=True
                )
        return happened

    def _until(self, is_so: Callable[[], bool]) -> bool:
        """Wait until something is so; false when that took too long."""
        deadline = time.monotonic() + SECONDS
        while not is_so():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True


def _promises(stage: Stage, files: Path | None) -> list[str]:
    promises = [] if files is None else ["an answer to a file", "an edit and a reaction to a file"]
    if not stage.person:
        promises += ["an answer at the console", "an edit", "a reaction"]
    return [*promises, "nothing left to do"]


def _answers(files: Path) -> dict[Path, Answer]:
    return {file: json.loads(file.read_text("utf-8")) for file in files.glob("out/*/*.json")}


def _repeats(answer: Answer) -> bool:
    return bool(answer["text"] == "You said: hello from a file")


def _is_thought_over(answer: Answer) -> bool:
    return bool(answer["text"] == "I have thought about it." and answer.get("reaction") == "👍")
