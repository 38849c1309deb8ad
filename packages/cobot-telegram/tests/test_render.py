"""One message becomes parts that Telegram takes."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_session.errors import PermanentError
from cobot_session.messages import Media, OutgoingMessage
from cobot_telegram.entities import _PLAIN, _converted, convert, utf16_length
from cobot_telegram.parts import Cutter, cut
from cobot_telegram.render import render
from cobot_telegram.testing.text import checked


def message(content: str = "", **more: Any) -> OutgoingMessage:
    return OutgoingMessage(channel_id="1001", content=content, **more)


def texts(content: str, **more: Any) -> list[str]:
    return [part.content for part in render(message(content, **more))]


def test_markdown_becomes_text_and_entities() -> None:
    """A part's content is what is shown; the formatting stands in its metadata."""
    (part,) = render(message("**bold** and [link](http://e.org)"))
    assert part.content == "bold and link"
    assert part.metadata["entities"] == [
        {"type": "bold", "offset": 0, "length": 4},
        {"type": "text_link", "offset": 9, "length": 4, "url": "http://e.org"},
    ]


def test_plain_text_stays_as_it_is() -> None:
    """`format: text` means what is written, stars and all."""
    (part,) = render(message("**not bold** <b>", metadata={"format": "text"}))
    assert part.content == "**not bold** <b>"
    assert "entities" not in part.metadata


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("use <div> here", "use <div> here"),
        ("<div>\nhello *you*\n</div>", "<div>\nhello you\n</div>"),
        ("<!-- note -->", "<!-- note -->"),
        ("[docs](guide.md) **x**", "docs (guide.md) x"),
        ("[name]: http://e.org", "[name]: http://e.org"),
        ("a\x00b\rc\td", "a b\nc   d"),
        ("lone \ud83d half", "lone \ufffd half"),
        ("||secret||", "secret"),
        ("1 < 2 > 0", "1 < 2 > 0"),
    ],
)
def test_nothing_vanishes_in_conversion(markdown: str, shown: str) -> None:
    """HTML is shown, targets Telegram refuses are written out, odd characters are replaced."""
    assert convert(markdown)[0] == shown


def test_an_entity_after_a_written_out_target_is_moved() -> None:
    """Offsets count what was put in before them."""
    text, entities = convert("[🙂](x.md) **bold**")
    (bold,) = [e for e in entities if e["type"] == "bold"]
    assert text[bold["offset"] - 1 :] == "bold"


def test_a_long_text_is_cut_at_paragraphs() -> None:
    """A cut goes to the end of a paragraph in the later half of a part."""
    paragraph = "word " * 300
    parts = texts(f"{paragraph}\n\n{paragraph}\n\n{paragraph}\n\n{paragraph}")
    assert [len(part.strip()) for part in parts] == [3000, 3000]


def test_a_cut_goes_around_links_and_characters() -> None:
    """Neither a link nor a character of several code points is cut."""
    family = "👨‍👩‍👧‍👦"
    parts = texts(family * 700, metadata={"format": "text"})
    assert all(len(part) % len(family) == 0 for part in parts)
    link = "[some words of a link](http://e.org)"
    for part in render(message(f"{'x' * 4090} {link}")):
        for entity in part.metadata.get("entities", []):
            assert entity["length"] == len("some words of a link")


def test_formatting_beyond_a_hundred_goes_to_the_next_part() -> None:
    """Telegram shows a hundred entities a message, so no part has more."""
    parts = render(message(" ".join(f"**w{n}**" for n in range(250))))
    assert [len(part.metadata["entities"]) for part in parts] == [100, 100, 50]


def test_a_long_code_block_is_code_in_every_part() -> None:
    """What is longer than a part is carried on in the next."""
    code = "\n".join(f"line {n}" for n in range(1500))
    parts = render(message(f"```py\n{code}\n```"))
    assert len(parts) > 2
    assert all(part.metadata["entities"][0]["type"] == "pre" for part in parts)
    assert all(part.metadata["entities"][0]["language"] == "py" for part in parts)


def test_a_short_text_goes_under_the_first_picture() -> None:
    """Up to 1024 units a text is a caption, beyond that a message of its own before."""
    picture = Media("image", data=b"x")
    (part,) = render(message("x" * 1024, media=[picture]))
    assert (part.media, len(part.content)) == ([picture], 1024)
    before, after = render(message("x" * 1025, media=[picture]))
    assert (before.media, len(before.content)) == ([], 1025)
    assert (after.media, after.content) == ([picture], "")


def test_attachments_share_albums_where_they_may() -> None:
    """Pictures and videos go together, at most ten; other kinds and GIFs do not mix in."""
    image, video = Media("image", data=b"i"), Media("video", data=b"v")
    document, voice = Media("document", data=b"d"), Media("voice", data=b"o")
    gif = Media("image", data=b"g", filename="a.GIF")
    parts = render(message(media=[image, video, document, document, voice, gif, image]))
    assert [part.media for part in parts] == [
        [image, video],
        [document, document],
        [voice],
        [gif],
        [image],
    ]
    many = render(message(media=[image] * 21))
    assert [len(part.media) for part in many] == [10, 10, 1]


def test_only_the_first_part_quotes_and_only_the_last_has_buttons() -> None:
    """A reply quotes once; buttons stand at the end."""
    parts = render(message("x" * 5000, reply_to="7", metadata={"buttons": [["Yes", "No"]]}))
    assert [part.reply_to for part in parts] == ["7", None]
    assert ["keyboard" in part.metadata for part in parts] == [False, True]
    assert parts[-1].metadata["keyboard"][0][1] == {"text": "No", "callback_data": "No"}


@pytest.mark.parametrize(
    "wrong",
    [
        message(""),
        message(" \n"),
        OutgoingMessage(channel_id="everybody", content="x"),
        OutgoingMessage(channel_id="-100/x", content="x"),
        message("x", metadata={"buttons": ["Yes"]}),
        message("x", metadata={"buttons": [[{"data": "no text"}]]}),
        message("x", metadata={"buttons": [["x" * 65]]}),
    ],
)
def test_what_cannot_be_sent_is_refused_for_good(wrong: OutgoingMessage) -> None:
    """Nothing to send, no address, wrong buttons: trying again would change nothing."""
    with pytest.raises(PermanentError):
        render(wrong)


BLOCKS = st.sampled_from(
    [
        "| a | b |\n|---|---|\n| 1 | **2** |\n",
        "```py\nprint('x')\n```\n",
        "````\n```\nnested\n```\n````\n",
        "> quote\n> > deeper\n",
        "- item\n  - inner\n    1. one\n",
        "# heading *one*\n",
        "**bold *both*** ~~gone~~ ||secret||",
        "[link](http://e.org/a_(b)) ![img](http://e.org/i.png) [x](y.md)",
        "עברית العربية ",
        "👨‍👩‍👧‍👦🇩🇪🏳️‍🌈é ",
        "<div>html</div>\n<br>\n\n",
        "`code ` ``a`b`` ",
        "$x^2$ \\[ \\frac{1}{2} \\] $5 to $6 ",
        "word " * 300,
        "x" * 5000,
        "🙂" * 2100,
        "\n\n",
        "\\* \\_ &amp; \u200b\u00ad",
        "- [x] done\n- [ ] open\n",
    ]
)
MARKDOWN = st.lists(BLOCKS | st.text(max_size=40), max_size=8).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.from_regex(_PLAIN, fullmatch=True))
def test_what_is_taken_for_plain_is_plain(text: str) -> None:
    """A line that is not given to the Markdown parser is what the parser would make of it."""
    assert convert(text) == _converted(text) == (text, [])


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@settings(max_examples=150, deadline=None)
@given(MARKDOWN)
def test_any_markdown_becomes_parts_that_are_the_text(markdown: str) -> None:
    """Each part is accepted as the server checks it; joined they are the rendered text."""
    text, entities = convert(markdown)
    parts = cut(text, entities)
    for content, found in parts:
        kept, _ = checked(content, found, 4096, "message")
        assert kept
        assert utf16_length(content) <= 4096
        assert len(found) <= 100
    joined = "".join(content for content, _ in parts)
    assert squeezed(joined) == squeezed(text)
    if not re.search(r"\s{500,}", text):
        assert joined.strip() == text.strip()


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=300), st.integers(2, 50))
def test_any_text_is_cut_to_any_size_and_joined_again(text: str, limit: int) -> None:
    """Whatever the text, no part is longer than the limit and nothing is lost."""
    text = text.encode("utf-16-le", "replace").decode("utf-16-le", "replace")
    parts = [content for content, _ in cut(text, [], limit)]
    assert parts == [content for content, _ in Cutter(text, [], limit).parts()]
    assert all(utf16_length(part) <= limit for part in parts)
    assert squeezed("".join(parts)) == squeezed(text)
