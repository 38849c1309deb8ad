"""An agent's Markdown becomes Discord's, whole and in parts that fit."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cobot_discord import Discord
from cobot_discord.render import dialect, parts
from cobot_session.messages import Media, OutgoingMessage
from cobot_session.text import join, length


@pytest.mark.parametrize(
    ("markdown", "discord"),
    [
        ("# One\n## Two\n### Three", "# One\n## Two\n### Three"),
        ("#### Four\n###### Six ##", "**Four**\n**Six**"),
        ("a __strong__ word", "a **strong** word"),
        ("snake__case__name and `__init__`", "snake__case__name and `__init__`"),
        ("![a cat](https://x.org/c.png)", "[a cat](https://x.org/c.png)"),
        ("~~~python\nx = 1\n~~~", "```python\nx = 1\n```"),
        ("```\n#### not a heading\n__x__\n```", "```\n#### not a heading\n__x__\n```"),
        ("> quoted\n- item\n1. one", "> quoted\n- item\n1. one"),
        ("**b** *i* ~~s~~ ||spoiler|| <@1>", "**b** *i* ~~s~~ ||spoiler|| <@1>"),
        ("    indented __code__", "    indented __code__"),
        ("", ""),
    ],
)
def test_discords_dialect(markdown, discord):
    """What Discord lacks is put in other words; what it knows stays as it is."""
    assert dialect(markdown) == discord


def test_a_table_is_a_code_block():
    """A table keeps its columns, also with wide characters and missing cells."""
    table = "before\n\n| name | 値 |\n|:--|--:|\n| a | 1 |\n| longer |\n| x | y | more |\n\nafter"
    assert dialect(table) == (
        "before\n\n```\n"
        "name   | 値 |\n"
        "-------+----+-----\n"
        "a      | 1  |\n"
        "longer |    |\n"
        "x      | y  | more\n"
        "```\n\nafter"
    )


WORDS = st.text(st.sampled_from("ab1 \n#*_`~|>-[]()!.é漢😀"), max_size=300)


@settings(deadline=None, max_examples=300)
@given(WORDS)
def test_no_word_is_lost(markdown):
    """Whatever the Markdown, every letter and digit comes out, in order."""

    def words(text):
        return re.sub(r"[\W_]", "", text)

    assert words(dialect(markdown)) == words(markdown)


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=5000), st.integers(0, 23))
def test_every_part_fits(content, files):
    """Each part has at most 2000 UTF-16 units and ten files, and nothing is left out."""
    media = [Media(data=b"x", filename=str(n)) for n in range(files)]
    message = OutgoingMessage("discord", "1", content, reply_to="9", media=media, id="m")
    made = parts(message, Discord.limits)
    assert all(length(part.content, "utf16") <= 2000 for part in made)
    assert all(len(part.media) <= 10 for part in made)
    assert [one for part in made for one in part.media] == media
    assert [part.reply_to for part in made] == ["9"] + [None] * (len(made) - 1)
    assert len({part.id for part in made}) == len(made)
    assert join([part.content for part in made]).split() == dialect(content).split()


def test_a_long_code_block_is_closed_and_opened_again():
    """Every part of a cut code block is a code block in itself."""
    code = "\n".join(f"x{n} = {n}" for n in range(600))
    made = parts(OutgoingMessage("discord", "1", f"```py\n{code}\n```"), Discord.limits)
    assert len(made) > 2
    assert all(part.content.startswith("```py\n") for part in made)
    assert all(part.content.count("```") == 2 for part in made)


def test_a_part_of_white_space_is_left_out():
    """Discord refuses a message of nothing; it is not made."""
    made = parts(OutgoingMessage("discord", "1", "x" * 1999 + " " * 3000), Discord.limits)
    assert all(part.content.strip() for part in made)


def test_text_that_is_no_markdown_is_shown_as_it_stands():
    """With `format: text` marks are escaped, and links are left alone."""
    message = OutgoingMessage(content="a * b * c, https://x.io/a_b_c", metadata={"format": "text"})
    (part,) = parts(message, Discord.limits)
    assert part.content == r"a \* b \* c, https://x.io/a_b_c"
