"""A person at pipes: plain lines in, plain lines out."""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace

import pytest

from cobot_session.console import Console, ConsoleConfig
from cobot_session.console.screen import printable
from cobot_session.console.transcript import Transcript
from cobot_session.console.typed import HELP, Hint, Quit, Typed, understand
from cobot_session.errors import PermanentError
from cobot_session.messages import OutgoingMessage
from cobot_session.plugin import PluginContext

BOUND = 60.0


class Person:
    """Holds the other end of standard input."""

    def __init__(self, monkeypatch):
        ours, theirs = os.pipe()
        monkeypatch.setattr(sys, "stdin", os.fdopen(ours, encoding="utf-8"))
        self._descriptor = theirs

    def types(self, text: str | bytes) -> None:
        rest = text if isinstance(text, bytes) else text.encode()
        while rest:  # a process that stood still meanwhile has written a part of it
            rest = rest[os.write(self._descriptor, rest) :]

    def leaves(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@pytest.fixture
def person(monkeypatch):
    person = Person(monkeypatch)
    yield person
    person.leaves()
    sys.stdin.close()


@asynccontextmanager
async def console(workspace, **settings):
    channel = Console()
    channel.context = PluginContext(
        channel_type="console",
        log=logging.getLogger("console"),
        workspace=workspace,
        state={},
        session=SimpleNamespace(),
    )
    channel.configure(ConsoleConfig(**settings))
    await channel.start()
    try:
        async with asyncio.timeout(BOUND):
            yield channel
    finally:
        await channel.stop()


async def received(channel, count):
    """Ask until so many messages have come."""
    messages = []
    while len(messages) < count:
        messages += await channel.session_receive()
    return messages


def say(content, **fields):
    return OutgoingMessage("console", "terminal", content, id="x", **fields)


def test_a_typed_line_is_a_message(person, tmp_path):
    """It comes from the person who is logged in, in the direct chat of the terminal."""

    async def main():
        async with console(tmp_path, name="Ann") as channel:
            person.types("hello there\n")
            return await received(channel, 1)

    [message] = asyncio.run(main())
    assert (message.kind, message.id, message.content) == ("message", "1", "hello there")
    assert (message.sender_id, message.sender_name) == (getpass.getuser(), "Ann")
    assert (message.channel_id, message.direct) == ("terminal", True)
    assert message.timestamp.tzinfo is not None


@pytest.mark.parametrize(
    ("typed", "contents"),
    [
        ("one\r\ntwo\n\n  \nthree", ["one", "two", "three"]),
        (b"\xff caf\xc3\xa9\n", ["\ufffd café"]),
        ("x" * 200_000 + "\n", ["x" * 200_000]),
    ],
)
def test_lines_are_told_from_whatever_is_written(person, tmp_path, typed, contents):
    """Both ends of line, the last line without one, blank lines, long lines, and wrong bytes."""

    async def main():
        async with console(tmp_path) as channel:
            writer = threading.Thread(target=lambda: (person.types(typed), person.leaves()))
            writer.start()
            messages = await received(channel, len(contents))
            writer.join(BOUND)
            return [message.content for message in messages]

    assert asyncio.run(main()) == contents


def test_keys_differ_for_equal_lines(person, tmp_path):
    """The same words typed twice, or after a restart, are two messages."""

    async def main():
        keys = []
        for _ in range(2):
            async with console(tmp_path) as channel:
                person.types("yes\nyes\n")
                keys += [message.key for message in await received(channel, 2)]
        return keys

    assert len(set(asyncio.run(main()))) == 4


def test_a_line_about_another_message(person, tmp_path):
    """Replies, reactions, edits and deletions arrive as what they are."""

    async def main():
        async with console(tmp_path) as channel:
            person.types("first\n")
            await received(channel, 1)
            await channel.session_send(say("second"))
            person.types(
                "/reply 2 third\n/react 2 👍\n/react 2\n/edit 1 1st\n/delete 1\n//fourth\n"
            )
            return await received(channel, 6)

    found = asyncio.run(main())
    assert [(m.kind, m.content, m.reply_to) for m in found] == [
        ("message", "third", "2"),
        ("reaction", "👍", "2"),
        ("reaction", "", "2"),
        ("edit", "1st", None),
        ("deletion", "", None),
        ("message", "/fourth", None),
    ]
    assert [m.id for m in found][0::3] == ["3", "1"]
    assert "edited_at" in found[3].metadata


@pytest.fixture
def transcript():
    transcript = Transcript()
    transcript.add("mine", typed=True)
    transcript.add("theirs", typed=False)
    return transcript


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("/help", HELP),
        ("/start", "There is no /start. Type /help for what there is, //start to send it as text"),
        ("/reply", "Type /reply NUMBER TEXT"),
        ("/reply 2 ", "Type /reply NUMBER TEXT"),
        ("/react", "Type /react NUMBER EMOJI"),
        ("/delete 1 now", "Type /delete NUMBER"),
        ("/react 9 👍", "There is no message 9"),
        ("/edit 2 better", "Message 2 is not yours"),
        ("/delete 2", "Message 2 is not yours"),
    ],
)
def test_a_line_that_cannot_be_sent_gets_a_hint(transcript, line, hint):
    """The hint says what to type instead."""
    with pytest.raises(Hint) as raised:
        understand(line, transcript)
    assert str(raised.value) == hint


@pytest.mark.parametrize("line", ["/quit", "/exit"])
def test_leaving_by_a_command(transcript, line):
    """There are words for who does not know Ctrl-D."""
    with pytest.raises(Quit):
        understand(line, transcript)


def test_a_message_has_its_number_for_long_but_not_for_ever():
    """Of very many messages the latest thousand can be referred to."""
    transcript = Transcript()
    for _ in range(3000):
        transcript.add("text", typed=True)
    assert understand("/edit 2001 new", transcript) == Typed("edit", "new", id="2001")
    with pytest.raises(Hint, match="There is no message 2000"):
        understand("/edit 2000 new", transcript)


def shown(capsys, tmp_path, script):
    """Return the lines that a script of hook calls shows."""

    async def main():
        async with console(tmp_path) as channel:
            await script(channel)

    asyncio.run(main())
    return capsys.readouterr().out.splitlines()


def test_answers_are_plain_lines(person, tmp_path, capsys):
    """A message is a line; its further lines stand below its first, so none passes for another."""

    async def script(channel):
        assert await channel.session_send(say("hello")) == "1"
        assert await channel.session_send(say("two\nbot> lines")) == "2"

    assert shown(capsys, tmp_path, script) == ["bot> hello", "bot> two", "     bot> lines"]


def test_an_answer_names_what_it_quotes_unless_it_is_the_latest(person, tmp_path, capsys):
    """The number of the quoted message is shown where it would not be understood."""

    async def script(channel):
        person.types("one\ntwo\n")
        await received(channel, 2)
        await channel.session_send(say("to one", reply_to="1"))
        await channel.session_send(say("to two", reply_to="2"))

    assert shown(capsys, tmp_path, script) == ["bot (to 1)> to one", "bot> to two"]


def test_changes_are_shown(person, tmp_path, capsys):
    """Growing text shows what came to it, an edit the new text, and the rest is told in words."""

    async def script(channel):
        await channel.session_send(say("I think"))
        await channel.session_edit("terminal", "1", "I think so.\n")
        await channel.session_edit("terminal", "1", "I think so.\n\nYes.")
        await channel.session_edit("terminal", "1", "I think so.\n\nYes.")
        await channel.session_edit("terminal", "1", "No.")
        await channel.session_react("terminal", "1", "👍")
        await channel.session_react("terminal", "1", "")
        await channel.session_delete("terminal", "1")
        await channel.session_delete("terminal", "1")

    assert shown(capsys, tmp_path, script) == [
        "bot> I think",
        "bot…> so.",
        "      ",
        "bot…> Yes.",
        "bot (edits 1)> No.",
        "* bot reacts to 1: 👍",
        "* bot takes back its reaction to 1",
        "* bot deletes 1",
    ]


def test_presence_and_typing_disturb_no_pipe(person, tmp_path, capsys):
    """What passes is not written where it would stay."""

    async def script(channel):
        await channel.session_presence("busy")
        await channel.session_typing("terminal")

    assert shown(capsys, tmp_path, script) == []


@pytest.mark.parametrize("name", ["session_edit", "session_react"])
def test_what_is_about_no_message_is_refused_for_good(person, tmp_path, name):
    """A number that nobody has is a permanent error that names the argument."""

    async def main():
        async with console(tmp_path) as channel:
            with pytest.raises(PermanentError, match="msg_id: there is no message '7'"):
                await getattr(channel, name)("terminal", "7", "x")

    asyncio.run(main())


def test_another_chat_is_refused_for_good(person, tmp_path):
    """There is one chat, and the error names it."""

    async def main():
        async with console(tmp_path) as channel:
            with pytest.raises(PermanentError, match="channel_id: 'x' is not 'terminal'"):
                await channel.session_send(OutgoingMessage("console", "x", "hello"))
            assert channel.session_default_chat() == "terminal"

    asyncio.run(main())


def test_an_output_that_is_gone_is_a_permanent_error(person, tmp_path, monkeypatch):
    """When nobody reads any more, what is sent says so and is not tried for ever."""
    ours, theirs = os.pipe()
    os.close(ours)
    output = os.fdopen(theirs, "w")
    monkeypatch.setattr(sys, "stdout", output)

    async def main():
        async with console(tmp_path) as channel:
            with pytest.raises(PermanentError, match="cannot be written to"):
                await channel.session_send(say("hello"))

    asyncio.run(main())
    with suppress(BrokenPipeError):
        output.close()


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\x1b]0;title\x9c", r"\x1b]0;title\x9c"),
        ("a\rb\r\nc\td\x7f", "a\\rb\nc\td\\x7f"),
        ("\u202eevil\u2066\u2028", r"\u202eevil\u2066\u2028"),
        ("\ud83d", r"\ud83d"),
        ("שלום 👨‍👩‍👧 é", "שלום 👨‍👩‍👧 é"),
    ],
)
def test_nothing_in_a_text_commands_the_terminal(text, harmless):
    """Control characters, turned writing and half characters are spelt out; letters stay."""
    assert printable(text) == harmless


def test_names_do_not_command_the_terminal_either(person, tmp_path, capsys):
    """The configured name of the agent is shown as safely as its text."""

    async def main():
        async with console(tmp_path, bot_name="b\x1bot") as channel:
            await channel.session_send(say("hello\x1b[2J"))

    asyncio.run(main())
    assert capsys.readouterr().out == "b\\x1bot> hello\\x1b[2J\n"


def test_the_end_is_told_after_all_was_taken(person, tmp_path):
    """`on_eof` is called once: by the `session_receive` that acknowledges the last line."""
    left = asyncio.Event()
    told = []

    def on_eof():
        told.append("left")
        left.set()

    async def main():
        async with console(tmp_path, on_eof=on_eof) as channel:
            person.types("last\n")
            person.leaves()
            assert [m.content for m in await received(channel, 1)] == ["last"]
            assert told == []
            waiting = [asyncio.create_task(channel.session_receive()) for _ in range(2)]
            await left.wait()
            done, _ = await asyncio.wait(waiting, timeout=0.2)
            for task in waiting:
                task.cancel()
            return done

    assert asyncio.run(main()) == set()
    assert told == ["left"]


def test_quitting_is_an_end_too(person, tmp_path):
    """What is typed after `/quit` is not read."""
    left = asyncio.Event()

    async def main():
        async with console(tmp_path, on_eof=left.set) as channel:
            person.types("one\n/quit\ntwo\n")
            assert [m.content for m in await received(channel, 1)] == ["one"]
            receiving = asyncio.create_task(channel.session_receive())
            await left.wait()
            receiving.cancel()

    asyncio.run(main())


def test_after_the_end_answers_are_still_shown(person, tmp_path, capsys):
    """The end of input is not the end of output."""

    async def script(channel):
        person.leaves()
        receiving = asyncio.create_task(channel.session_receive())
        await asyncio.wait([channel._listening])
        await channel.session_send(say("still here"))
        receiving.cancel()

    assert shown(capsys, tmp_path, script) == ["bot> still here"]


@pytest.mark.parametrize("stdin", [None, "closed", "no descriptor"])
def test_without_standard_input_it_has_ended(tmp_path, monkeypatch, stdin):
    """A service has no standard input: the channel runs, and nothing ever comes."""
    left = asyncio.Event()
    if stdin == "closed":
        stdin = open(os.devnull)  # noqa: PTH123, SIM115 - closed right here
        stdin.close()
    elif stdin is not None:
        stdin = SimpleNamespace(isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)

    async def main():
        async with console(tmp_path, on_eof=left.set) as channel:
            receiving = asyncio.create_task(channel.session_receive())
            await left.wait()
            receiving.cancel()

    asyncio.run(main())


def test_a_file_can_be_standard_input(tmp_path, monkeypatch):
    """A file, which no event loop can wait for, is read to its end."""
    script = tmp_path / "script"
    script.write_text("one\ntwo\n")
    monkeypatch.setattr(sys, "stdin", script.open())

    async def main():
        async with console(tmp_path) as channel:
            return [m.content for m in await received(channel, 2)]

    assert asyncio.run(main()) == ["one", "two"]
    sys.stdin.close()


def test_input_that_nobody_receives_is_left_unread(person, tmp_path):
    """While the session takes nothing, a program that writes a lot is held up, not buffered."""

    async def main():
        async with console(tmp_path) as channel:
            lines = "a line of several words\n" * 10_000
            written = asyncio.create_task(asyncio.to_thread(person.types, lines))
            _, waiting = await asyncio.wait([written], timeout=0.5)
            assert waiting == {written}
            assert len(await received(channel, 10_000)) == 10_000
            await written

    asyncio.run(main())


def test_stopping_lets_go_of_the_input(person, tmp_path):
    """After `stop` nothing reads standard input: the next one to read gets all of it."""

    async def main():
        before = set(threading.enumerate())
        async with console(tmp_path) as channel:
            receiving = asyncio.create_task(channel.session_receive())
            await asyncio.sleep(0)
        receiving.cancel()
        assert set(threading.enumerate()) <= before
        assert len(asyncio.all_tasks()) == 1
        person.types("for the next\n")
        async with console(tmp_path) as channel:
            return await received(channel, 1)

    assert asyncio.run(main())[0].content == "for the next"


def test_a_failed_start_can_be_stopped():
    """`stop` is called also where `start` never was."""
    asyncio.run(Console().stop())


def test_who_has_the_terminal_may_write():
    """The gate lets the person in without a list of ids."""
    assert ConsoleConfig().access() == {"open": True, "rates": False}


def test_the_callback_is_no_setting_of_a_file():
    """The schema for editors leaves it out, and text is refused with a reason."""
    assert set(ConsoleConfig.model_json_schema()["properties"]) == {"name", "bot_name", "history"}
    with pytest.raises(ValueError, match="should be callable"):
        ConsoleConfig(on_eof="beep")


def test_importing_the_console_is_cheap():
    """The line editor is imported where there is a terminal, and rich is not used at all."""
    program = (
        "import sys, cobot_session.console;"
        "print({'prompt_toolkit', 'rich', 'typer'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=BOUND
    )
    assert found.stdout == "set()\n"
