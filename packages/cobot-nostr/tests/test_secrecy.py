"""A whole session at its most talkative: the private key is in nothing that it leaves behind."""

import logging
import threading
import traceback

import pytest
from nostr_rig import BOT, FAST, nsec

from cobot_nostr import nip49
from cobot_nostr.channel import Nostr
from cobot_nostr.crypto import Key
from cobot_nostr.keys import write_key_file
from cobot_nostr.testing import NostrServer, Refuse
from cobot_session import ConfigError, OutgoingMessage, Plugin, PluginMeta, Session

SECRETS = (nsec(), nsec().upper(), BOT.secret_bytes().hex(), repr(BOT.secret_bytes())[2:-1])


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(Nostr, "tuning", FAST)
    monkeypatch.setattr("cobot_nostr.pool.PATIENCE", 0.5)


@pytest.fixture
def written(tmp_path, caplog, capfd):
    """Return all that was logged at DEBUG with its tracebacks, printed, or stored, as one text."""
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))

    def gather(*more):
        printed = capfd.readouterr()
        files = [one for one in (tmp_path / "workspace").rglob("*") if one.is_file()]
        stored = b"".join(one.read_bytes() for one in files)
        assert not any(one.encode() in stored for one in SECRETS)
        assert BOT.secret_bytes() not in stored
        parts = [caplog.text, printed.out, printed.err, stored.decode("latin-1"), *map(str, more)]
        return "\n".join(parts)

    return gather


def settings(tmp_path, server, known=(), **own):
    block = {"relays": server.urls, "private_networks": True, "publish_inbox": False}
    block |= {"people": [person.npub for person in known], **own}
    workspace = {"path": str(tmp_path / "workspace")}
    return {"plugins": {"workspace": workspace, "nostr": block}}


def given_as(form, tmp_path):
    """Return the settings that give the key in a form."""
    path = tmp_path / "bot.key"
    match form:
        case "nsec":
            return {"nsec": nsec()}
        case "digits":
            return {"nsec": BOT.secret_bytes().hex()}
        case "encrypted":
            return {"nsec": nip49.encrypt(BOT, "hunter2hunter2", 4), "password": "hunter2hunter2"}
    write_key_file(path, BOT)
    return {"key_file": str(path)}


def log_carelessly():
    """Log as an agent might that got hold of the key."""
    log = logging.getLogger("agent")
    log.info("a careless agent logs %s", nsec())
    log.warning("also as digits: %r", {"key": BOT.secret_bytes().hex()})
    try:
        {}[nsec().upper()]
    except KeyError:
        log.exception("the agent broke")


@pytest.mark.parametrize("form", ["nsec", "digits", "encrypted", "file"])
def test_the_key_is_in_no_output_of_a_session(form, tmp_path, written):
    """Receiving, answering, logging in, being refused, failing: nothing that is left shows it."""
    with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        server.relays[0].auth_required = True
        seen = []
        with Session(settings(tmp_path, server, [ada], **given_as(form, tmp_path))) as session:
            ada.says("hello bot")
            (message,) = session.poll_all_channels(wait=40)
            seen.append(session.reply(message, "hello Ada"))
            assert ada.chat.wait_for("hello Ada")
            server.faults.add(Refuse("restricted: not you"), on="AUTH", times=None)
            server.relays[0].restart()
            server.faults.add(Refuse("blocked: no"), on="EVENT", to=ada, times=None)
            seen.append(session.send(OutgoingMessage("nostr", ada.public, "refused"), timeout=40))
            log_carelessly()
            seen += [session.status(), session.capabilities("nostr"), session.channels()]
        everything = written(*seen)
    assert seen[0].status == "sent"
    assert seen[1].status == "failed"
    assert "blocked: no" in str(seen[1])
    assert "restricted: not you" in everything  # the login was tried and is told
    assert "EVENT" in everything  # what the sockets log at DEBUG
    assert "a careless agent logs [redacted]" in everything
    assert "KeyError: '[redacted]'" in everything
    assert ada.public in everything
    for secret in SECRETS:
        assert secret not in everything


def test_a_key_for_a_chat_is_nowhere(tmp_path, written):
    """Somebody's private key as the target of a send is refused, and neither told nor stored."""
    other = nsec(Key.from_hex("0e" * 32))
    with NostrServer() as server:
        own = {"nsec": nsec(), "access": {"send_to": "any"}}
        with Session(settings(tmp_path, server, **own)) as session:
            receipt = session.send(OutgoingMessage("nostr", other, "x"))
        assert {event.kind for event in server.relays[0].events} <= {30315}  # our status
        everything = written(receipt)
    assert receipt.status == "failed"
    assert "this is a private key" in receipt.error
    assert "SQLite format" in everything  # the spool is in it
    assert other not in everything


def test_a_key_for_the_default_chat_is_told_and_not_repeated(tmp_path):
    """It is refused with the settings, at its place."""
    other = nsec(Key.from_hex("0e" * 32))
    block = {"nsec": nsec(), "relays": ["wss://relay.example.com"], "default_chat": other}
    with pytest.raises(ConfigError) as refused:
        Session({"plugins": {"workspace": {"path": str(tmp_path)}, "nostr": block}}).start()
    assert "default_chat" in str(refused.value)
    assert "private key" in str(refused.value)
    assert other not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"nsec": nsec()[:-1]},
        {"nsec": nsec()[1:]},
        {"key_file": nsec()},
        {"nsec": nsec(), "people": [nsec()]},
        {"nsec": nsec(), "access": {"users": [nsec()]}},
        {"nsec": nsec(), "access": {"users": [nip49.encrypt(BOT, "x", 4)]}},
        {"nsec": nsec(), "access": {"chats": [nsec()]}},
        {"nsec": nsec(), "access": {"chats": [f"group/{nsec()}"]}},
        {"nsec": nsec(), "access": {"send_to": [nsec()]}},
        {"nsec": nsec(), "relays": [nsec()]},
        {"nsec": nsec(), "nsecc": nsec()},
    ],
)
def test_a_bad_key_is_in_no_error(wrong, tmp_path, written):
    """A session that refuses its settings repeats no key, in the error or in its traceback."""
    with NostrServer() as server, pytest.raises(ConfigError) as caught:
        Session(settings(tmp_path, server, **wrong)).start()
    shown = "".join(traceback.format_exception(caught.value))
    everything = written(shown, caught.value.problems)
    assert "plugins.nostr" in everything
    assert nsec()[2:-1] not in everything  # also when an end of it is cut off


def test_a_key_that_does_not_open_fails_the_channel_and_is_told(tmp_path, written):
    """With a wrong password the channel is `failed`; neither key nor password is repeated."""
    encrypted = nip49.encrypt(BOT, "rightrightright", 4)
    own = {"nsec": encrypted, "password": "wrongwrongwrong"}
    failed = threading.Event()

    class Watch(Plugin):
        meta = PluginMeta(id="watch", version="1.0.0")

        def session_on_status(self, channel_type, status):
            if (channel_type, status.state) == ("nostr", "failed"):
                failed.set()

    with NostrServer() as server:
        config = settings(tmp_path, server, **own)
        with Session(config, plugins={"watch": Watch}) as session:
            assert failed.wait(40)
            status = session.status()["nostr"]
    assert "the password is wrong" in status.last_error
    everything = written(status)
    for secret in (*SECRETS, encrypted, "wrongwrongwrong", "rightrightright"):
        assert secret not in everything
