"""What `doctor` looks at."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from cobot_session.cli.choice import CONSOLE
from cobot_session.cli.finding import Finding
from cobot_session.cli.place import Place
from cobot_session.cli.refused import gate_findings
from cobot_session.cli.running import channel_findings
from cobot_session.config import load_config
from cobot_session.engine import SPOOL_FILE
from cobot_session.errors import ConfigError, PluginError, SpoolError
from cobot_session.gate import Rules, rules
from cobot_session.redact import Redactor
from cobot_session.registry import Registry
from cobot_session.secrets_found import secrets_in
from cobot_session.spool.access import Book
from cobot_session.spool.beside import Beside
from cobot_session.workspace import is_ours

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from cobot_session.config import Config
    from cobot_session.errors import Problem
    from cobot_session.registry import PluginRecord

_NEEDED_SQLITE = (3, 24, 0)
"""The first with `INSERT … ON CONFLICT`."""
_LITTLE_SPACE = 100 * 1024 * 1024
_OTHERS = 0o077


def findings(path: Path | None) -> list[Finding]:
    """Look at everything; no finding holds a secret.

    Args:
        path: of a cobot.yml; `None`: the usual places.
    """
    found = [*_system()]
    problems: tuple[Problem, ...] = ()
    try:
        config = load_config(path, defer=True)
    except ConfigError as error:
        config, problems = None, error.problems
    registry = Registry(config or load_config({}))
    problems = (*problems, *_load(registry))
    found += _configuration(config, problems)
    book = Book()
    if config is not None:
        found += _workspace(config)
        with suppress(SpoolError):  # told already
            book = _beside(config).book()
            found += gate_findings(_beside(config).drops(), book)
    failed = {f"channel {one.id}" for one in registry.records.values() if one.state == "failed"}
    found = [one for one in found if one.about not in failed]  # what is wrong is told below
    found += _plugins(registry, {problem.field for problem in problems}, book)
    found.append(
        Finding("ok", "platforms", "not asked: a token they refuse shows once a session runs")
    )
    redact = _redactor(config, registry).redact
    return [replace(one, finding=redact(one.finding), remedy=redact(one.remedy)) for one in found]


def _beside(config: Config) -> Beside:
    return Beside(config.workspace.folder / SPOOL_FILE)


def _load(registry: Registry) -> tuple[Problem, ...]:
    """Load plugins one by one; what fails is in the records."""
    logging.disable()
    try:
        registry.load()
    except ConfigError as error:
        return error.problems
    except PluginError:  # strict: the records say the same
        pass
    finally:
        logging.disable(logging.NOTSET)
    return ()


def _redactor(config: Config | None, registry: Registry) -> Redactor:
    written = [block.options for block in config.blocks.values()] if config else []
    settings = [*written, *(record.config for record in registry.records.values())]
    return Redactor(secret for one in settings for secret in secrets_in(one))


def _system() -> Iterator[Finding]:
    yield Finding("ok", "Python", f"{platform.python_version()} on {platform.system()}")
    if sqlite3.sqlite_version_info >= _NEEDED_SQLITE:
        yield Finding("ok", "SQLite", sqlite3.sqlite_version)
        return
    needed = ".".join(map(str, _NEEDED_SQLITE[:2]))
    yield Finding(
        "error",
        "SQLite",
        f"{sqlite3.sqlite_version} is too old",
        f"Use a Python that was built with SQLite {needed} or newer.",
    )


def _configuration(config: Config | None, problems: tuple[Problem, ...]) -> Iterator[Finding]:
    for problem in problems:
        place = f"{problem.file}:{problem.line}:{problem.column}: " if problem.file else ""
        finding = f"{place}{problem.field}: {problem.rule}"
        yield Finding("error", "cobot.yml", finding, problem.fix and f"Fix: {problem.fix}")
    if config is None or problems:
        return
    if config.file is None:
        yield Finding("ok", "cobot.yml", "there is none; every setting has its default")
    else:
        yield Finding("ok", "cobot.yml", str(config.file))


def _workspace(config: Config) -> Iterator[Finding]:
    folder = config.workspace.folder
    if not folder.exists():
        yield _new_workspace(folder)
        return
    yield _folder(folder)
    yield _room(folder)
    yield from _spool(config)


def _room(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    finding = f"{free // 1024**2} MB free on its disk"
    if free >= _LITTLE_SPACE:
        return Finding("ok", "workspace", finding)
    remedy = "Make room: with a full disk nothing can be accepted."
    return Finding("warning", "workspace", finding, remedy)


def _new_workspace(folder: Path) -> Finding:
    there = next(parent for parent in folder.parents if parent.exists())
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding("ok", "workspace", f"{folder} will be made at the first start")
    return Finding(
        "error",
        "workspace",
        f"{folder} is not there, and {there} cannot be written to",
        "Make it for this user, or name another folder: `workspace: {path: …}`.",
    )


def _folder(folder: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        finding = f"{folder} cannot be written to: {error.strerror}"
        return Finding("error", "workspace", finding, "Let this user own it, or make room on it.")
    mode = folder.stat().st_mode
    if mode & _OTHERS and os.name == "posix":
        finding = f"{folder} is open to others (mode {mode & 0o777:o})"
        state: Literal["warning", "error"]
        state = "warning" if is_ours(folder) else "error"  # a start mends it, or refuses it
        return Finding(state, "workspace", finding, f"`chmod 700 {folder}`.")
    return Finding("ok", "workspace", str(folder))


def _spool(config: Config) -> Iterator[Finding]:
    path = config.workspace.folder / SPOOL_FILE
    yield from _set_aside(path)
    if not path.exists():
        yield Finding("ok", "spool", "there is none yet")
        return
    if path.stat().st_mode & _OTHERS and os.name == "posix":
        yield Finding("warning", "spool", f"{path} is open to others", f"`chmod 600 {path}`.")
    try:
        place = Place.of(config)
        place.beside.check()
    except SpoolError as error:
        yield Finding("error", "spool", str(error), _mended(error))
        return
    pending = sum(counts.pending for counts in place.counts.values())
    yield Finding("ok", "spool", f"{path} is whole; messages that wait in it: {pending}")
    silent = place.pid is not None and not (place.is_fresh or place.starting)
    yield Finding("warning" if silent else "ok", "session", place.words().removesuffix("."))
    yield from channel_findings(place)
    if dead := sum(counts.dead for counts in place.counts.values()):
        count = f"{dead} dead letter{'s' * (dead != 1)}"
        yield Finding("warning", "spool", count, "See `cobot-session dead list`.")


def _mended(error: SpoolError) -> str:
    """Return what to do; a file that is only out of reach is not damaged."""
    if isinstance(error.__cause__, OSError):
        return ""  # it says so itself
    if isinstance(error.__cause__, sqlite3.OperationalError):
        return "Let this user own the workspace and all in it, on a disk that can be written to."
    return "The next start sets a damaged one aside and begins anew."


def _set_aside(path: Path) -> Iterator[Finding]:
    for aside in sorted(path.parent.glob(f"{path.name}.corrupt-*")):
        if not aside.name.endswith(("-wal", "-shm")):
            finding = f"{aside} is damaged and was set aside, with what waited in it"
            remedy = f"Recover it with `sqlite3 {aside} .recover`, then delete it."
            yield Finding("warning", "spool", finding, remedy)


def _plugins(registry: Registry, told: Collection[str], book: Book) -> Iterator[Finding]:
    """Tell of each plugin; mistakes in `told` fields have been told."""
    for record in registry.records.values():
        about = f"plugin {record.id}"
        origin = f"{record.distribution} {record.version}" if record.distribution else ""
        if record.state == "ready":
            yield Finding("ok", about, origin)
            if not book.paired.get(record.id):
                yield from _gate(record)
        elif record.state == "disabled":
            yield Finding("ok", about, record.reason)
        elif record.state == "failed":
            if not _is_told(record, told):
                yield _failed(record, about, origin)
        elif record.use == CONSOLE:
            yield Finding("ok", about, f"{origin}; `cobot-session chat` needs no block for it")
        else:
            yield Finding("warning", about, f"{record.reason} ({origin})", record.remedy)


def _is_told(record: PluginRecord, told: Collection[str]) -> bool:
    """Return whether nothing but mistakes in its settings, told already, is wrong with a plugin."""
    mistakes = record.reason.removeprefix("its block has mistakes: ")
    return mistakes != record.reason and mistakes.partition(": ")[0] in told


def _failed(record: PluginRecord, about: str, origin: str) -> Finding:
    where = f" ({origin})" if origin and "," not in origin else ""
    return Finding("error", about, f"{record.reason}{where}", record.remedy)


def _gate(record: PluginRecord) -> Iterator[Finding]:
    """Warn of a channel that nobody can reach the agent through."""
    access = record.common.access
    if "session_receive" not in record.hooks or access.pairing:
        return
    if rules(access, record.access) == Rules():
        yield Finding(
            "warning",
            f"plugin {record.id}",
            "nobody may write to the agent here",
            f'Name who may: `plugins: {{{record.id}: {{access: {{users: ["…"]}}}}}}`, or'
            f" `cobot-session pair add {record.id} ID`; the log tells the ids of those who were"
            " refused.",
        )
