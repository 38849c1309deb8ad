"""`cobot.yml`: where it is looked for, what it means, and what its mistakes say."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cobot_session.config import SessionSettings, load_config
from cobot_session.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def written(text: str, name: str = "cobot.yml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


def problems(source, **env: str) -> list[str]:
    """Return the mistakes as printed, without the folder of the file."""
    with pytest.raises(ConfigError) as caught:
        load_config(source, env=env)
    folder = str(source.parent) if isinstance(source, Path) else "-"
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_a_whole_file(write):
    """Blocks keep their order; the core's keys are taken off, the others stay the plugin's own."""
    path = write("""
plugins:
  session:
    default_channel: telegram
  work:
    use: telegram
    bot_token: ${TOKEN}
    default_chat: -1001234567890
    access: {users: [17]}
  discord:
    enabled: false
    guilds: [{id: "123456789"}]
""")
    config = load_config(path, env={"TOKEN": "1:a"})
    assert config.file == path
    assert config.session.default_channel == "telegram"
    assert list(config.blocks) == ["work", "discord"]
    work = config.blocks["work"]
    assert (work.use, work.options) == ("telegram", {"bot_token": "1:a"})
    assert work.common.default_chat == "-1001234567890"
    assert work.common.access.users == ["17"]
    assert config.blocks["discord"].use == "discord"
    assert not config.blocks["discord"].common.enabled


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "plugins:\n", "plugins: {}\n"])
def test_an_empty_file_is_an_empty_configuration(write, text):
    """Nothing configured is no mistake."""
    config = load_config(write(text), env={})
    assert config.blocks == {}
    assert config.session == SessionSettings()


def test_a_block_may_be_empty(write):
    """`telegram:` alone is a block with nothing in it."""
    assert load_config(write("plugins:\n  telegram:\n"), env={}).blocks["telegram"].options == {}


def test_a_mapping_is_a_configuration():
    """What would stand in a file can be given as a mapping, `${VAR}` and unquoted ids included."""
    config = load_config(
        {"plugins": {"telegram": {"default_chat": -100, "bot_token": "${TOKEN}", "x": (1,)}}},
        env={"TOKEN": "1:a"},
    )
    assert config.file is None
    assert config.blocks["telegram"].common.default_chat == "-100"
    assert config.blocks["telegram"].options == {"bot_token": "1:a", "x": [1]}


def test_a_mapping_is_not_changed():
    """The mapping stays the caller's: nothing is written into it."""
    given = {"plugins": {"telegram": {"use": "telegram", "bot_token": "${TOKEN}"}}}
    load_config(given, env={"TOKEN": "1:a"})
    assert given == {"plugins": {"telegram": {"use": "telegram", "bot_token": "${TOKEN}"}}}


def test_the_usual_places(write, tmp_path, monkeypatch):
    """`COBOT_CONFIG` comes before `./cobot.yml`, and that before the user's config folder."""
    home = tmp_path / "home"
    (home / "cobot").mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    assert load_config(env={}).file is None
    user = write("plugins: {}", "home/cobot/cobot.yml")
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: user.parent)
    assert load_config(env={}).file == user
    here = write("plugins: {}")
    assert load_config(env={}).file == here
    named = write("plugins: {}", "named.yml")
    assert load_config(env={"COBOT_CONFIG": str(named)}).file == named
    assert load_config(here, env={"COBOT_CONFIG": str(named)}).file == here
    assert load_config(env={"COBOT_CONFIG": ""}).file == here


def test_the_process_environment_is_the_default(write, monkeypatch):
    """Without `env`, variables are those of the process."""
    monkeypatch.setenv("COBOT_TEST_TOKEN", "1:a")
    config = load_config(write("plugins: {t: {a: '${COBOT_TEST_TOKEN}'}}"))
    assert config.blocks["t"].options == {"a": "1:a"}


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_a_file_that_is_named_and_absent(tmp_path, how):
    """A path that somebody named is never passed over in silence."""
    path = tmp_path / "absent.yml"
    env = {"COBOT_CONFIG": str(path)} if how == "variable" else {}
    with pytest.raises(ConfigError, match="there is no such file") as caught:
        load_config(path if how == "argument" else None, env=env)
    assert str(path) in str(caught.value)


def test_a_path_of_nobody():
    """A path that begins with an unknown user's home says so."""
    with pytest.raises(ConfigError, match="names a user who is not known"):
        load_config("~nobody-of-this-name/cobot.yml", env={})


def test_a_config_folder_of_somebody_else(tmp_path, monkeypatch):
    """Where the user's config folder may not be looked into, there is no file."""
    monkeypatch.chdir(tmp_path)
    too_long = tmp_path / ("x" * 300)
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: too_long)
    assert load_config(env={}).file is None


def test_a_mapping_with_an_unset_variable():
    """It is told like in a file."""
    assert problems({"plugins": {"t": {"x": ["${NOT_SET}"]}}}) == [
        (
            "plugins.t.x[0]: the environment variable NOT_SET is not set. "
            "Fix: Set NOT_SET, or write `${NOT_SET:-default}`."
        )
    ]


def test_a_folder_is_no_file(tmp_path):
    """What cannot be read says why."""
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        load_config(tmp_path, env={})


def test_text_in_another_encoding(tmp_path):
    """A file that is not UTF-8 is told with its line."""
    path = tmp_path / "cobot.yml"
    path.write_bytes(b"plugins:\n  caf\xe9: {}\n")
    assert problems(path) == ["cobot.yml:2:1: YAML: is not UTF-8 text. Fix: Save it as UTF-8."]


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    """Editors on Windows put one there."""
    path = tmp_path / "cobot.yml"
    path.write_bytes(b"\xef\xbb\xbfplugins: {t: {}}\n")
    assert list(load_config(path, env={}).blocks) == ["t"]


def test_every_mistake_at_once(write):
    """One look at the message is enough: each mistake with line, column, field, rule and fix."""
    path = write("""\
plugins:
  session:
    default_chanel: telegram
    format: markdwn
    max_pending: yes
    stall_after: 0
    events: [message, edits]
  telegram:
    bot_token: ${TELEGRAM_BOT_TOKEN}
    access: {usrs: [1]}
    poll_interval: soon
  bad name: {}
  other: [1]
telegram: {}
plugin: {}
""")
    assert problems(path) == [
        (
            "cobot.yml:3:5: plugins.session.default_chanel: `default_chanel` is not a known key. "
            "Fix: Did you mean `default_channel`?"
        ),
        (
            "cobot.yml:4:13: plugins.session.format: should be 'markdown' or 'text'. "
            "Fix: Did you mean `markdown`?"
        ),
        (
            "cobot.yml:5:18: plugins.session.max_pending: should be a number, not true or false. "
            "Fix: Write a number."
        ),
        (
            "cobot.yml:6:18: plugins.session.stall_after: should be greater than 0. Fix: Write "
            "what belongs here: Seconds without a sign of life before a channel is restarted."
        ),
        (
            "cobot.yml:7:23: plugins.session.events[1]: should be 'message', 'edit', 'reaction', "
            "'deletion' or 'callback'. Fix: Did you mean `edit`?"
        ),
        (
            "cobot.yml:9:16: plugins.telegram.bot_token: the environment variable "
            "TELEGRAM_BOT_TOKEN is not set. Fix: Set TELEGRAM_BOT_TOKEN, or write "
            "`${TELEGRAM_BOT_TOKEN:-default}`."
        ),
        (
            "cobot.yml:10:14: plugins.telegram.access.usrs: `usrs` is not a known key. "
            "Fix: Did you mean `users`?"
        ),
        (
            "cobot.yml:11:20: plugins.telegram.poll_interval: should be a valid number, "
            "unable to parse string as a number. Fix: Write a number."
        ),
        (
            "cobot.yml:12:3: plugins.…: is no name for a block. Fix: Use a name that begins with a "
            "letter and goes on with at most 63 letters, digits, `-` and `_`."
        ),
        (
            "cobot.yml:13:10: plugins.other: should be a mapping. Fix: Write `key: value` lines "
            "under it."
        ),
        (
            "cobot.yml:14:1: telegram: `telegram` is not a known key. Fix: A plugin's block stands "
            "under `plugins:`; a key for your own use begins with `x-`."
        ),
        "cobot.yml:15:1: plugin: `plugin` is not a known key. Fix: Did you mean `plugins`?",
    ]


def test_mistakes_can_wait_for_those_of_the_plugins(write):
    """With `defer` they are kept, for the registry to tell all in one message."""
    config = load_config(write("plugins: {session: {stricd: true}, t: {}}"), env={}, defer=True)
    assert [problem.field for problem in config.problems] == ["plugins.session.stricd"]
    assert list(config.blocks) == ["t"]


@pytest.mark.parametrize("text", ["- 1", "hello", "5", "plugins: [telegram]", "plugins: telegram"])
def test_what_is_no_mapping(write, text):
    """A list or a word where blocks belong is told, with what to write."""
    (problem,) = problems(write(text))
    assert "should be a mapping. Fix: Write `key: value` lines under it." in problem


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("open", "Write `access: {open: true}`."),
        ("users", "Write `access: {users: …}`."),
        ("everybody", "Write `key: value` lines under it."),
    ],
)
def test_a_key_alone_is_shown_with_its_value(write, written, fix):
    """Where a mapping belongs and the name of one of its keys stands, the fix is that key."""
    (problem,) = problems(write(f"plugins: {{t: {{access: {written}}}}}"))
    assert problem.endswith(f"plugins.t.access: should be a mapping. Fix: {fix}")


def test_a_mapping_has_mistakes_without_a_place():
    """A configuration that came from no file names only the field."""
    assert problems({"plugins": {"session": {"strict": "perhaps"}}}) == [
        (
            "plugins.session.strict: should be a valid boolean, unable to interpret input. "
            "Fix: Write true or false."
        )
    ]


def test_keys_for_own_use(write):
    """Top-level keys that begin with `x-` are free, so anchors have a place to stand."""
    path = write("""
x-chats: &chats {chats: [1, 2]}
plugins:
  telegram: {access: {<<: *chats, users: [3]}}
""")
    access = load_config(path, env={}).blocks["telegram"].common.access
    assert (access.chats, access.users) == (["1", "2"], ["3"])


def test_ids_are_what_the_file_says(write):
    """YAML makes numbers, times and booleans of unquoted ids; ids stay as they were written."""
    ids = [
        *("123", "-1001234567890123456789", "0042", "0x1F", "1_000", "12:30:45", "2024-01-31"),
        *("1503435956.000200", "1e3", "no", "+4917012345", "00", "1" * 64, "'789'"),
    ]
    path = write(f"plugins: {{t: {{access: {{users: [{', '.join(ids)}]}}}}}}")
    users = load_config(path, env={}).blocks["t"].common.access.users
    assert users == [*ids[:-1], "789"]


def test_an_id_is_not_empty_and_not_a_list(write):
    """What cannot be an id is told in its place."""
    path = write("plugins: {t: {default_chat: [1], access: {users: ['', null]}}}")
    fields = [line.split(": ")[1] for line in problems(path)]
    assert fields == [
        "plugins.t.default_chat",
        "plugins.t.access.users[0]",
        "plugins.t.access.users[1]",
    ]


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        ("edit", ["edit"]),
        ("[message, callback]", ["message", "callback"]),
        ("all", ["message", "edit", "reaction", "deletion", "callback"]),
    ],
)
def test_events(write, written, kinds):
    """`events` is one kind, a list of kinds, or `all`."""
    config = load_config(write(f"plugins: {{session: {{events: {written}}}}}"), env={})
    assert config.session.events == kinds


@pytest.mark.parametrize(
    "line",
    [
        *("max_deliveries: 0", "max_pending: 0", "max_pending: 1.5", "stall_after: 0"),
        *("stall_after: .inf", "drain: -1", "retain_days: .nan", "retain_count: true"),
        *("max_age: 0", "durability: none", "on_unknown: drop", "strict: 2"),
    ],
)
def test_session_settings_out_of_range(write, line):
    """Each setting of the session says which values it takes."""
    (problem,) = problems(write(f"plugins:\n  session:\n    {line}\n"))
    assert problem.startswith(f"cobot.yml:3:{line.index(' ') + 6}: plugins.session.{line[:4]}")


def test_settings_do_not_change(write):
    """What was loaded stays as it was loaded."""
    config = load_config({}, env={})
    with pytest.raises(ValueError, match="frozen"):
        config.session.strict = True


def test_a_disabled_block_needs_no_variables(write):
    """Disabling a channel is the way to run without its token."""
    unset = "default_chat: '${NOT_SET}', poll_interval: soon, token: '${NOT_SET}'"
    path = write(f"plugins: {{t: {{enabled: false, use: other, {unset}}}}}")
    block = load_config(path, env={}).blocks["t"]
    assert not block.common.enabled
    assert block.use == "other"


def test_a_variable_can_disable_a_block(write):
    """Common keys may use variables, and an unset one in them is told even so."""
    path = write("plugins: {t: {enabled: '${T_ENABLED}'}}")
    assert not load_config(path, env={"T_ENABLED": "false"}).blocks["t"].common.enabled
    (problem,) = problems(path)
    assert "plugins.t.enabled: the environment variable T_ENABLED is not set" in problem


@pytest.mark.parametrize("use", ["session", "workspace"])
def test_what_is_built_in_cannot_be_used_twice(write, use):
    """There is one session and one workspace."""
    (problem,) = problems(write(f"plugins: {{mine: {{use: {use}}}}}"))
    assert f"`{use}` is built in" in problem


@pytest.mark.parametrize("name", ["../evil", "a b", "1st", "", "a/b", "é", "x" * 65])
def test_names_that_could_be_something_else(write, name):
    """A block names a folder and a channel type, so its name is a plain word."""
    (problem,) = problems({"plugins": {name: {}}})
    assert "is no name for a block" in problem
    (problem,) = problems({"plugins": {"t": {"use": name}}}) if name else [problem]
    assert "is no" in problem or "is not the name" in problem


def test_the_workspace_path(write, tmp_path, monkeypatch):
    """A relative path starts at the file, `~` is the home folder, none is the platform's folder."""
    monkeypatch.setenv("HOME", "/home/somebody")
    path = write("plugins: {workspace: {path: state}}")
    assert load_config(path, env={}).workspace.folder == tmp_path / "state"
    home = load_config({"plugins": {"workspace": {"path": "~/state"}}}, env={})
    assert home.workspace.folder == Path("/home/somebody/state")
    monkeypatch.chdir(tmp_path)
    relative = load_config({"plugins": {"workspace": {"path": "state"}}}, env={})
    assert relative.workspace.folder == tmp_path / "state"
    default = load_config({}, env={}).workspace
    assert default.path is None
    assert default.folder.name == "cobot"


def test_a_home_that_nobody_has(write):
    """`~nobody-of-this-name` is told instead of becoming a folder of that name."""
    (problem,) = problems(write("plugins: {workspace: {path: ~nobody-of-this-name/x}}"))
    assert "names a user who is not known" in problem


def test_problem_at(write):
    """A problem found later points at its value, or at the nearest thing that is there."""
    config = load_config(write("plugins:\n  t:\n    groups:\n      - id: 5\n"), env={})
    found = config.problem_at(("plugins", "t", "groups", 0, "id"), "is wrong", "Change it.")
    assert str(found).endswith("cobot.yml:4:13: plugins.t.groups[0].id: is wrong. Fix: Change it.")
    absent = config.problem_at(("plugins", "t", "token"), "is required")
    assert (absent.line, absent.column) == (2, 3)


def test_secrets_stay_out_of_the_repr(write):
    """Neither a configuration nor a block shows what its plugins were given."""
    config = load_config(write("plugins: {t: {token: hunter22}}"), env={})
    assert "hunter22" not in repr(config)


def test_a_secret_in_a_file_of_its_own(write, tmp_path):
    """`!file` reads a mounted secret, from beside the configuration, without the last newline."""
    (tmp_path / "token").write_text("1:a\n\n")
    path = write("plugins: {t: {token: !file token, other: !file '${WHERE}/token'}}")
    config = load_config(path, env={"WHERE": str(tmp_path)})
    assert config.blocks["t"].options == {"token": "1:a\n", "other": "1:a\n"}


def test_windows_line_ends_in_a_secret(write, tmp_path):
    """One line end is one line end, also when it has two characters."""
    (tmp_path / "token").write_bytes(b"1:a\r\n")
    config = load_config(write("plugins: {t: {token: !file token}}"), env={})
    assert config.blocks["t"].options == {"token": "1:a"}


def test_a_secret_is_not_looked_into(write, tmp_path):
    """What a secret holds is never taken for a variable."""
    (tmp_path / "token").write_text("${HOME}")
    config = load_config(write("plugins: {t: {token: !file token}}"), env={"HOME": "x"})
    assert config.blocks["t"].options == {"token": "${HOME}"}


def test_secret_files_that_cannot_be_read(write, tmp_path):
    """Absent, binary, huge, unset: each says so in its place and shows no content."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "huge").write_text("x" * 70_000)
    (tmp_path / "folder").mkdir()
    path = write("""\
plugins:
  t:
    a: !file absent
    b: !file binary
    c: !file huge
    d: !file folder
    e: !file ${NOT_SET}
    f: !file ~nobody-of-this-name/x
""")
    told = [line.partition(": plugins.t.")[2].split(". Fix")[0] for line in problems(path)]
    assert told == [
        "a: the file it names cannot be read (No such file or directory)",
        "b: the file it names is not UTF-8 text",
        "c: the file it names is longer than 65536 bytes",
        "d: the file it names cannot be read (Is a directory)",
        "e: the environment variable NOT_SET is not set",
        "f: the file it names cannot be read (its path is not valid)",
    ]


def test_loading_writes_nothing(write, tmp_path):
    """Reading a configuration leaves the folder as it was."""
    path = write("plugins: {workspace: {path: state}}")
    path.chmod(stat.S_IRUSR)
    load_config(path, env={})
    assert list(tmp_path.iterdir()) == [path]
