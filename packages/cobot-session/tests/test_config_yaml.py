"""Reading YAML: variables, tags, aliases, and files that are broken or hostile."""

from __future__ import annotations

import random

import pytest

from cobot_session.config import load_config
from cobot_session.errors import ConfigError


@pytest.fixture
def read(tmp_path):
    """Return what the block `t` holds when its text is this."""

    def options(text: str, **env: str):
        path = tmp_path / "cobot.yml"
        path.write_text(f"plugins:\n  t:\n{text}")
        return load_config(path, env=env).blocks["t"].options

    return options


def mistake(read, text: str, **env: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, **env)
    return str(caught.value).rpartition("cobot.yml:")[2]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${A}", "one"),
        ("'${A}'", "one"),
        ('"<${A}>"', "<one>"),
        ("${A}${B}", "onetwo"),
        ("${EMPTY}", ""),
        ("${UNSET:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${A:-default}", "one"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a:-b}", "a:-b"),
        ("$${A}", "${A}"),
        ("$A and $$ and 5$", "$A and $$ and 5$"),
        ("|\n      ${A}\n      ${B}", "one\ntwo\n"),
        ("${NESTED}", "${A}"),
        ("${YAML}", "[1, {a: b}]"),
        ("${NUMBER}", "5"),
    ],
)
def test_variables(read, written, value):
    """`${VAR}` is text in a string and never becomes YAML, nor is it looked at again."""
    env = {"A": "one", "B": "two", "EMPTY": "", "NESTED": "${A}", "YAML": "[1, {a: b}]"}
    assert read(f"    x: {written}\n", NUMBER="5", **env) == {"x": value}


@pytest.mark.parametrize("written", ["${A", "${}", "${1A}", "${A-b}", "${A:?no}", "${A:-${B}}"])
def test_references_that_are_none(read, written):
    """What begins like a reference and is none is told, with both forms that there are."""
    told = mistake(read, f"    x: '{written}'\n", A="a", B="b")
    assert told.startswith("3:8: plugins.t.x: has a `${` that begins neither `${NAME}` nor")


def test_keys_are_not_expanded(read):
    """Only values are looked at for variables."""
    assert read("    ${A}: 1\n", A="x") == {"${A}": 1}


@pytest.mark.parametrize(
    "text", ["[", "a: b", "'", "\n- x\n", "$", "$$", "{{}}", "\\", "é🎉\x00", "!x"]
)
def test_a_variable_is_taken_as_it_is(read, text):
    """Whatever a variable holds arrives unchanged."""
    assert read("    x: <${X}>\n", X=text) == {"x": f"<{text}>"}


def test_scalars(read):
    """Numbers and booleans are read as everybody expects; octals, times and dates stay text."""
    read_ = read("    x: [1, -2, 0x1F, 0o17, 1.5, -.5, 2.5e3, .inf, true, no, ~, null, 0123]\n")
    assert read_["x"] == [
        1,
        -2,
        31,
        15,
        1.5,
        -0.5,
        2500.0,
        float("inf"),
        True,
        False,
        None,
        None,
        123,
    ]
    text = read("    x: [1_000, 12:30, 2024-01-31, 1e3, 'no', '5', <<, =, y]\n")
    assert text["x"] == ["1_000", "12:30", "2024-01-31", "1e3", "no", "5", "<<", "=", "y"]


def test_explicit_tags(read):
    """YAML's own tags mean what they mean."""
    assert read("    x: [!!str 5, !!int '5', !!float 1]\n") == {"x": ["5", 5, 1.0]}


@pytest.mark.parametrize(
    "value",
    [
        "!secret-word x",
        "!!set {a, b}",
        "!!omap [a: 1]",
        "!!python/object/apply:os.system [id]",
        "!!binary aGk=",
        "!!int five",
    ],
)
def test_other_tags(read, value):
    """A tag that is not known is a mistake; it runs nothing, and it is not repeated."""
    told = mistake(read, f"    x: {value}\n")
    assert told.startswith("3:8: plugins.t.x: has a tag that is not known")
    assert "secret-word" not in told


def test_keys_are_strings(read):
    """A key is what the file says, also where YAML would see a number or a boolean."""
    assert read("    -100123: a\n    on: b\n    0x1F: c\n") == {
        "-100123": "a",
        "on": "b",
        "0x1F": "c",
    }


def test_twice_the_same_key(read):
    """Of two equal keys none wins in silence."""
    told = mistake(read, "    x: 1\n    y: 2\n    x: 3\n")
    assert told == (
        "5:5: plugins.t.x: `x` is written twice. Fix: Keep one of the two; the other stands in "
        "line 3."
    )


def test_a_key_that_is_a_list(read):
    """A key is a word."""
    assert mistake(read, "    ? [a, b]\n    : 1\n").startswith(
        "3:7: plugins.t: a key is not a word"
    )


def test_merged_mappings(read):
    """`<<` brings in mappings, earlier ones first; own keys go before them."""
    text = """\
    a: &a {x: 1, y: 1, z: 1}
    b: &b {x: 2, y: 2, w: 2}
    c: {<<: [*a, *b], x: 3}
    d: {x: 3, <<: *a, <<: *b}
"""
    assert read(text)["c"] == {"x": 3, "y": 1, "z": 1, "w": 2}
    assert read(text)["d"] == {"x": 3, "y": 1, "z": 1, "w": 2}


def test_what_is_overridden_is_not_read(read):
    """An unset variable in a default that nobody takes is no mistake."""
    text = "    a: {<<: {x: '${UNSET}'}, x: 1}\n"
    assert read(text) == {"a": {"x": 1}}


def test_merging_what_is_no_mapping(read):
    """`<<` takes mappings only."""
    assert "`<<` stands before no mapping" in mistake(read, "    a: {<<: 5}\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\tx: 1\n", "3:1: YAML: found character '\\t' that cannot start any token. Fix: Indent"),
        ("    x: a: b\n", "3:9: YAML: mapping values are not allowed here. Fix: Quote a value"),
        ("    x: *nothing\n", "3:8: YAML: found undefined alias …. Fix: Quote a value that begins"),
        ("    x: @b\n", "3:8: YAML: found character '@' that cannot start any token. Fix: Quote"),
        ("    x: [1\n", "4:1: YAML: expected ',' or ']', but got '<stream end>'. Fix: "),
        ("    x: 'a\n", "4:1: YAML: found unexpected end of stream. Fix: Close the quote"),
        ("---\na: 1\n", "3:1: YAML: but found another document. Fix: Keep one"),
        ("    x: a\x00b\n", "3:9: YAML: has a character that YAML does not allow. Fix: "),
    ],
)
def test_broken_yaml(read, text, told):
    """A file that is no YAML is told with the position and what to do."""
    assert mistake(read, text).startswith(told)


@pytest.mark.parametrize(
    "text",
    ["    x: *hunter22\n", "    x: !hunter22 a\n", "    x: %hunter22\n", "    x: !a!hunter22 b\n"],
)
def test_broken_yaml_repeats_no_secret(read, text):
    """An unquoted password that YAML takes for something else is not printed."""
    assert "hunter22" not in mistake(read, text)


def test_aliases_that_multiply(read):
    """A few lines that expand to billions of values are refused."""
    lines = ["    a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"    a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "has more than 20000 values" in mistake(read, "\n".join(lines) + "\n")


def test_merges_that_multiply(read):
    """So are merges that do the same."""
    lines = ["    a0: &a0 {x: 1}"]
    lines += [f"    a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    assert "has more than 20000 values" in mistake(read, "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "text", ["    a: &a [*a]\n", "    a: &a {b: *a}\n", "    a: &a {<<: *a}\n"]
)
def test_aliases_that_contain_themselves(read, text):
    """A value within itself is refused."""
    assert "contains itself" in mistake(read, text)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
def test_nesting_without_end(read, opening, closing):
    """A file that is nested thousands of levels deep is refused."""
    text = f"    a: {opening * 5000}{closing * 5000}\n"
    assert "is nested too deeply" in mistake(read, text)


@pytest.mark.parametrize("seed", range(20))
def test_any_text_is_a_configuration_or_a_mistake(tmp_path, seed):
    """No text gets another exception than `ConfigError` out of it."""
    chance = random.Random(seed)  # noqa: S311  # it has to be repeatable, not secret
    for _ in range(50):
        text = "".join(
            chance.choices(" \n\t-:[]{}&*!|>'\"%@`#?,.<=~ab01$", k=chance.randint(1, 60))
        )
        path = tmp_path / "cobot.yml"
        path.write_text(text)
        try:
            load_config(path, env={})
        except ConfigError as error:
            assert error.problems  # noqa: PT017  # either outcome is right
