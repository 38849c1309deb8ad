"""The channel in a session: installed, found, and talking over real sockets."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from cobot_discord.testing import (
    CutAfter,
    CutBefore,
    DiscordServer,
    Duplicate,
    RateLimit,
    ServerError,
)
from cobot_session import Session
from cobot_session.messages import OutgoingMessage

AGENT = Path(__file__).with_name("agent.py")


@pytest.fixture
def config(server, tmp_path):
    """Make a `cobot.yml` for the local server."""

    def make(session=None, **discord):
        return {
            "plugins": {
                "workspace": {"path": str(tmp_path)},
                "session": {"default_channel": "discord", **(session or {})},
                "discord": {
                    "bot_token": server.token,
                    "api_url": server.api_url,
                    "gateway_url": server.gateway_url,
                    "identify_seconds": 0,
                    "access": {"open": True},
                    **discord,
                },
                "console": {"enabled": False},
            }
        }

    return make


@contextmanager
def answering(config, handler):
    """Run a session with a handler in a thread of its own."""
    with Session(config) as session:
        runner = threading.Thread(target=session.run, args=(handler,), daemon=True)
        runner.start()
        yield session
    runner.join(30)
    assert not runner.is_alive()


def test_a_conversation_in_a_channel_a_thread_and_a_dm(server, general, config):
    """People are answered where they speak, with the message quoted."""
    ann, thread = server.user("ann"), general.thread("details")
    with answering(config(), lambda message: f"re: {message.content}") as session:
        server.gateway.wait_until(lambda gateway: gateway.online)
        for place in (general, thread, ann.dm):
            said = ann.says(f"hello from {place.name}", place)
            answer = place.wait_for(f"re: hello from {place.name}")
            assert answer.reply_to in {said, None}
        receipt = session.send(OutgoingMessage("discord", general.id, "of my own accord"))
        assert receipt.status == "sent"
        assert session.status()["discord"].state == "online"


def test_two_bots_in_one_session(server, general, config, tmp_path):
    """A second block with addresses of its own is a second bot, which meets the first nowhere."""
    with DiscordServer(token="another.token.of-another-bot") as other:
        there = other.guild("There").channel("there")
        both = config()
        addresses = {"api_url": other.api_url, "gateway_url": other.gateway_url}
        both["plugins"]["second"] = {
            **both["plugins"]["discord"],
            **addresses,
            "use": "discord",
            "bot_token": other.token,
        }
        with answering(both, lambda message: f"{message.channel_type}: {message.content}"):
            for one, place in ((server, general), (other, there)):
                one.gateway.wait_until(lambda gateway: gateway.online)
                one.user("ann").says("hello", place)
            general.wait_for("discord: hello")
            there.wait_for("second: hello")
    assert (len(general.by_bot()), len(there.by_bot())) == (1, 1)


def test_a_long_answer_with_code(server, general, config):
    """6,000 characters arrive whole, in order, under one receipt."""
    code = "\n".join(f"line_{n} = {n}" for n in range(400))
    with Session(config()) as session:
        receipt = session.send(OutgoingMessage("discord", general.id, f"```py\n{code}\n```"))
    sent = general.by_bot()
    assert receipt.message_ids == tuple(one.id for one in sent)
    assert len(sent) >= 3
    shown = "\n".join(one.content for one in sent)
    assert [f"line_{n} = {n}" in shown for n in range(400)].count(False) == 0


def test_what_was_missed_is_answered_after_a_restart(server, general, config):
    """A session that was down answers what was said meanwhile, once, oldest first."""
    ann = server.user("ann")
    with answering(config(), lambda message: f"re: {message.content}"):
        server.gateway.wait_until(lambda gateway: gateway.online)
        ann.says("zero", general)
        general.wait_for("re: zero")
    for word in ("one", "two", "three"):
        ann.says(word, general)
    with answering(config(), lambda message: f"re: {message.content}"):
        general.wait_for(count=4)
        ann.says("four", general)
        general.wait_for("re: four")
    assert [one.content for one in general.by_bot()] == [
        f"re: {word}" for word in ("zero", "one", "two", "three", "four")
    ]


def test_events_of_a_listed_user_arrive_when_they_are_asked_for(server, general, config):
    """With `events: all` edits, reactions and deletions of who is let in pass, others' do not."""
    ann, eve = server.user("ann"), server.user("eve")
    rules = config({"events": "all"}, access={"users": [ann.id]})
    with Session(rules) as session:
        server.gateway.wait_until(lambda gateway: gateway.online)
        for person in (eve, ann):
            said = person.says("helo", general)
            person.edits(said, "hello")
            person.reacts(said, "👍")
            person.deletes(said)
        got = []
        until(lambda: got.extend(session.poll_all_channels(wait=1)) or len(got) >= 4)
    assert [one.kind for one in got] == ["message", "edit", "reaction", "deletion"]
    assert {one.sender_id for one in got} == {ann.id}


def test_strangers_are_kept_out(server, general, config):
    """Only who the guild's rules name is heard, live and from history."""
    ann, eve, crew = server.user("ann"), server.user("eve"), general.guild.role("crew")
    general.guild.give(ann, crew)
    rules = {
        "access": {},
        "guilds": [{"id": general.guild.id, "roles": [crew.id]}],
    }
    with answering(config(**rules), lambda message: f"re: {message.content}"):
        server.gateway.wait_until(lambda gateway: gateway.online)
        eve.says("let me in", general)
        eve.says("or here")
        ann.says("hello", general)
        general.wait_for("re: hello")
    eve.says("while you were away", general)
    ann.says("back again", general)
    with answering(config(**rules), lambda message: f"re: {message.content}"):
        general.wait_for("re: back again")
    assert [one.content for one in general.by_bot()] == ["re: hello", "re: back again"]
    assert eve.dm.by_bot() == []


def test_presence_typing_edit_react_delete(server, general, config):
    """The verbs of a session reach Discord."""
    said = server.user("ann").says("hello", general)
    with Session(config()) as session:
        (sent,) = session.send(OutgoingMessage("discord", general.id, "one")).message_ids
        assert session.edit("discord", general.id, sent, "two")
        assert general.by_bot()[0].content == "two"
        assert session.react("discord", general.id, said.id, "👍")
        assert said.reactions == {"👍": [server.bot.id]}
        assert session.delete("discord", general.id, sent)
        assert general.by_bot() == []
        assert session.presence("away")
        server.gateway.wait_until(lambda gateway: gateway.world.presence["status"] == "idle")
        assert session.typing("discord", general.id)
        server.world.changes.wait(lambda: general.typing or None, 30, lambda: "no typing")


def test_the_status_tells_the_truth(server, general, config):
    """A gateway that is gone shows in `status()`, and so does its return."""
    server.gateway.heartbeat_interval = 0.5
    server.gateway.strict = False

    def state():
        return session.status()["discord"]

    with Session(config(session={"stall_after": 4})) as session:  # it is asked every second
        server.gateway.wait_until(lambda gateway: gateway.heartbeats > 2)
        until(lambda: state().state == "online" and state().latency is not None)
        server.gateway.refuse()
        until(lambda: state().state == "reconnecting")
        server.gateway.accept()
        until(lambda: state().state == "online")
        server.revoke_token()
        server.gateway.invalidate()
        until(lambda: state().state == "failed")
        assert "bot_token" in state().last_error


def until(claim, seconds=30):
    """Return when a claim has become true, of a state that has no event of its own."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_token_is_in_no_output(server, general, config, agent, tmp_path):
    """Whatever goes wrong, at whatever log level, the token is not shown or stored."""
    settings = config(session={"drain": 0.1})
    bot = agent(settings, log="DEBUG")
    ann = server.user("ann")
    server.gateway.wait_until(lambda gateway: gateway.online, timeout=60)
    faults = (RateLimit(0.1), ServerError(500), CutAfter(), CutBefore())
    for number, fault in enumerate(faults):
        server.faults.add(fault, on="create_message")
        ann.says(str(number), general)
        general.wait_for(f"re: {number}")
    server.gateway.cut()
    server.gateway.wait_until(lambda gateway: gateway.resumed >= 1)
    server.revoke_token()
    server.gateway.invalidate()
    server.gateway.wait_until(lambda gateway: not gateway.online)
    ann.says("nobody hears this", general)
    shown = bot.stop()
    assert b"DEBUG" in shown
    assert server.token.encode() not in shown
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if server.token.encode() in path.read_bytes()] == []


class Agent:
    """An agent in a process of its own, whose output ends in a file."""

    def __init__(self, config, output, *options, log="WARNING"):
        self.ledger = output.with_name("ledger")
        self.command = [sys.executable, *options, str(AGENT), json.dumps(config), log, self.ledger]
        self.output = output
        self.start()

    def start(self):
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def receipts(self):
        """Return the receipts it was told of: id, status, message ids; not a line cut by a kill."""
        lines = self.ledger.read_text().splitlines()
        return [tuple(json.loads(line)) for line in lines if line.endswith("]")]

    def stop(self):
        """Stop it as a system does, and return what it said."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGUSR1)
            time.sleep(1)  # it writes where its threads are
            pytest.fail(f"it does not stop: {self.output.read_text(errors='replace')[-8000:]}")
        return self.output.read_bytes()


@pytest.fixture
def agent(tmp_path_factory):
    """Start agents that do not outlive the test."""
    started = []

    def start(config, *options, log="WARNING"):
        output = tmp_path_factory.mktemp("agent") / "output"
        started.append(Agent(config, output, *options, log=log))
        return started[-1]

    yield start
    for one in started:
        one.kill()


def fault_run(server, bot, *, messages, channels, threads, kills, seed):
    """Let people talk while everything goes wrong, then tell what became of it."""
    dice = Random(seed)  # noqa: S311 - a run that can be repeated
    guild = server.guild("Home")
    places = [guild.channel(f"c{n}") for n in range(channels)]
    places += [places[n].thread(f"t{n}") for n in range(threads)]
    people = [server.user(name) for name in ("ann", "bob", "eve")]
    faults = server.faults
    for fault in (ServerError(502), ServerError(503), CutBefore(), CutAfter(), RateLimit(0.05)):
        faults.add(fault, on="create_message", rate=0.01, times=None)
    faults.add(ServerError(500, processed=True), on="create_message", rate=0.01, times=None)
    faults.add(ServerError(503), on="get_channel_messages", rate=0.05, times=None)
    faults.add(CutAfter(), on="MESSAGE_CREATE", rate=0.003, times=None)
    faults.add(Duplicate(), on="MESSAGE_CREATE", rate=0.01, times=None)
    troubles = [
        server.gateway.reconnect,
        server.gateway.cut,
        server.gateway.invalidate,
        lambda: server.gateway.invalidate(resumable=True),
        lambda: server.gateway.close(4000),
    ]
    # before its first session begins a bot is owed nothing
    server.gateway.wait_until(lambda gateway: gateway.online, timeout=90)
    people[0].says("begin", places[0])
    places[0].wait_for("re: begin", timeout=90)
    said = defaultdict(list)
    kill_at = set(dice.sample(range(messages), kills))
    for number in range(messages):
        place = dice.choice(places)
        dice.choice(people).says(f"m{number}", place)
        said[place.id].append(f"re: m{number}")
        if dice.random() < 0.01:
            dice.choice(troubles)()
        if number in kill_at:
            bot.kill()
            bot.start()
            if dice.random() < 0.5:
                server.gateway.wait_until(lambda gateway: gateway.online, timeout=90)
        elif number % 50 == 49 and dice.random() < 0.5:
            place.wait_for(f"re: m{number}", timeout=120)
    faults.clear()
    for place in places:
        place.wait_for(
            lambda m: m.content != "re: begin", count=len(said[place.id]), timeout=240
        ) if said[place.id] else None
    return places, said, bot.stop().decode(errors="replace")


def check(bot, places, said, shown):
    """Each message was answered exactly once, in order within its chat, as the receipts say."""
    for place in places:
        answers = [one.content for one in place.by_bot() if one.content != "re: begin"]
        assert answers == said[place.id], f"{place.name}\n{shown[-3000:]}"
    there = Counter(one.id for place in places for one in place.by_bot())
    sent = {receipt: ids for receipt, status, ids in bot.receipts() if status == "sent"}
    assert {status for _, status, _ in bot.receipts()} == {"sent"}
    told = Counter(one for ids in sent.values() for one in ids)
    assert set(told.values()) == {1}, "two receipts name one message"
    assert told.keys() <= there.keys(), "a receipt names a message that is not there"
    assert all(len(ids) == 1 for ids in sent.values())
    return len(sent), there.total()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_troubles_and_kills_lose_and_double_nothing(server, config, agent):
    """Cuts, lost sessions, refusals and SIGKILLs: each message is answered once, in order."""
    bot = agent(config())
    outcome = fault_run(server, bot, messages=120, channels=3, threads=2, kills=1, seed=1)
    told, there = check(bot, *outcome)
    assert there == 121
    assert told > there / 2  # the ledger of a killed process lacks its last lines only


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [1])
def test_ten_thousand_messages(server, config, agent, seed, capsys):
    """The same at full size: 20 channels and 5 threads."""
    bot = agent(config())
    outcome = fault_run(server, bot, messages=10_000, channels=20, threads=5, kills=40, seed=seed)
    told, there = check(bot, *outcome)
    assert there == 10_001
    assert told > 9_500
    with capsys.disabled():
        print(f"\n{there} answers, {told} receipts, each once; {server.gateway.story()}")
