"""`chat` and `demo`: in a terminal, and without one."""

from __future__ import annotations

import sqlite3

import pytest

from cobot_session.spool.schema import MIGRATIONS

AGENT = """
    import time

    def slowly(message):
        time.sleep(0.3)
        return f"at last: {message.content}"

    def fail(message):
        raise RuntimeError("cannot")
"""

DROP = """
    import json
    from datetime import datetime, timezone
    from pathlib import Path

    from pydantic import BaseModel
    from cobot_session import AuthError, IncomingMessage, Plugin, PluginMeta

    class Settings(BaseModel):
        path: Path

        def access(self):
            return {"open": True}

    class Drop(Plugin):
        meta = PluginMeta("filedrop", "9.0")
        config_model = Settings

        def start(self):
            for name in ("in", "out/chat"):
                (self.config.path / name).mkdir(parents=True)

        def session_receive(self):
            now = datetime.now(timezone.utc)
            found = []
            for file in (self.config.path / "in").glob("*.txt"):
                text = file.read_text().strip()
                found.append(IncomingMessage(file.name, "", "chat", "1", "Ann", text, now))
                file.unlink()
            return found

        def change(self, name, **fields):
            file = self.config.path / "out" / "chat" / f"{name}.json"
            before = json.loads(file.read_text()) if file.exists() else {}
            part = file.with_suffix(".part")
            part.write_text(json.dumps(before | fields))
            part.rename(file)
            return name

        def session_send(self, message):
            return self.change(message.id, text=message.content)

        def session_edit(self, channel_id, msg_id, content):
            self.change(msg_id, text=content)

        def session_react(self, channel_id, msg_id, emoji):
            self.change(msg_id, reaction=emoji)
"""
CONSOLE_PART = """\
# Somebody types at the console.
you> hello
bot> You said: hello

# What was said can be changed, and reacted to.
you> think about it
bot> Thinking …
bot (edits 4)> I have thought about it.
* bot reacts to 4: 👍

"""


def test_chat_echoes_without_an_agent(cli):
    """Without `--agent` an echo answers; the end of input ends it with 0."""
    done = cli("chat", stdin="hello\n")
    assert (done.returncode, done.stdout) == (0, "bot> You said: hello\n")


def test_chat_waits_for_answers_on_their_way(cli):
    """Who leaves at once still gets every answer."""
    cli.write("agent.py", AGENT)
    done = cli("chat", "--agent", "agent:slowly", stdin="one\ntwo\n")
    assert done.returncode == 0
    assert "at last: one" in done.stdout
    assert done.stdout.endswith("at last: two\n")


def test_chat_that_could_not_answer_ends_with_1(cli):
    """What the agent failed on is told, and the exit code says so."""
    cli.write("agent.py", AGENT)
    cli.configure({"session": {"max_deliveries": 1}})
    done = cli("chat", "--agent", "agent:fail", stdin="hello\n")
    assert done.returncode == 1
    assert "RuntimeError: cannot" in done.stderr
    assert "a dead letter: handed out 1 time and never acknowledged" in done.stderr


def test_chat_works_beside_a_session(cli, peer):
    """A running session is neither disturbed nor needed."""
    cli.start("listen").logs("listening on wire")
    assert cli("chat", stdin="hello\n").stdout == "bot> You said: hello\n"


@pytest.mark.lowest
def test_chat_in_a_terminal(cli):
    """A person types, reads the answer, and leaves with Ctrl-D."""
    seat = cli.sit_down("chat")
    seat.sees("[1]")
    seat.types("hello\r")
    seat.sees("bot> You said: hello")
    seat.types("\x04")
    assert seat.ends() == 0


def test_ctrl_c_ends_a_chat_in_a_terminal(cli):
    """Ctrl-C ends it with 130 and without a traceback."""
    seat = cli.sit_down("chat")
    seat.sees("[1]")
    seat.types("\x03")
    assert seat.ends() == 130
    assert not any("Traceback" in line for line in seat.lines)


@pytest.mark.lowest
def test_demo_shows_a_conversation_on_both_channels(cli):
    """Without a terminal, the demonstration talks to itself and ends with 0."""
    cli.site.install("cobot-filedrop", {"filedrop": "drop:Drop"}, "9.0", drop=DROP)
    done = cli("demo")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("One session on console and filedrop. Nothing is configured.\n")
    assert "json: You said: hello from a file\n" in done.stdout
    assert "json: I have thought about it. 👍\n" in done.stdout
    assert CONSOLE_PART in done.stdout
    assert done.stdout.splitlines()[-1].startswith("All of it happened: an answer to a file, ")


def test_demo_without_the_channel_of_files(cli):
    """Where `filedrop` is not installed, that is said, and the console is shown alone."""
    cli.site.install("cobot-filedrop", {"other": "drop:Drop"}, "9.0", drop=DROP)
    done = cli("demo")
    assert done.returncode == 0, done.stdout
    assert "filedrop: left out; it is an example of the repository, in `examples/" in done.stdout
    assert "No network is installed. `pip install " in done.stdout
    assert CONSOLE_PART in done.stdout


def test_demo_tells_what_did_not_happen(cli):
    """A promise that is not kept is named, and the exit code is 1."""
    broken = DROP.replace("def start(self):", 'def start(self):\n            raise AuthError("no")')
    cli.site.install("cobot-filedrop", {"filedrop": "drop:Drop"}, "9.0", drop=broken)
    done = cli("demo")
    assert done.returncode == 1
    missing = "an answer to a file, an edit and a reaction to a file"
    assert f"NOT all of it happened. Missing: {missing}.\n" in done.stdout
    assert CONSOLE_PART in done.stdout


def test_demo_leaves_nothing_behind(cli, tmp_path):
    """The workspace was temporary, and nobody's settings were touched."""
    cli.write("cobot.yml", "plugins: [\n")
    place = tmp_path / "temporary"
    place.mkdir()
    before = sorted(cli.folder.iterdir())
    assert cli("demo", env={"TMPDIR": str(place)}).returncode == 0
    assert list(place.iterdir()) == []
    assert sorted(cli.folder.iterdir()) == before


def test_demo_ends_by_itself_in_a_terminal(cli):
    """Nobody has to do anything: it shows what there is, and ends."""
    seat = cli.sit_down("demo")
    assert seat.ends() == 0
    assert any(line.startswith("All of it happened") for line in seat.lines)


def test_demo_tells_what_a_network_lacks(cli):
    """A channel whose local server cannot be imported is left out, with what to install."""
    cli.site.install("cobot-zulip", {"zulip": "zulip:Zulip"}, "9.0", zulip=DROP)
    points = next(cli.site.folder.glob("cobot_zulip*")) / "entry_points.txt"
    points.write_text(f"{points.read_text()}\n[cobot.demo]\nzulip = zulip.testing.demo:Scene\n")
    done = cli("demo")
    assert done.returncode == 0, done.stdout
    wanted = 'zulip: left out, since its local server takes `pip install "cobot-zulip[testing]"`.'
    assert wanted in done.stdout


def test_demo_tells_which_networks_are_not_installed(cli):
    """Next to a network that is there, the others are named in one line, with what adds them."""
    cli.site.install("cobot-telegram", {"telegram": "drop:Drop"}, "9.0", drop=DROP)
    points = next(cli.site.folder.glob("cobot_telegram*")) / "entry_points.txt"
    points.write_text(f"{points.read_text()}\n[cobot.demo]\ntelegram = absent.demo:Scene\n")
    wanted = '`pip install "cobot-discord[testing]" "cobot-nostr[testing]"` adds what runs'
    assert f"Left out: discord and nostr. {wanted}" in cli("demo").stdout


def test_demo_refuses_a_picture_in_no_folder(cli):
    """What could not be written at the end is told at the beginning."""
    done = cli("demo", "--svg", "nowhere/picture.svg")
    assert done.returncode == 2
    assert "there is no folder for picture.svg" in done.stderr


def test_demo_lets_a_person_talk(cli):
    """With `--serve` a person has the last word, and leaves with Ctrl-D."""
    seat = cli.sit_down("demo", "--serve")
    seat.sees("Now it is your turn")
    seat.sees("[1] you>")
    seat.types("hi\r")
    seat.sees("bot> You said: hi")
    seat.types("\x04")
    assert seat.ends() == 0
    assert any(line.startswith("All of it happened") for line in seat.lines)


def test_a_spool_of_an_older_version_is_brought_up_to_date(cli):
    """The first `chat` after an upgrade works as any other."""
    folder = cli.workspace / "chat"
    folder.mkdir(mode=0o700, parents=True)
    db = sqlite3.connect(folder / "session.db", isolation_level=None)
    db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    db.close()
    cli.configure({})
    done = cli("chat", stdin="hello\n")
    assert (done.returncode, "You said: hello" in done.stdout) == (0, True)


def test_chat_leaves_a_workspace_that_a_session_takes(cli):
    """What it makes on a fresh machine is closed to others, as every session's is."""
    cli("chat", stdin="hello\n")
    (made,) = (cli.folder / "data").iterdir()
    assert made.stat().st_mode & 0o777 == 0o700
