"""No secret leaves the process in a text."""

from __future__ import annotations

import gc
import io
import logging
import threading
import urllib.parse
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from cobot_session.redact import RedactingFilter, Redactor, secrets_in

TOKEN = "123456:AA-b+c/d é"


@pytest.mark.parametrize(
    "written",
    [
        TOKEN,
        urllib.parse.quote(TOKEN),
        urllib.parse.quote(TOKEN, safe=""),
        urllib.parse.quote(TOKEN, safe="").lower().replace("aa-b", "AA-b"),
        urllib.parse.quote_plus(TOKEN),
        urllib.parse.urlencode({"": TOKEN})[1:],
        "123456:AA-b+c/d \\u00e9",
    ],
)
def test_every_form_of_a_secret(written):
    """As it is, in a URL, in a query, in JSON: the secret is replaced and the rest stays."""
    assert Redactor([TOKEN]).redact(f"https://x/bot{written}/getMe") == (
        "https://x/bot[redacted]/getMe"
    )


def test_a_secret_with_characters_that_repr_escapes():
    """A secret with a quote, a backslash or a newline is found in a `repr`, too."""
    secret = "se'cr\\et\nwith a line"
    assert Redactor([secret]).redact(f"<{secret!r}>") == "<'[redacted]'>".replace("'", '"')


def test_a_secret_that_is_no_utf8():
    """A variable of the environment can hold any bytes; they break nothing."""
    secret = b"token-\xff\xfe-more".decode(errors="surrogateescape")
    assert Redactor([secret]).redact(f"<{secret}>") == "<[redacted]>"


def test_lines_of_a_long_secret():
    """Of a key with several lines, each long line is secret."""
    redactor = Redactor(["-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nshort\n"])
    assert redactor.redact("line MIIEvQIBADANBgkqh and short") == "line [redacted] and short"


def test_overlapping_secrets():
    """A secret that contains another is replaced whole."""
    redactor = Redactor(["secret", "secret-and-more"])
    assert redactor.redact("secret-and-more secret") == "[redacted] [redacted]"


@pytest.mark.parametrize("secret", ["", "a", "12345", "a/b:c"])
def test_short_secrets_are_left_alone(secret):
    """Replacing them would tear words apart and tell what they are."""
    text = f"a text with {secret} and {urllib.parse.quote(secret, safe='')} in it"
    assert Redactor([secret]).redact(text) == text


def test_pattern_characters_are_plain_text():
    """A secret is no pattern."""
    redactor = Redactor(["a.b*c(d|e"])
    assert redactor.redact("a.b*c(d|e axbbc") == "[redacted] axbbc"


def test_secrets_are_added_while_others_redact():
    """Adding from one thread and redacting in another disturb each other in nothing."""
    redactor = Redactor(["first-secret"])
    wrong = []

    def redact():
        wrong.extend(
            text for _ in range(2000) if (text := redactor.redact("first-secret")) != "[redacted]"
        )

    threads = [threading.Thread(target=redact) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(100):
        redactor.add(f"another-secret-{number}")
    for thread in threads:
        thread.join()
    assert wrong == []
    assert redactor.redact("another-secret-99") == "[redacted]"


# -- logs


@pytest.fixture
def redactor():
    return Redactor([TOKEN])


@pytest.fixture(params=["filter", "installed"])
def logger(request, redactor):
    """A logger whose handler has the filter, or whose records a redactor makes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s"))
    found = logging.getLogger(f"test_redact.{request.param}")
    found.propagate = False
    found.setLevel(logging.DEBUG)
    found.addHandler(handler)
    if request.param == "filter":
        handler.addFilter(RedactingFilter(redactor))
    else:
        redactor.install([found.name])
    found.text = stream.getvalue
    yield found
    redactor.uninstall()
    found.removeHandler(handler)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (f"token {TOKEN}", ()),
        ("token %s", (TOKEN,)),
        ("token %r", (TOKEN.encode(),)),
        ("token %(t)s", ({"t": TOKEN},)),
        ("url %s", (f"https://x/bot{urllib.parse.quote(TOKEN)}/",)),
        ("error %s", (OSError(f"cannot reach {TOKEN}"),)),
        ("half %.8s and %s", (TOKEN, TOKEN)),
    ],
)
def test_messages_and_arguments(logger, message, arguments):
    """What a record says and what it was made of are redacted."""
    records = []
    logger.addFilter(lambda record: records.append(record) or True)
    logger.info(message, *arguments)
    assert "AA-b" not in logger.text()
    assert "[redacted]" in logger.text()


def test_arguments_are_not_kept(logger):
    """Handlers that look at a record's arguments find no secret there."""
    records = []
    logger.handlers[0].addFilter(lambda record: records.append(record) or True)
    logger.info("status %d", 200, extra={"url": f"https://{TOKEN}/"})
    logger.info("cut %.3s", TOKEN)
    assert records[0].args == (200,)
    assert records[0].url == "https://[redacted]/"
    assert records[1].args == ()
    assert all(TOKEN not in str(vars(record)) for record in records)


def fail(words):
    raise OSError(words)


def test_tracebacks(logger):
    """A traceback is redacted with all its causes, also for handlers that format it themselves."""
    records = []
    logger.handlers[0].addFilter(lambda record: records.append(record) or True)
    try:
        try:
            fail(f"inner {TOKEN}")
        except OSError as error:
            raise RuntimeError(f"outer {TOKEN}") from error
    except RuntimeError:
        logger.exception("it failed")
    assert "OSError: inner [redacted]" in logger.text()
    assert "RuntimeError: outer [redacted]" in logger.text()
    assert TOKEN not in logger.text()
    assert records[0].exc_info is None


def test_clean_records_stay_as_they_are(logger):
    """Without a secret, message, arguments and exception are untouched."""
    records = []
    logger.handlers[0].addFilter(lambda record: records.append(record) or True)
    try:
        fail("no")
    except OSError:
        logger.exception("failed: %s", 5)
    assert records[0].args == (5,)
    assert records[0].exc_info[0] is OSError
    assert "OSError: no" in logger.text()


def test_stacks(logger, monkeypatch):
    """A logged stack is redacted, too."""
    monkeypatch.setattr("traceback.print_stack", lambda f, file: file.write(f"in f({TOKEN})"))
    logger.info("here", stack_info=True)
    assert "in f([redacted])" in logger.text()


def test_a_message_that_does_not_fit_its_arguments(logger, monkeypatch, capsys):
    """Where logging itself complains, it has no secret to show."""
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logger.info("one %s two %s", TOKEN)  # noqa: PLE1206
    assert TOKEN not in logger.text() + capsys.readouterr().err


def test_arguments_that_cannot_be_shown(logger, monkeypatch):
    """An argument whose `str` raises does not break the redaction."""

    class Odd:
        def __str__(self):
            raise ValueError(TOKEN)

    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info("%s", Odd())
    logger.info("after %s", TOKEN)
    assert logger.text() == "after [redacted]\n"


def test_installed_reaches_every_logger_and_handler(redactor):
    """A client library that logs its URLs, and a handler added later, are redacted as well."""
    redactor.install()
    try:
        stream = io.StringIO()
        other = logging.getLogger("somebody.elses.client")
        other.addHandler(handler := logging.StreamHandler(stream))
        other.propagate = False
        other.warning("GET https://x/bot%s/getMe", TOKEN)
        other.removeHandler(handler)
        assert stream.getvalue() == "GET https://x/bot[redacted]/getMe\n"
    finally:
        redactor.uninstall()
    assert logging.makeLogRecord({"msg": TOKEN}).getMessage() == TOKEN


def test_uninstalled_by_itself():
    """A redactor that nobody holds any more leaves the loggers as they were."""
    logger = logging.getLogger("test_redact.gone")
    redactor = Redactor([TOKEN])
    redactor.install([logger.name])
    redactor.install([logger.name])
    assert logger.filters
    del redactor
    gc.collect()
    assert logger.filters == []
    assert logger.makeRecord("x", 20, "f", 1, TOKEN, (), None).getMessage() == TOKEN


def test_two_sessions_in_one_process():
    """Each redacts its own secrets, and one that ends leaves the other's in place."""
    first, second = Redactor(["first-secret"]), Redactor(["second-secret"])
    first.install()
    second.install()
    first.uninstall()
    try:
        made = logging.getLogger("x").makeRecord(
            "x", 20, "f", 1, "first-secret second-secret", (), None
        )
        assert made.getMessage() == "first-secret [redacted]"
    finally:
        second.uninstall()


# -- what is secret


class Inner(BaseModel):
    nsec: SecretStr
    note: str = "not secret"


class Settings(BaseModel):
    bot_token: SecretStr
    raw: SecretBytes
    number: Secret[int]
    many: list[Inner]
    by_name: dict[str, Inner | None]
    password: str = "plain text"
    apiKey: list[str] = ["in a list"]  # noqa: N815
    public_key: str = "for everybody"
    keyboard: str = "qwerty"
    nothing: SecretStr | None = None


@dataclass
class Plain:
    inner: Inner
    me: object = None


def test_secrets_of_a_model():
    """Secret fields are found wherever they are, and fields whose name says so."""
    settings = Settings(
        bot_token="1:a",
        raw=b"bytes",
        number=42,
        many=[Inner(nsec="nsec1a")],
        by_name={"x": Inner(nsec="nsec1b"), "y": None},
    )
    found = {"1:a", "bytes", "42", "nsec1a", "nsec1b", "plain text", "in a list"}
    assert secrets_in(settings) == found


def test_secrets_of_a_dict():
    """A plugin without a model gets a dict; its secrets are told by their names."""
    config = {"bot_token": "1:a", "groups": [{"id": 5, "api_key": 42}], "empty_token": "", "x": "y"}
    assert secrets_in({**config, "telegram": config}) == {"1:a", "42"}


def test_secrets_of_anything_else():
    """Dataclasses are looked into, circles end, and nothing is nothing."""
    plain = Plain(Inner(nsec="nsec1a"))
    plain.me = plain
    assert secrets_in(plain) == {"nsec1a"}
    assert secrets_in(None) == set()
    assert secrets_in("text") == set()
