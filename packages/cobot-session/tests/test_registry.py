"""Installed distributions to records: found, loaded each by itself, ordered."""

from __future__ import annotations

import importlib
import logging
import os
import subprocess
import sys
from textwrap import dedent

import pytest

from cobot_session.config import load_config
from cobot_session.errors import ConfigError, PluginError
from cobot_session.plugin import PluginMeta
from cobot_session.registry import Registry, installed

CHANNEL = """
from cobot_session import plugin

class Channel(plugin.Plugin):
    meta = plugin.PluginMeta("{id}", "2.0", {meta})

    def session_receive(self):
        return []
"""


class Site:
    """A folder of installed packages, as `pip` leaves them."""

    def __init__(self, folder):
        self.folder = folder

    def install(self, name, plugins, version="1.0", folder=None, **modules):
        """Put a distribution there: entry points, and module name -> source."""
        folder = folder or self.folder
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(dedent(source))
        info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        points = "".join(f"{key} = {value}\n" for key, value in plugins.items())
        (info / "entry_points.txt").write_text(f"[cobot.plugins]\n{points}")
        importlib.invalidate_caches()
        return info

    def plugin(self, name, source, target="Channel"):
        """Install `cobot-NAME` with one module `cobot_NAME`."""
        module = f"cobot_{name}"
        self.install(f"cobot-{name}", {name: f"{module}:{target}"}, **{module: source})

    def channel(self, name, meta="", body=""):
        """Install a channel; `meta` are further arguments of its `PluginMeta`."""
        self.plugin(name, CHANNEL.format(id=name, meta=meta) + body)


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Site(folder)
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


def load(plugins=None, raises=None, **session):
    """Return the registry of a configuration, loaded, without the console."""
    blocks = {"console": {"enabled": False}, "session": session, **(plugins or {})}
    registry = Registry(load_config({"plugins": blocks}, env={}))
    if raises is None:
        registry.load()
    else:
        with pytest.raises(raises) as caught:
            registry.load()
        registry.error = caught.value
    return registry


def order(registry):
    return [record.id for record in registry.ordered()]


# -- found


def test_installed_is_enough(site):
    """A channel that is installed is there, without a line of configuration."""
    site.channel("alpha", body="    def session_send(self, message): ...\n")
    record = load().records["alpha"]
    assert (record.state, record.reason) == ("ready", "")
    assert (record.distribution, record.version) == ("cobot-alpha", "1.0")
    assert (record.meta.id, record.meta.version, record.use) == ("alpha", "2.0", "alpha")
    assert record.hooks == {"session_receive", "session_send"}
    assert record.is_channel
    assert not record.is_observer
    assert record.config == {"alpha": {}}


def test_gone_is_gone(site):
    """What is uninstalled leaves no trace."""
    site.channel("alpha")
    assert "alpha" in load().records
    for path in site.folder.glob("*.dist-info/*"):
        path.unlink()
    importlib.invalidate_caches()
    assert "alpha" not in load().records


def test_session_and_workspace_are_listed(site):
    """What is built in is listed like the others, with its settings."""
    registry = load(strict=True)
    session, workspace = registry.records["session"], registry.records["workspace"]
    assert (session.distribution, session.priority, session.state) == ("cobot-session", 10, "ready")
    assert (workspace.priority, workspace.factory) == (20, None)
    assert session.config.strict
    assert order(registry)[:2] == ["session", "workspace"]


def test_a_factory_is_as_good_as_a_class(site):
    """Each call makes a fresh object."""
    site.channel("alpha", body="def make(): return Channel()\n")
    site.install(
        "cobot-beta",
        {"beta": "cobot_beta:make"},
        cobot_beta=(CHANNEL.format(id="beta", meta="") + "make = lambda: Channel()\n"),
    )
    records = load().records
    for name in ("alpha", "beta"):
        first, second = records[name].factory(), records[name].factory()
        assert first is not second
        assert type(first) is type(second)


def test_two_blocks_of_one_plugin(site):
    """A block of another name with `use` makes a second channel, with settings of its own."""
    site.channel("alpha")
    registry = load({"alpha": {"x": 1}, "work": {"use": "alpha", "x": 2}})
    assert registry.records["alpha"].config == {"x": 1, "alpha": {"x": 1}}
    assert registry.records["work"].config == {"x": 2, "alpha": {"x": 2}}
    assert registry.records["work"].meta.id == "alpha"
    assert order(registry)[2:] == ["alpha", "work"]


def test_a_plugin_that_some_block_uses_is_not_made_again(site):
    """With only a block of another name, there is one channel and not two."""
    site.channel("alpha")
    assert "alpha" not in load({"work": {"use": "alpha"}}).records


def test_disabled_is_not_imported(site):
    """`enabled: false` keeps a plugin out, unimported, and needs nothing else to be right."""
    site.plugin("alpha", "raise RuntimeError('imported')")
    record = load({"alpha": {"enabled": False, "anything": 1}}, strict=True).records["alpha"]
    assert (record.state, record.distribution) == ("disabled", "cobot-alpha")
    assert record.reason == "its block says `enabled: false`"
    assert "cobot_alpha" not in sys.modules


def test_one_distribution_in_two_places(site, tmp_path, monkeypatch):
    """An editable install beside an installed one is one plugin: that which Python imports."""
    site.channel("alpha")
    other = tmp_path / "other"
    other.mkdir()
    site.install("Cobot_Alpha", {"alpha": "elsewhere:Channel"}, "0.9", folder=other)
    monkeypatch.syspath_prepend(site.folder)
    sys.path.append(str(other))
    try:
        assert [str(p) for p in installed() if p.name == "alpha"] == ["cobot-alpha 1.0"]
        assert load().records["alpha"].state == "ready"
    finally:
        sys.path.remove(str(other))


def test_metadata_that_cannot_be_read(site, caplog):
    """A damaged distribution is passed over with a warning; the others load."""
    (site.install("cobot-broken", {"broken": "x:Y"}) / "entry_points.txt").write_bytes(b"[\xff]\n")
    site.channel("alpha")
    assert load().records["alpha"].state == "ready"
    assert "a distribution cannot be read" in caplog.text


def test_listing_imports_nothing(tmp_path):
    """A hundred installed channels are listed without importing one of them."""
    site = Site(tmp_path)
    for number in range(100):
        site.plugin(f"c{number}", "raise SystemExit('imported')")
    code = (
        "import sys; from cobot_session.registry import installed; "
        "names = [p.name for p in installed() if p.distribution.startswith('cobot-c')]; "
        "print(sum(name[0] == 'c' and name[1:].isdigit() for name in names), "
        "[m for m in sys.modules if m.startswith('cobot_c')])"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "100 []\n"


# -- each by itself


BROKEN = {
    "missing_module": (
        "import no_such_module",
        "it cannot be imported: ModuleNotFoundError: No module named 'no_such_module'",
        "pip install --force-reinstall cobot-broken",
    ),
    "missing_class": (
        "",
        "it cannot be imported: AttributeError: module 'cobot_broken' has no attribute 'Channel'",
        "pip install --upgrade cobot-broken",
    ),
    "syntax": (
        "x = 1\ndef broken(:\n",
        "it cannot be imported: SyntaxError in cobot_broken.py, line 2: invalid syntax",
        "another Python",
    ),
    "exit": ("raise SystemExit(3)", "it cannot be imported: SystemExit: 3", "its authors"),
    "sys_exit": ("import sys; sys.exit()", "it cannot be imported: SystemExit", "its authors"),
    "exception": (
        "raise RuntimeError('first line\\nsecond line')",
        "it cannot be imported: RuntimeError: first line",
        "its authors",
    ),
    "silent_exception": (
        "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd",
        "it cannot be imported: Odd",
        "its authors",
    ),
    "recursion": (
        "def again(): again()\nagain()",
        "it cannot be imported: RecursionError: maximum recursion depth exceeded",
        "its authors",
    ),
    "instance": (
        CHANNEL.format(id="broken", meta="") + "Channel = Channel()",
        "its entry point names an object of class `Channel`, not a class or a factory",
        '`broken = "cobot_broken:TheClass"`',
    ),
    "module": (
        "import json as Channel",
        "its entry point names the module `json`, not a class or a factory",
        '`broken = "cobot_broken:TheClass"`',
    ),
    "arguments": (
        "class Channel:\n    def __init__(self, token): ...",
        "`cobot_broken:Channel` cannot be called without arguments: TypeError: ",
        "its authors",
    ),
    "constructor": (
        "class Channel:\n    def __init__(self): raise OSError('no')",
        "`cobot_broken:Channel` cannot be called without arguments: OSError: no",
        "its authors",
    ),
    "factory_of_nothing": (
        "def Channel(): ...",
        "`cobot_broken:Channel` makes no plugin object but a NoneType",
        "returns a new object",
    ),
    "factory_of_a_class": (
        "class Real: ...\ndef Channel(): return Real",
        "`cobot_broken:Channel` makes no plugin object but a type",
        "returns a new object",
    ),
    "async_factory": (
        "async def Channel(): ...",
        "`cobot_broken:Channel` makes no plugin object but a coroutine",
        "Let the factory be a `def`",
    ),
    "no_meta": (
        "class Channel:\n    def session_receive(self): return []",
        "it has no `meta`",
        '`meta = PluginMeta(id="broken"',
    ),
    "meta_that_raises": (
        "class Channel:\n    @property\n    def meta(self): raise KeyError('x')",
        "it cannot be loaded: KeyError: 'x'",
        "its authors",
    ),
    "other_id": (
        CHANNEL.format(id="other", meta=""),
        "its `meta.id` is `other` and its entry point is named `broken`",
        "Give both the same name.",
    ),
    "no_id": (
        "from types import SimpleNamespace\nclass Channel: meta = SimpleNamespace(version='1')",
        "its `meta.id` is not a string",
        "Correct `meta.id`.",
    ),
    "dependencies_as_a_word": (
        CHANNEL.format(id="broken", meta="dependencies='session'"),
        "its `meta.dependencies` is not a list of plugin ids",
        "Correct",
    ),
    "dependencies_of_numbers": (
        CHANNEL.format(id="broken", meta="dependencies=[1]"),
        "its `meta.dependencies` is not a list of plugin ids",
        "Correct",
    ),
    "priority_as_a_word": (
        CHANNEL.format(id="broken", meta="priority='first'"),
        "its `meta.priority` is not a whole number",
        "Correct",
    ),
    "newer_contract": (
        CHANNEL.format(id="broken", meta="contract=2"),
        "it was written for contract 2, and this session has contract 1",
        "`pip install --upgrade cobot-session`",
    ),
    "older_contract": (
        CHANNEL.format(id="broken", meta="contract=0"),
        "it was written for contract 0, and this session has contract 1",
        "`pip install --upgrade cobot-broken`",
    ),
    "newer_contract_that_cannot_be_made": (
        CHANNEL.format(id="broken", meta="contract=2") + "    def __init__(self): raise OSError",
        "it was written for contract 2, and this session has contract 1",
        "`pip install --upgrade cobot-session`",
    ),
    "unknown_hook": (
        CHANNEL.format(id="broken", meta="") + "    def session_recieve(self): ...",
        "`session_recieve` is an unknown hook",
        "Did you mean `session_receive`?",
    ),
    "wrong_argument": (
        CHANNEL.format(id="broken", meta="") + "    def session_send(self, msg): ...",
        "`session_send` has the unknown argument `msg`",
        "`session_send` takes `message`",
    ),
    "mapped_to_nothing": (
        CHANNEL.format(id="broken", meta="implements={'session.send': 'post'}"),
        "`meta.implements` maps `session.send` to `post`, and there is no such method",
        "Write `post`",
    ),
    "no_hooks": (
        (
            "from cobot_session.plugin import *\n"
            "class Channel(Plugin):\n    meta = PluginMeta('broken', '1')\n"
            "    def session_typing(self): ..."
        ),
        "it is neither a channel nor an observer",
        "`session_receive`, `session_send` or a `session_on_…` hook",
    ),
    "settings_that_are_no_model": (
        CHANNEL.format(id="broken", meta="") + "    config_model = dict",
        "its `config_model` is no pydantic model",
        "`BaseModel`",
    ),
    "limits_that_raise": (
        CHANNEL.format(id="broken", meta="")
        + "    @property\n    def limits(self): raise OSError('no')",
        "it cannot be loaded: OSError: no",
        "its authors",
    ),
}


@pytest.mark.parametrize(("source", "reason", "remedy"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_a_record(site, caplog, source, reason, remedy):
    """It says why and what to do, with its distribution and version; the others load."""
    site.plugin("broken", source)
    site.channel("alpha")
    registry = load()
    record = registry.records["broken"]
    assert record.state == "failed"
    assert record.reason.startswith(reason)
    assert remedy in record.remedy
    assert (record.distribution, record.version) == ("cobot-broken", "1.0")
    assert registry.records["alpha"].state == "ready"
    assert "broken" not in order(registry)
    assert f"plugin broken (cobot-broken 1.0) is not used: {reason}" in caplog.text


@pytest.mark.parametrize(
    "value", ["cobot_broken", "cobot_broken:a:b", "", "no such", "cobot_broken:Channel.x.y"]
)
def test_an_entry_point_that_names_nothing(site, value):
    """A malformed entry point is its plugin's own trouble."""
    source = CHANNEL.format(id="broken", meta="")
    site.install("cobot-broken", {"broken": value}, cobot_broken=source)
    assert load().records["broken"].state == "failed"


def test_ctrl_c_passes_through(site):
    """Who presses Ctrl-C while plugins are imported means the program."""
    site.plugin("alpha", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load()


def test_a_name_claimed_twice(site):
    """Neither of the two is loaded, and both are named."""
    site.channel("alpha")
    site.install("evil-alpha", {"alpha": "cobot_evil:Channel"}, "6.6", cobot_evil="raise OSError")
    record = load().records["alpha"]
    assert record.state == "failed"
    assert record.reason == "its name is claimed twice: by cobot-alpha 1.0 and evil-alpha 6.6"
    assert record.remedy == "Uninstall one of them: `pip uninstall evil-alpha`."
    assert (record.distribution, record.version) == ("cobot-alpha, evil-alpha", "1.0, 6.6")
    assert not {"cobot_alpha", "cobot_evil"} & set(sys.modules)


def test_a_name_that_is_built_in(site):
    """Nobody takes the session's place."""
    site.install("evil", {"session": "cobot_evil:Channel"}, cobot_evil="raise OSError")
    records = load().records
    assert records["session"].state == "ready"
    assert records["session (evil)"].state == "failed"
    assert "the name `session` is built in" in records["session (evil)"].reason


def test_a_name_that_is_a_path(site):
    """An entry point's name becomes a folder's name, so it has to be a word."""
    site.install("evil", {"../evil": "cobot_evil:Channel"}, cobot_evil="raise OSError")
    assert "is no name for a plugin" in load().records["../evil"].reason


def test_a_block_that_names_nothing_installed(site):
    """It is a record like other failures, with the nearest name and what to install."""
    site.channel("telegram")
    records = load({"telegramm": {}, "nostr": {}, "mine": {"use": "sesion"}}).records
    assert records["telegramm"].reason == "no plugin named `telegramm` is installed"
    assert records["telegramm"].remedy == "Did you mean `telegram`? Else take its block out."
    assert records["nostr"].remedy.startswith("Install it (`pip install cobot-nostr`)")
    assert records["mine"].remedy.startswith("Did you mean `session`?")
    assert records["nostr"].distribution == ""
    assert records["telegram"].state == "ready"


# -- strangers


FOREIGN = """
from dataclasses import dataclass, field

@dataclass
class PluginMeta:
    id: str
    version: str
    capabilities: list = field(default_factory=list)
    dependencies: list = field(default_factory=list)
    priority: int = 50
    implements: dict = field(default_factory=dict)

class Channel:
    meta = PluginMeta(
        "foreign", "0.2", dependencies=["config", "communication", "logger", "session"],
        implements={"session.receive": "poll", "loop.on_message": "nothing"},
    )

    def configure(self, config): ...
    async def start(self): ...
    async def stop(self): ...
    def poll(self): return []
"""


def test_a_channel_of_the_cobot_agent(site):
    """Its meta is copied into ours; dependencies that only the agent has are dropped."""
    site.plugin("foreign", FOREIGN)
    registry = load({"foreign": {"key": "value"}})
    record = registry.records["foreign"]
    assert (record.state, record.reason) == ("ready", "")
    assert record.meta.dependencies == ("session",)
    assert (record.priority, record.meta.contract) == (50, 1)
    assert record.hooks == {"session_receive"}
    assert record.config == {"key": "value", "foreign": {"key": "value"}}
    assert record.limits.text is None


def test_the_agents_dependencies_are_real_for_ours(site):
    """A plugin that was written for this contract and needs `config` gets no silent pardon."""
    site.channel("alpha", "dependencies=['config']")
    record = load().records["alpha"]
    assert record.reason == "it needs `config`, which is not installed"


def test_foreign_limits(site):
    """Limits are recognised by what they have."""
    body = "    class limits:\n        text = 300\n        unit = 'utf16'\n"
    site.channel("alpha", body=body)
    limits = load().records["alpha"].limits
    assert (limits.text, limits.unit, limits.files) == (300, "utf16", 0)


def test_observers(site):
    """A plugin that only watches is an observer and no channel."""
    source = """
    from cobot_session.plugin import Plugin, PluginMeta

    class Channel(Plugin):
        meta = PluginMeta("watch", "1")

        def session_on_status(self, status): ...
    """
    site.plugin("watch", source)
    record = load().records["watch"]
    assert record.is_observer
    assert not record.is_channel


# -- settings


SETTINGS = """
    class config_model(BaseModel):
        token: SecretStr
        groups: list[int] = []

        @field_validator("token")
        @classmethod
        def check(cls, value):
            if value.get_secret_value() == "raise":
                raise KeyError(value.get_secret_value())
            return value

        def access(self):
            if -1 in self.groups:
                raise OSError(self.token.get_secret_value())
            return {"chats": self.groups}
"""


@pytest.fixture
def modelled(site):
    """Two installed channels, `alpha` and `beta`, with a model of their settings."""
    for id_ in ("alpha", "beta"):
        source = "from pydantic import *\n" + CHANNEL.format(id=id_, meta="") + SETTINGS
        site.plugin(id_, source)


def test_validated_settings(modelled):
    """The settings arrive as the plugin's model, and its own keys as access rules."""
    record = load({"alpha": {"token": "t", "groups": [1]}}).records["alpha"]
    assert record.config.token.get_secret_value() == "t"
    assert record.access == {"chats": [1]}
    assert record.model is type(record.config)


def test_missing_settings_are_no_failure(modelled):
    """Installed and not yet set up: `unconfigured`, with what to write."""
    registry = load({"beta": {"groups": [1]}}, strict=True)
    for name in ("alpha", "beta"):
        record = registry.records[name]
        assert (record.state, record.reason) == ("unconfigured", "it needs `token`")
        assert record.remedy == f"Write in cobot.yml: `plugins: {{{name}: {{token: …}}}}`."
    assert order(registry) == ["session", "workspace"]


def test_mistakes_of_all_blocks_at_once(modelled, caplog):
    """They refuse the start together, and the records tell them, too."""
    registry = load(
        {"alpha": {"tokn": "t", "groups": ["x"]}, "beta": {"token": "t", "groups": 5}},
        raises=ConfigError,
    )
    assert [problem.field for problem in registry.error.problems] == [
        "plugins.alpha.tokn",
        "plugins.alpha.groups[0]",
        "plugins.beta.groups",
    ]
    assert caplog.text == ""
    assert registry.records["beta"].state == "failed"
    assert "plugins.beta.groups: should be a list" in registry.records["beta"].reason


def test_mistakes_of_the_core_and_of_plugins_at_once(modelled, tmp_path):
    """Loaded with `defer`, the core's mistakes are told with the plugins', in the file's order."""
    path = tmp_path / "cobot.yml"
    path.write_text(
        "plugins:\n  alpha: {tokn: t}\n  session: {stricd: true}\n"
        "  beta: {token: '${NOT_SET}', groups: '${NOT_SET}'}\n  console: {enabled: false}\n"
    )
    with pytest.raises(ConfigError) as caught:
        Registry(load_config(path, env={}, defer=True)).load()
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (2, "plugins.alpha.tokn"),
        (3, "plugins.session.stricd"),
        (4, "plugins.beta.token"),
        (4, "plugins.beta.groups"),
    ]


@pytest.mark.parametrize("block", [{"token": "raise"}, {"token": "hunter22", "groups": [-1]}])
def test_settings_whose_check_raises(modelled, block, caplog):
    """A model that raises what it should not is the plugin's fault, and leaks no secret."""
    caplog.set_level(logging.DEBUG)
    record = load({"alpha": block}).records["alpha"]
    assert record.state == "failed"
    assert record.reason.startswith("its settings cannot be checked: ")
    assert block["token"] not in record.reason + caplog.text.replace("raises", "")


def test_a_plugin_that_needs_its_block(site):
    """It stays unconfigured until `cobot.yml` has a block for it."""
    site.channel("alpha", body="    needs_block = True\n")
    record = load().records["alpha"]
    assert record.state == "unconfigured"
    assert record.reason == "cobot.yml has no block for it"
    assert record.remedy == "Write in cobot.yml: `plugins: {alpha: {}}`."
    assert load({"alpha": {}}).records["alpha"].state == "ready"


def test_the_record_shows_no_settings(modelled):
    """A record in a log shows neither settings nor secrets."""
    assert "hunter22" not in repr(load({"alpha": {"token": "hunter22"}}).records["alpha"])


@pytest.mark.parametrize("body", ["{hang}", "class Channel:\n    def __init__(self): {hang}"])
def test_a_plugin_that_hangs_is_left_behind(site, monkeypatch, body):
    """Whether its import or its constructor never comes back: the others are loaded."""
    site.channel("alpha")
    site.plugin("stuck", body.format(hang="__import__('threading').Event().wait(600)"))
    for patience in (0.2, 2, 20):  # on a busy machine the healthy one may need more
        monkeypatch.setattr("cobot_session.registry.stranger.PATIENCE", patience)
        records = load().records
        assert records["stuck"].state == "failed"
        assert f"has not come back within {patience:g} s" in records["stuck"].reason
        if records["alpha"].state == "ready":
            break
    assert records["alpha"].state == "ready"


def test_a_default_channel_that_is_none(site):
    """`session.default_channel` names a channel that there is."""
    site.channel("telegram")
    registry = load(default_channel="telegramm", raises=ConfigError)
    assert str(registry.error) == (
        "plugins.session.default_channel: names no channel. Fix: Did you mean `telegram`?"
    )
    assert load(default_channel="telegram").records["telegram"].state == "ready"


def test_a_default_channel_that_failed(site):
    """A default channel that is in trouble is its own trouble, not a mistake in the file."""
    site.plugin("telegram", "raise OSError")
    assert load(default_channel="telegram").records["telegram"].state == "failed"


# -- order


def test_order(site):
    """Dependencies first, then priority, then id."""
    site.channel("a", "priority=50")
    site.channel("b")
    site.channel("c", "dependencies=['a', 'session']")
    site.channel("d", "priority=15")
    registry = load()
    assert order(registry) == ["session", "d", "workspace", "b", "a", "c"]
    assert registry.records["c"].dependencies == ("a", "session")


def test_a_dependency_on_an_entry_point(site):
    """A dependency names a block, or else an entry point, and then all blocks that use it."""
    site.channel("a")
    site.channel("b", "dependencies=['a']")
    registry = load({"z": {"use": "a"}, "y": {"use": "a"}})
    assert registry.records["b"].dependencies == ("y", "z")
    assert order(registry)[2:] == ["y", "z", "b"]


def test_a_dependency_on_a_block(site):
    """A block's name goes before an entry point of that name."""
    site.channel("a")
    site.channel("b", "dependencies=['work']")
    site.channel("c", "dependencies=['a']")
    registry = load({"work": {"use": "a"}, "a": {"use": "b"}})
    assert registry.records["a"].dependencies == ("work",)
    assert registry.records["c"].dependencies == ("a",)


@pytest.mark.parametrize(
    ("block", "why", "remedy"),
    [
        (None, "which is not installed", "pip install cobot-needed"),
        ({"enabled": False}, "which is disabled", "Enable `needed`."),
        ({}, "which is failed", "its authors"),
    ],
)
def test_a_dependency_that_is_not_there(site, block, why, remedy):
    """What needs it fails, and what needs that fails with it; each names whom it needs."""
    site.channel("first", "dependencies=['needed']")
    site.channel("second", "dependencies=['first']")
    site.channel("third")
    if block is not None:
        site.plugin("needed", "raise OSError")
    registry = load({"needed": block} if block is not None else {})
    assert registry.records["first"].reason == f"it needs `needed`, {why}"
    assert remedy in registry.records["first"].remedy
    assert registry.records["second"].reason == "it needs `first`, which is failed"
    assert order(registry)[2:] == ["third"]


def test_a_dependency_that_is_unconfigured(modelled, site):
    """What needs an unconfigured plugin fails and says what to configure."""
    site.channel("gamma", "dependencies=['alpha']")
    record = load().records["gamma"]
    assert record.reason == "it needs `alpha`, which is unconfigured"
    assert "token: …" in record.remedy


def test_cycles(site):
    """Each member of a cycle names it, from itself on; the rest loads."""
    site.channel("a", "dependencies=['b']")
    site.channel("b", "dependencies=['c']")
    site.channel("c", "dependencies=['a']")
    site.channel("self", "dependencies=['self']")
    site.channel("after", "dependencies=['a']")
    site.channel("free")
    records = load().records
    assert records["a"].reason == "it depends on itself: a → b → c → a"
    assert records["b"].reason == "it depends on itself: b → c → a → b"
    assert records["c"].reason == "it depends on itself: c → a → b → c"
    assert records["self"].reason == "it depends on itself: self → self"
    assert records["after"].reason == "it needs `a`, which is failed"
    assert records["free"].state == "ready"


# -- given in code


class Given:
    """A channel that nobody installed."""

    meta = PluginMeta("given", "1")

    def session_receive(self):
        return []


def test_a_plugin_given_in_code():
    """A class handed over in code is a plugin like an installed one."""
    registry = Registry(load_config({"plugins": {"given": {"x": 1}}}, env={}), {"given": Given})
    registry.load()
    record = registry.records["given"]
    assert (record.state, record.distribution) == ("ready", "(given in code)")
    assert isinstance(record.factory(), Given)
    assert record.config["x"] == 1


def test_given_goes_before_installed(site):
    """It stands in for an installed one of its name, which is not imported."""
    site.plugin("given", "raise OSError")
    registry = Registry(load_config({}, env={}), {"given": Given})
    registry.load()
    assert registry.records["given"].state == "ready"


@pytest.mark.parametrize(
    ("target", "remedy"),
    [(Given(), "Give the class itself."), (lambda: 1 / 0, "Correct the class")],
)
def test_given_and_wrong(target, remedy, caplog):
    """A mistake in it is a record, without advice on `pip`."""
    registry = Registry(load_config({}, env={}), {"given": target})
    registry.load()
    assert registry.records["given"].state == "failed"
    assert registry.records["given"].remedy.startswith(remedy)
    assert "plugin given (given in code) is not used: " in caplog.text


# -- strict, and the running objects


def test_strict_refuses_to_start(site):
    """With `strict` all failures are one error; without, they are records."""
    site.plugin("bad", "raise OSError('no')")
    site.channel("worse", "contract=2")
    registry = load(raises=PluginError, strict=True)
    assert "bad (cobot-bad 1.0): it cannot be imported: OSError: no" in registry.error.reason
    assert "worse (cobot-worse 1.0): it was written for contract 2" in registry.error.reason
    assert "`pip install --upgrade cobot-session`" in registry.error.remedy
    assert load().records["bad"].state == "failed"


def test_running_objects():
    """Who runs a plugin makes its object known."""
    registry = load()
    assert registry.get_plugin("session") is None
    registry.set_plugin("session", marker := object())
    assert registry.get_plugin("session") is marker
