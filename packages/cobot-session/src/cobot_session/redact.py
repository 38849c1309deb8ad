"""Secrets out of every text that leaves the process: logs, errors, status.

A secret is replaced wherever it stands, also as a URL, JSON or a `repr` writes it. What is shorter
than six characters is left alone: replacing it would tear ordinary words apart and tell by the
holes what it is. No platform's token is that short.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import urllib.parse
import weakref
from typing import TYPE_CHECKING, Any

from cobot_session.secrets_found import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["SHORTEST", "SHOWN", "RedactingFilter", "Redactor", "secrets_in"]

SHOWN = "[redacted]"
SHORTEST = 6
"""Characters that a secret needs to be replaced."""

_LONG_LINE = 12
"""Characters from which one line of a secret with several lines is replaced by itself, too."""

_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_FORMATTER = logging.Formatter()


class Redactor:
    """Knows the secrets of one session. Thread-safe."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: frozenset[str] = frozenset()
        self._pattern: re.Pattern[str] | None = None
        self._undo: list[weakref.finalize[..., Any]] = []
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Replace this secret from now on, unless it is shorter than six characters."""
        with self._lock:
            self._forms = self._forms.union(_forms(secret))
            longest_first = sorted(self._forms, key=lambda form: (-len(form), form))
            if longest_first:
                self._pattern = re.compile("|".join(map(_pattern, longest_first)))

    def redact(self, text: str) -> str:
        """Return the text with `[redacted]` in the place of each secret."""
        pattern = self._pattern
        return pattern.sub(SHOWN, text) if pattern else text

    def install(self, loggers: Iterable[str] = ()) -> None:
        """Redact what every logger of this process logs, as long as this object lives.

        It happens where records are made, so it reaches every handler, whoever adds it and when.

        Args:
            loggers: names of loggers whose records' `extra` attributes are redacted, too.
        """
        _RedactingFactory.take_over(self)
        for name in loggers:
            logger, extras = logging.getLogger(name), _ExtrasFilter(weakref.ref(self))
            logger.addFilter(extras)
            self._undo.append(weakref.finalize(self, logger.removeFilter, extras))

    def uninstall(self) -> None:
        """Leave the logs alone from now on."""
        _RedactingFactory.forget(self)
        while self._undo:
            self._undo.pop()()


class RedactingFilter(logging.Filter):
    """Takes secrets out of a record: message, arguments, traceback, stack, `extra` attributes.

    It lets every record pass. Add it to a handler; the filter of a logger does not see what the
    loggers below it log.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where it holds a secret, and only there."""
        _clean(record, self._redactor)
        _clean_extras(record, self._redactor)
        return True


class _ExtrasFilter(logging.Filter):
    """Redacts what is added to a record after it was made."""

    def __init__(self, redactor: weakref.ref[Redactor]) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        if (redactor := self._redactor()) is not None:
            _clean_extras(record, redactor)
        return True


class _RedactingFactory:
    """Makes log records as before, without the secrets of the redactors that are installed."""

    _installed: tuple[weakref.ref[Redactor], ...] = ()
    _lock = threading.Lock()

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        for reference in self._installed:
            if (redactor := reference()) is not None:
                _clean(record, redactor)
        return record

    @classmethod
    def take_over(cls, redactor: Redactor) -> None:
        cls.forget(redactor)
        with cls._lock:
            cls._installed = (*cls._installed, weakref.ref(redactor))
            make = logging.getLogRecordFactory()
            if not isinstance(make, cls):
                logging.setLogRecordFactory(cls(make))

    @classmethod
    def forget(cls, redactor: Redactor) -> None:
        with cls._lock:
            gone = {None, redactor}
            cls._installed = tuple(ref for ref in cls._installed if ref() not in gone)


def _clean(record: logging.LogRecord, redactor: Redactor) -> None:
    """Redact a record's message, arguments, traceback and stack; leave a clean one untouched."""
    shown = _message(record)
    if any(redactor.redact(text) != text for text in (shown, *_arguments(record))):
        record.msg, record.args = redactor.redact(shown), ()
    if record.exc_info and not record.exc_text:
        text = _FORMATTER.formatException(record.exc_info)
        if redactor.redact(text) != text:
            record.exc_text, record.exc_info = text, None
    if record.exc_text:
        record.exc_text = redactor.redact(record.exc_text)
    if record.stack_info:
        record.stack_info = redactor.redact(record.stack_info)


def _clean_extras(record: logging.LogRecord, redactor: Redactor) -> None:
    for name in vars(record).keys() - _ORDINARY:
        value = getattr(record, name)
        text = _text(value)
        if redactor.redact(text) != text:
            setattr(record, name, redactor.redact(text))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # logging reports it when the record is shown
        return f"{_text(record.msg)} {_text(record.args)}"


def _arguments(record: logging.LogRecord) -> Iterator[str]:
    arguments = record.args or ()
    yield from map(_text, arguments.values() if isinstance(arguments, dict) else arguments)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # what cannot be shown shows no secret
        return ""


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a secret is written that are long enough to be replaced."""
    lines = (line for line in secret.splitlines() if len(line) >= _LONG_LINE)
    for text in {secret, secret.strip(), *lines}:
        if len(text) >= SHORTEST:
            raw = text.encode(errors="surrogatepass")
            yield text
            yield urllib.parse.quote(raw, safe="")
            yield urllib.parse.quote(raw)
            yield urllib.parse.quote_plus(raw)
            yield json.dumps(text)[1:-1]
            yield repr(text)[1:-1]
            yield repr(raw)[2:-1]


def _pattern(form: str) -> str:
    """Return a pattern for a form; the digits of a percent code come in both cases."""
    return re.sub(r"%[0-9A-F]{2}", lambda code: f"(?i:{code[0]})", re.escape(form))
