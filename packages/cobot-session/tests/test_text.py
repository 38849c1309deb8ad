"""Texts are cut to any size in any unit, at good places, and nothing of them is lost."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wcwidth import iter_graphemes

from cobot_session.messages import MAX_ID_LENGTH, Media, OutgoingMessage, new_id
from cobot_session.plugin import Limits
from cobot_session.text import join, length, part_id, render, split

UNITS = ("codepoint", "utf16", "byte")
WIDEST = {"codepoint": 1, "utf16": 2, "byte": 4}

EMOJI = ["👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "👍🏽", "❤️", "🇩🇪", "🇫🇷", "1️⃣", "😀"]
SCRIPTS = ["שלום ", "مرحبا ", "क्षि", "नमस्ते", "각", "漢字", "。", "e\u0301", "a\u0301\u0323\u0308"]
LOOSE = ["\u0301", "\u200d", "\ufe0f", "\u0600", "\ud83d", "\ude00"]  # parts of clusters and pairs
PLAIN = ["a", "word ", "some words. ", "(", ")", "[", "]", "! ", "\u00a0", "\u3000", "x" * 30]
LINES = ["\n", "\n\n", "\r\n", "\r", "\t", "  ", "- ", "1. ", "> ", "# "]
FENCES = ["```", "```py\n", "\n```\n", "~~~\n", "~~~~ a b\n", "````\n", "- ```js\n", "> ```\n"]
FENCED = [
    "```\nline 1\nline 2\n\nline 3\n```\n",
    "> ```\n> x\n> ```\n",
    "    ```\n    y\n    ```\n",
]
LINKS = ["https://example.com/a/b?c=d#e", "[a link](https://x.y/z)", "[![i](u)](v)", "www.x.de"]
PIECES = [*EMOJI, *SCRIPTS, *LOOSE, *PLAIN, *LINES, *FENCES, *FENCED, *LINKS, "`", "~"]

texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.text())
units = st.sampled_from(UNITS)
limits = st.integers(4, 60) | st.integers(60, 300)
thorough = settings(max_examples=300, deadline=None)


def edges(text: str) -> set[int]:
    """Return where the grapheme clusters of a text begin and end, from one pass over all of it."""
    found, at = {0}, 0
    for cluster in iter_graphemes(text):
        at += len(cluster)
        found.add(at)
    return found


def cuts(parts: list[str]) -> list[int]:
    """Return where a text without fences was cut."""
    found, at = [], 0
    for part in parts[:-1]:
        at += len(part)
        found.append(at)
    return found


@thorough
@given(text=texts, limit=limits, unit=units)
def test_no_part_exceeds_the_limit(text, limit, unit):
    """Every part fits, the fences that were added included."""
    assert all(length(part, unit) <= limit for part in split(text, limit, unit))


@thorough
@given(text=texts, limit=limits, unit=units)
def test_joined_parts_are_the_text(text, limit, unit):
    """Joining gives back exactly what was split."""
    assert join(split(text, limit, unit)) == text


@given(text=texts.filter(lambda text: not re.search("```|~~~", text)), limit=limits, unit=units)
def test_without_fences_parts_are_slices(text, limit, unit):
    """In a text without fences nothing is added at all."""
    assert "".join(split(text, limit, unit)) == text


@given(text=texts, unit=units)
def test_the_smallest_limits_make_progress(text, unit):
    """One code point, two UTF-16 units and four bytes hold any text, and no part is empty."""
    parts = split(text, WIDEST[unit], unit)
    assert join(parts) == text
    assert all(parts) or parts == [""]


@pytest.mark.parametrize(
    ("limit", "unit", "text"),
    [(3, "byte", "ok 😀"), (1, "utf16", "ok 😀"), (1, "byte", "ß"), (0, "codepoint", "a")],
)
def test_a_limit_below_one_character_is_refused(limit, unit, text):
    """A limit that one character exceeds is an error that names the limit, the rule and the fix."""
    with pytest.raises(ValueError, match=rf"limit: {limit} \({unit}\) is less than .* Fix: allow"):
        split(text, limit, unit)


def test_a_small_limit_is_fine_for_small_characters():
    """A limit of one byte is refused only for what it cannot hold."""
    assert split("abc", 1, "byte") == ["a", "b", "c"]


@thorough
@given(
    pieces=st.lists(st.sampled_from(EMOJI + SCRIPTS + PLAIN + LOOSE[:4] + LINKS)),
    more=st.integers(0, 60),
    unit=units,
)
def test_no_cluster_is_cut_that_fits(pieces, more, unit):
    """A cut lies between grapheme clusters wherever each of them fits a part."""
    text = "".join(pieces)
    limit = max((length(cluster, unit) for cluster in iter_graphemes(text)), default=4)
    parts = split(text, max(limit, WIDEST[unit]) + more, unit)
    assert set(cuts(parts)) <= edges(text)


def test_a_mark_before_a_link_stays_with_it():
    """A sign that precedes what it joins with, as Arabic number signs do, is not left behind."""
    assert split("漢字漢字漢字\u0600https://x.y/z", 15) == ["漢字漢字漢字", "\u0600https://x.y/z"]


@thorough
@given(
    words=st.lists(st.sampled_from([*LINKS, *EMOJI, *SCRIPTS, "word", "漢字漢字", "(", "**"])),
    gap=st.sampled_from([" ", "\n", "\r\n", "\n\n"]),
    limit=st.integers(62, 120),
    unit=units,
)
def test_no_link_is_cut_that_fits(words, gap, limit, unit):
    """Every Markdown link and every URL stands whole in one part."""
    parts = split(gap.join(words), limit, unit)
    for link in LINKS:
        assert sum(part.count(link) for part in parts) == gap.join(words).count(link)


BEFORE = {"ideographs": "漢字" * 30, "words": "some words, " * 5, "letters": "x" * 60}


@pytest.mark.parametrize(
    "link",
    [
        "https://en.wikipedia.org/wiki/Cut_(music)_x",
        "https://[2001:db8::1]:8080/status",
        "[a label over\ntwo lines with words](https://example.com)",
        '[titled](https://example.com "a title with words")',
        "[![badge](https://img.example/b.svg)](https://ci.example)",
        "mailto:someone@example.com",
        "[x](y)\u0301\u0323",
    ],
)
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_the_forms_of_links(link, before):
    """Parentheses, brackets, titles and labels of several words belong to their link."""
    for limit in range(len(link), len(link) + 60):
        parts = split(f"{before}{' ' * before.isascii()}{link} and after", limit)
        assert any(link in part for part in parts), limit


def test_a_url_ends_at_wide_punctuation():
    """A URL in a text without spaces does not take the next sentence along."""
    text = "请看https://example.com/abc，" + "然后继续" * 10  # noqa: RUF001
    assert split(text, 26)[0] == "请看https://example.com/abc，"  # noqa: RUF001


def test_a_link_too_long_keeps_its_address_whole():
    """A link that fits nowhere is cut in its label; its URL still stands whole."""
    url = "https://example.com/" + "a" * 20
    parts = split(f"[{'many words ' * 10}]({url})", 60)
    assert any(url in part for part in parts)
    assert all(part.rstrip().endswith("words") for part in parts[:-1])


def test_a_url_too_long_is_cut_and_kept():
    """A URL of 5,000 characters passes a limit of 2,000 in three full pieces."""
    url = "https://example.com/" + "a" * 4980
    assert [len(part) for part in split(url, 2000)] == [2000, 2000, 1000]
    assert join(split(url, 2000)) == url


def test_a_cluster_too_long_is_cut_between_code_points():
    """A cluster that no part can hold is divided, never dropped."""
    text = "a" + "\u0301" * 30
    parts = split(text, 8)
    assert join(parts) == text
    assert max(map(len, parts)) == 8


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("A line.\nAn end.\n\nMore words. And more\nof them", "A line.\nAn end.\n\n"),
        ("It was a sentence. More words\nand more of them here", "It was a sentence. More words\n"),
        ("It was a sentence. More words and more of them", "It was a sentence. "),
        ("some words and more words without an end", "some words and more words "),
        (
            "漢字仮名交じり文漢字仮名交じり文。漢字仮名交じり文漢字仮名交じり文",
            "漢字仮名交じり文漢字仮名交じり文。",
        ),
    ],
)
def test_the_best_place_is_taken(text, first):
    """A paragraph's end is better than a line's, that than a sentence's, that than a word's."""
    assert split(text, 31)[0] == first


def test_no_tiny_part_for_a_better_place():
    """A paragraph's end is not taken when it would leave more than half of the part empty."""
    parts = split("Hi.\n\n" + "many words " * 20, 100)
    assert len(parts[0]) > 90


@given(text=texts.filter(str.strip), limit=limits)
def test_no_part_is_blank_when_white_space_is_short(text, limit):
    """Where no run of white space is as long as half a part, every part has something to show."""
    assume(max(map(len, re.findall(r"\s+", text)), default=0) < limit // 2)
    assume(not re.search("```|~~~|http|www|\\]\\(", text))
    assume(max(map(len, iter_graphemes(text))) < limit // 4)
    assert all(part.strip() for part in split(text, limit))


@pytest.mark.parametrize(
    "text",
    ["x" * 10 + "\n", "word word\n\n", "a" + " " * 14 + "b", "ab   ", "words.\n" + " " * 12 + "b"],
)
def test_white_space_goes_with_something_visible(text):
    """White space at the end of a text, or long in its midst, is no part of its own."""
    limit = min(10, len(text) - 1)
    parts = split(text, limit)
    assert "".join(parts) == text
    assert all(part.strip() for part in parts)


CODE = (
    "Look:\n\n```python title\n" + "".join(f"line_{n} = {n}\n" for n in range(20)) + "```\nDone.\n"
)


def test_a_cut_code_block_is_closed_and_opened_again():
    """Every part of a code block is a code block, with the info string of the whole."""
    parts = split(CODE, 100)
    for left, right in pairwise(parts[:-1]):
        assert left.endswith("\n```")
        assert right.startswith("```python title\nline_")
    for part in parts:
        assert len(re.findall(r"^```", part, re.MULTILINE)) % 2 == 0
    assert "".join(parts) != CODE
    assert join(parts) == CODE


def test_a_code_block_that_fits_is_left_whole():
    """A cut goes before a code block rather than into it."""
    text = "word " * 12 + "\n```\n" + "code code\n" * 5 + "```\n"
    assert split(text, 100)[1] == text[61:]


def test_a_line_of_code_too_long_is_joined_without_a_break():
    """The newline that is added in the middle of a line is told from one of the text."""
    text = f"```\n{'x' * 200}\n```"
    parts = split(text, 60)
    assert parts[0].endswith("x\n``` ")
    assert join(parts) == text


@pytest.mark.parametrize(
    ("opening", "again", "bar"),
    [
        ("```` md", "```` md", "````"),
        ("~~~ a `b`", "~~~ a `b`", "~~~"),
        ("  ```sh", "  ```sh", "  ```"),
        ("- ```sh", "  ```sh", "  ```"),
        ("1. ```sh\r", "   ```sh", "   ```"),
        ("> ```sh", "> ```sh", "> ```"),
    ],
)
def test_the_forms_of_fences(opening, again, bar):
    """Longer fences, tildes, and fences in lists and quotes are opened again where they stood."""
    text = f"{opening}\n" + f"{bar.rstrip('`~')}code ```\n" * 20 + f"{bar}\nafter the code"
    first, second, *_, last = split(text, 80)
    assert first.endswith(f"\n{bar}")
    assert second.startswith(f"{again}\n")
    assert last.endswith("after the code")
    assert join(split(text, 80)) == text


@pytest.mark.parametrize(
    "text",
    [
        "word " * 4 + "\n```py\n" + "code " * 20 + "\n```\n",
        "```py\n" + "x = 1234\n" * 4 + "```\n" + "word " * 20,
        "```py\n" + "code " * 7 + "\n```\n" + "word " * 20,
    ],
)
def test_no_empty_code_block(text):
    """A cut beside a fence would leave a block without code: it goes elsewhere."""
    for limit in range(40, 60):
        parts = split(text, limit)
        assert join(parts) == text
        assert not any(re.search(r"```py\n+```", part) for part in parts)


def test_room_is_kept_for_the_fence_that_is_cut():
    """A block whose closing line is longer than that of the next, and than its own, still fits."""
    text = "> > > > ```\n" + "> > > > line\n" * 3 + ">x\n```\n" + "word " * 20
    for limit in range(52, 80):
        parts = split(text, limit)
        assert max(map(len, parts)) <= limit
        assert join(parts) == text


def test_a_quote_ends_its_code_block():
    """A block in a quote that nobody closed ends with the quote: what follows gets no fences."""
    text = "> ```\n> code\n\n" + "many words " * 30
    assert "".join(split(text, 60)) == text


@given(
    runs=st.lists(st.sampled_from(["```", "```\n", "``", "`", " ", "~~~", "\n", "x"]), max_size=40)
)
def test_fences_of_the_text_are_not_taken_for_added_ones(runs):
    """A text made of nothing but fences is joined right at every limit."""
    text = "".join(runs)
    assert all(join(split(text, limit)) == text for limit in range(1, 50))


@pytest.mark.parametrize(
    "piece",
    ["`", "\n", " ", "[", "[a](b '", "> ```a\n", "~~~\n", "http://(", "a+b.", " \u0301", "\u0301"],
)
def test_work_grows_with_the_text_not_with_its_square(piece):
    """Half a million characters of what tempts a scanner to look ahead are split in one go."""
    text = piece * (500_000 // len(piece))
    assert join(split(text, 4000)) == text


@pytest.mark.parametrize(
    ("text", "codepoints", "utf16", "utf8"), [("añ", 2, 2, 3), ("😀", 1, 2, 4), ("\ud83d", 1, 1, 3)]
)
def test_length(text, codepoints, utf16, utf8):
    """A text has a length in each unit, a lone surrogate too."""
    assert [length(text, unit) for unit in UNITS] == [codepoints, utf16, utf8]


def message(content="", **fields):
    return OutgoingMessage("chan", "chat", content, id="abc", **fields)


def test_a_message_that_fits_is_its_own_only_part():
    """Nothing is copied or changed where nothing has to be."""
    whole = message("hello", reply_to="7")
    assert render(whole, Limits(text=5)) == [whole]


def test_an_empty_message_is_one_part():
    """What an empty message means is the channel's to say."""
    assert render(message(), Limits(text=5)) == [message()]


def test_parts_of_a_message():
    """The first part quotes, all carry the metadata, each its own copy, and each has an id."""
    parts = render(
        message("one two three", reply_to="7", metadata={"silent": True}), Limits(text=5)
    )
    assert [part.content for part in parts] == ["one ", "two ", "three"]
    assert [part.reply_to for part in parts] == ["7", None, None]
    assert [part.id for part in parts] == ["abc", "abc~1", "abc~2"]
    assert [part.metadata for part in parts] == [{"silent": True}] * 3
    assert parts[0].metadata is not parts[1].metadata


FILES = [Media(url=f"https://x.y/{n}") for n in range(5)]


@pytest.mark.parametrize(
    ("content", "limits", "shape"),
    [
        ("text", Limits(files=10), [("text", 5)]),
        ("text", Limits(files=2), [("text", 2), ("", 2), ("", 1)]),
        ("", Limits(files=3), [("", 3), ("", 2)]),
        ("a caption", Limits(text=20, caption=9, files=5), [("a caption", 5)]),
        ("a caption", Limits(text=20, caption=8, files=5), [("a caption", 0), ("", 5)]),
        ("a caption", Limits(text=20, caption=0, files=5), [("a caption", 0), ("", 5)]),
        ("one two three", Limits(text=5, files=5), [("one ", 0), ("two ", 0), ("three", 5)]),
    ],
)
def test_attachments_are_spread_over_parts(content, limits, shape):
    """Each part has as many files as it can carry, beside the last text if that is a caption."""
    parts = render(message(content, media=FILES), limits)
    assert [(part.content, len(part.media)) for part in parts] == shape
    assert [file for part in parts for file in part.media] == FILES


def test_attachments_that_cannot_be_sent_are_told():
    """A channel without attachments gets a line of text for each of them, and no local path."""
    files = [
        Media("image", url="https://x.y/z"),
        Media("image", url="https://x.y/z", filename="cat\n.png"),
        Media("document", path=Path("secret") / "report.pdf"),
        Media("voice", data=b"..."),
    ]
    [part] = render(message("Here:", media=files), Limits())
    assert part.media == []
    assert part.content.splitlines() == [
        "Here:",
        "https://x.y/z",
        "cat .png: https://x.y/z",
        "(document not sent: report.pdf)",
        "(voice not sent)",
    ]


@given(stem=st.text(max_size=60) | st.builds(new_id), n=st.integers(0, 10**6))
def test_part_ids_are_short_distinct_and_repeatable(stem, n):
    """Whatever the message's id, a part's has at most 25 characters and no other part has it."""
    ids = [part_id(stem, k) for k in (n, n + 1, n + 2)]
    assert max(map(len, ids)) <= MAX_ID_LENGTH
    assert len(set(ids)) == 3
    assert ids[0] == part_id(stem, n)


def test_the_first_part_keeps_the_id_of_its_message():
    """An id of up to 25 characters is the first part's as it is."""
    assert part_id("x" * MAX_ID_LENGTH, 0) == "x" * MAX_ID_LENGTH
