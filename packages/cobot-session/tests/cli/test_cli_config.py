"""`schema`, `init` and `doctor`: what stands in cobot.yml, and what is around it."""

from __future__ import annotations

import json
import re
import stat

import pytest
import yaml

from cobot_session.config import load_config

CHANNEL = """
    from pydantic import BaseModel, Field, SecretStr
    from cobot_session import Plugin, PluginMeta

    class Settings(BaseModel):
        bot_token: SecretStr = Field(description="As the platform's bot tells it.")
        proxy: SecretStr | None = Field(None, description="A proxy.")
        server: str = Field("https://example.org", description="Where the platform is.")
        groups: list[str] = []

    class Channel(Plugin):
        meta = PluginMeta("dummy", "1.0")
        config_model = Settings

        def session_receive(self):
            return []
"""
SECRET = "s3cr3t-t0k3n-0f-min3"


def findings(done):
    """Return what `doctor --json` said: about -> (state, finding)."""
    return {one["about"]: (one["state"], one["finding"]) for one in json.loads(done.stdout)}


@pytest.mark.lowest
def test_the_schema_has_the_settings_of_what_is_installed(cli):
    """`schema` prints a JSON Schema with every installed plugin's model."""
    cli.site.install("cobot-dummy", {"dummy": "dummy:Channel"}, dummy=CHANNEL)
    schema = json.loads(cli("schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["$defs"]["block.dummy"]["properties"].keys() >= {"bot_token", "access", "use"}


def test_the_schema_leaves_out_what_is_broken_and_says_so(cli):
    """One broken plugin does not keep the schema of the others from being printed."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    done = cli("schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert "broken is left out: it cannot be imported" in done.stderr


@pytest.mark.lowest
def test_init_writes_what_a_session_takes(cli):
    """The new file is taken as it is, and with every line in use."""
    cli.site.install("cobot-dummy", {"dummy": "dummy:Channel"}, dummy=CHANNEL)
    done = cli("init")
    assert done.returncode == 0
    text = (cli.folder / "cobot.yml").read_text()
    assert load_config(cli.folder / "cobot.yml").blocks == {}
    assert "  #   # Required. As the platform's bot tells it.\n" in text
    assert "  #   bot_token: ${DUMMY_BOT_TOKEN}\n" in text
    assert '  #   server: "https://example.org"\n' in text
    assert (
        "  #   # A proxy. To take it from the environment: `${DUMMY_PROXY}`.\n  #   proxy:\n"
        in text
    )
    head, *blocks = text.split("\n\n")
    ours = [one for one in blocks if re.match(r"(plugins:\n)?  # (session|workspace|dummy):", one)]
    used = re.sub(r"^  # ", "  ", "\n".join([head, *ours]), flags=re.MULTILINE)
    config = load_config(yaml.safe_load(used), env={"DUMMY_BOT_TOKEN": "x"})
    assert config.blocks["dummy"].options["proxy"] is None
    assert config.blocks["dummy"].options["groups"] == []
    assert config.blocks["dummy"].common.access.users == []
    cli.write("cobot.yml", used)
    assert cli("doctor", env={"DUMMY_BOT_TOKEN": SECRET}).returncode == 0


def test_init_shows_only_what_can_be_written(cli):
    """A setting that no file can hold is left out."""
    cli("init")
    text = (cli.folder / "cobot.yml").read_text()
    assert "bot_name" in text
    assert "on_eof" not in text


def test_init_writes_to_standard_output_for_a_dash(cli):
    """`init -` prints what it would write, and nothing else, and makes no file."""
    done = cli("init", "-")
    assert (done.returncode, list(cli.folder.iterdir())) == (0, [])
    cli("init")
    assert done.stdout == (cli.folder / "cobot.yml").read_text()


def test_init_overwrites_nothing(cli):
    """A file that is there stays as it is."""
    cli.write("cobot.yml", "plugins: {}\n")
    done = cli("init")
    assert done.returncode == 2
    assert "cobot.yml is there already and stays as it is" in done.stderr
    assert (cli.folder / "cobot.yml").read_text() == "plugins: {}\n"


def test_the_new_file_is_for_its_owner_only(cli):
    """What may come to hold secrets is readable by nobody else."""
    cli("init")
    assert stat.S_IMODE((cli.folder / "cobot.yml").stat().st_mode) == 0o600


def test_doctor_finds_nothing_wrong_with_a_fresh_installation(cli):
    """Without anything configured there is no error."""
    done = cli("doctor")
    assert done.returncode == 0, done.stdout
    found = findings(cli("doctor", "--json"))
    assert {"Python", "SQLite", "cobot.yml", "workspace", "plugin session"} <= found.keys()


@pytest.mark.lowest
def test_doctor_tells_everything_that_is_wrong(cli, peer):
    """Mistakes, broken plugins and closed gates are told at once, each with its remedy."""
    cli.site.install("cobot-broken", {"broken": "broken_code:X"}, broken_code="import not_there\n")
    cli.site.install("cobot-dummy", {"dummy": "dummy:Channel"}, dummy=CHANNEL)
    cli.configure({"wire": {"prt": 1}, "dummy": {"bot_token": SECRET}})
    done = cli("doctor")
    assert done.returncode == 1
    assert "plugins.wire.prt: `prt` is not a known key. Fix: Did you mean `port`?" in done.stdout
    assert "it cannot be imported: ModuleNotFoundError" in done.stdout
    assert "nobody may write to the agent here. Name who may:" in done.stdout
    assert "2 errors, " in done.stdout


def test_doctor_shows_no_secret(cli):
    """A secret appears nowhere, though the plugin throws it back."""
    code = CHANNEL.replace("def session_receive", "def session_recieve")
    code += f"        raise_at_import = {SECRET!r}\n"
    cli.site.install("cobot-dummy", {"dummy": "dummy:Channel"}, dummy=code)
    cli.configure({"dummy": {"bot_token": SECRET, SECRET: 1}})
    done = cli("doctor")
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr


def test_doctor_looks_into_the_workspace(cli):
    """A folder that others can read and a damaged spool are told."""
    cli.configure({})
    cli.workspace.mkdir(mode=0o755)
    cli.workspace.chmod(0o755)
    (cli.workspace / "session.db").write_bytes(b"garbage" * 1000)
    done = cli("doctor")
    assert done.returncode == 1
    assert f"{cli.workspace} is open to others (mode 755). `chmod 700 {cli.workspace}`." in (
        done.stdout
    )
    assert "file is not a database" in done.stdout


@pytest.mark.parametrize("out_of_reach", ["session.lock", "session.db-wal"])
def test_doctor_tells_what_is_out_of_reach(cli, out_of_reach):
    """A lock or spool that another user left is one finding, and is not called damaged."""
    cli.configure({})
    assert cli("pair", "add", "console", "ann").returncode == 0
    (cli.workspace / out_of_reach).symlink_to(cli.workspace / out_of_reach)
    done = cli("doctor", "--json")
    found = findings(done)
    assert found["spool"][0] == "error"
    assert "damaged" not in done.stdout
    assert found["plugin session"][0] == "ok"
    for command in ("status", "dead list", "pair list"):
        done = cli(*command.split())
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_doctor_fails_where_a_session_would(cli):
    """A folder with other files that others can read is refused, so it is no mere warning."""
    cli.configure({})
    cli.workspace.mkdir()
    (cli.workspace / "photo.png").touch()
    cli.workspace.chmod(0o755)
    done = cli("doctor")
    assert done.returncode == 1
    assert "is open to others (mode 755)" in done.stdout


def test_doctor_goes_on_without_a_readable_file(cli):
    """A file that is no YAML is one error; the rest is looked at all the same."""
    cli.write("cobot.yml", "plugins: [\n")
    found = findings(cli("doctor", "--json"))
    assert found["cobot.yml"][0] == "error"
    assert found["plugin session"][0] == "ok"


@pytest.mark.parametrize("command", [["doctor"], ["doctor", "--json"], ["schema"], ["channels"]])
def test_no_command_prints_a_secret(cli, peer, command):
    """A token in cobot.yml stands in nothing that is printed, also where its block is wrong."""
    cli.configure({"wire": {"port": "SECRET-TOKEN", "token": "SECRET-TOKEN", "prt": 1}})
    done = cli(*command)
    assert done.stdout
    assert "SECRET-TOKEN" not in done.stdout + done.stderr
