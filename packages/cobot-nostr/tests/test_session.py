"""The channel in a session: installed, found, supervised, killed."""

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest
from nostr_rig import BOT, FAST, nsec

from cobot_nostr import nip19
from cobot_nostr.channel import Nostr
from cobot_nostr.testing import NostrServer
from cobot_session import AsyncSession, OutgoingMessage, Session

BOT_SCRIPT = Path(__file__).with_name("nostr_bot.py")


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(Nostr, "tuning", FAST)


def settings(folder, server, *people, session=None, **own):
    block = {"nsec": nsec(), "relays": server.urls, "private_networks": True, **own}
    if people:
        block["people"] = [person.npub for person in people]
    elif "access" not in own:
        block["access"] = {"open": True}
    plugins = {"workspace": {"path": str(folder)}, "nostr": block}
    if session:
        plugins["session"] = session
    return {"plugins": plugins}


def test_a_conversation(tmp_path):
    """With nothing but the configuration, a person writes and is answered."""
    with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        with Session(settings(tmp_path, server, ada)) as session:
            said = ada.says("hello")
            (message,) = session.poll_all_channels(wait=40)
            assert (message.content, message.sender_name) == ("hello", "Ada")
            receipt = session.reply(message, "hi")
            answer = ada.chat.wait_for("hi")
            assert answer.reply_to == said.id
            assert (receipt.status, receipt.message_ids) == ("sent", (answer.id,))
            assert receipt.detail == {"relays": dict.fromkeys(server.urls, "ok")}
            assert session.status()["nostr"].state == "online"
            assert session.react("nostr", message.channel_id, message.id, "👍")
            assert said.reactions == {BOT.public: "👍"}
            assert session.delete("nostr", message.channel_id, receipt.id)
            assert answer.deleted


def test_what_the_channel_can_do_is_told(tmp_path):
    """Typing and edit are absent, and said to be; the seed's verbs then return False."""
    with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        with Session(settings(tmp_path, server, ada)) as session:
            hooks = str(session.capabilities("nostr"))
            assert "react" in hooks
            assert session.typing("nostr", ada.public) is False
            assert not session.edit("nostr", ada.public, "00" * 32, "x")


def test_a_stranger_is_not_let_in(tmp_path):
    """Who is not listed does not reach the agent, in private or in public."""
    with NostrServer(bot=BOT.public) as server:
        ada, eve = server.user("Ada"), server.user("Eve")
        with Session(settings(tmp_path, server, ada)) as session:
            eve.says("let me in")
            eve.says("let me in", chat=server.notes)
            ada.says("hello")
            (message,) = session.poll_all_channels(wait=40)
            assert message.sender_id == ada.public
            end = time.monotonic() + 40
            while session.status()["nostr"].dropped < 2:  # which has no event of its own
                assert time.monotonic() < end
                time.sleep(0.02)
            assert session.status()["nostr"].dropped == 2


@pytest.mark.parametrize("form", ["npub", "nprofile", "uri", "digits"])
def test_access_rules_take_every_form_of_a_key(form, tmp_path):
    """`access.users` lets a person in, and lets the agent write to them, however it is written."""
    with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        forms = {
            "npub": ada.npub,
            "nprofile": nip19.nprofile(ada.public, ("wss://relay.example",)),
            "uri": f"nostr:{ada.npub}",
            "digits": ada.public.upper(),
        }
        config = settings(tmp_path, server, access={"users": [forms[form]]})
        with Session(config) as session:
            assert session.send(OutgoingMessage("nostr", forms[form], "first")).status == "sent"
            ada.says("hello")
            assert [m.content for m in session.poll_all_channels(wait=40)] == ["hello"]


def test_a_broken_relay_does_not_show(tmp_path):
    """With one of two relays down the channel is online and both ways work."""
    with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        server.relays[0].stop()
        with Session(settings(tmp_path, server, ada)) as session:
            ada.says("hello")
            (message,) = session.poll_all_channels(wait=40)
            receipt = session.reply(message, "hi")
            assert receipt.status == "sent"
            assert receipt.detail["relays"][server.urls[1]] == "ok"
            assert receipt.detail["relays"][server.urls[0]] != "ok"


def test_a_message_waits_for_the_relays(tmp_path):
    """With every relay down a send is stored and delivered, once, when one is back."""
    with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        with Session(settings(tmp_path, server, ada)) as session:
            for relay in server.relays:
                relay.stop()
            receipt = session.send(OutgoingMessage("nostr", ada.npub, "later"), timeout=0.2)
            assert receipt.status == "queued"
            for relay in server.relays:
                relay.start()
            ada.chat.wait_for("later", timeout=50)
        assert ada.chat.texts == ["later"]


def test_a_restarted_session_goes_on(tmp_path):
    """A second session on the same spool gets what came in between and nothing twice."""
    with NostrServer(2, bot=BOT.public) as server:
        ada = server.user("Ada")
        with Session(settings(tmp_path, server, ada)) as session:
            ada.says("one")
            assert [m.content for m in session.poll_all_channels(wait=40)] == ["one"]
        ada.says("two")
        with Session(settings(tmp_path, server, ada)) as session:
            assert [m.content for m in session.poll_all_channels(wait=40)] == ["two"]
            ada.says("three")
            assert [m.content for m in session.poll_all_channels(wait=40)] == ["three"]


@pytest.mark.anyio
async def test_the_asyncio_face(tmp_path):
    """The same over asyncio, with relays in the agent's own loop."""
    async with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        async with AsyncSession(settings(tmp_path, server, ada)) as session:
            ada.says("hello")
            (message,) = await session.poll_all_channels(wait=40)
            await session.reply(message, "hi")
            await ada.chat.wait_for_async("hi")


def test_a_long_answer_in_parts(tmp_path):
    """A text longer than a relay takes arrives in parts, in order, and whole."""
    with NostrServer(bot=BOT.public) as server:
        ada = server.user("Ada")
        text = "\n\n".join(f"paragraph {number} " + "word " * 60 for number in range(300))
        with Session(settings(tmp_path, server, ada)) as session:
            receipt = session.send(OutgoingMessage("nostr", ada.public, text), timeout=40)
            assert receipt.status == "sent"
            ada.chat.wait_for(count=len(receipt.message_ids))
            assert "".join(ada.chat.texts) == text


@contextmanager
def bot(config, handled):
    """A bot in a process of its own; killed when left."""
    process = subprocess.Popen(
        [sys.executable, str(BOT_SCRIPT), str(config), str(handled)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Flapping:
    """Stops and starts relays at random times until told to stop."""

    def __init__(self, relays, dice, pause):
        self._relays = relays
        self._dice = dice
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def _run(self):
        while not self._over.wait(self._dice.uniform(0, self._pause)):
            relay = self._dice.choice(self._relays)
            relay.drop_connections() if self._dice.random() < 0.5 else relay.restart()
            self.count += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def fault_run(folder, *, messages, people, kills, seed=1):
    """Two relays flap, one wants AUTH, the bot is killed; return what was handled and answered."""
    dice = random.Random(seed)  # noqa: S311  # dice of a test
    handled = folder / "handled.log"
    config = folder / "config.json"
    with NostrServer(3, bot=BOT.public, seed=seed) as server:
        server.relays[2].auth_required = True
        users = [server.user(f"U{number}") for number in range(people)]
        given = settings(folder / "workspace", server, *users, session={"max_deliveries": 50})
        config.write_text(json.dumps(given))
        texts = [f"message {number}" for number in range(messages)]
        wanted = {f"re: {text}" for text in texts}

        def answered():
            return {text for user in users for text in user.chat.texts}

        with Flapping(server.relays[:2], dice, 0.5) as flapping:
            for turn in range(kills + 1):
                share = texts[turn :: kills + 1]
                with bot(config, handled):
                    for text in share:
                        dice.choice(users).says(text)
                        time.sleep(dice.uniform(0, 0.004))  # people write over some time
                    if turn < kills:
                        some = dice.randrange(len(answered()), len(answered()) + len(share))
                        server.changes.wait(lambda some=some: len(answered()) >= some - 5, 120)
                    else:
                        server.changes.wait(lambda: answered() >= wanted, 240)
        answers = Counter(text for user in users for text in user.chat.texts)
    lines = [json.loads(line) for line in handled.read_text("utf-8").splitlines()]
    return texts, lines, answers, flapping.count


def check_fault_run(texts, lines, answers):
    assert {content for _, content, _ in lines} == set(texts)
    # A second time is a message that was in the agent's hands at a kill, and says so.
    first = Counter(content for _, content, again in lines if not again)
    assert max(first.values()) == 1
    assert answers == {f"re: {text}": 1 for text in texts}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_nothing_is_lost_or_doubled(tmp_path):
    """Relays flap, one wants AUTH, the bot is killed: each message is answered once."""
    texts, lines, answers, _ = fault_run(tmp_path, messages=40, people=4, kills=1)
    check_fault_run(texts, lines, answers)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_nothing_is_lost_or_doubled_in_a_long_run(tmp_path):
    """The same with 1,000 messages in and 1,000 out, and ten kills."""
    begun = time.monotonic()
    texts, lines, answers, flaps = fault_run(tmp_path, messages=1000, people=10, kills=10)
    again = sum(redelivered for *_, redelivered in lines)
    print(  # the figures of the run
        f"\n{len(texts)} messages, {len(set(answers))} answers, {again} handed out again, 10 kills,"
        f" {flaps} flaps, {time.monotonic() - begun:.0f} s"
    )
    check_fault_run(texts, lines, answers)
