"""Where an identity comes from, and what is said when it does not."""

import json
import logging
import stat
import subprocess
import sys

import pytest
from nostr_rig import BOT, nsec
from pydantic import ValidationError

from cobot_nostr import nip19, nip49
from cobot_nostr.__main__ import main
from cobot_nostr.config import NostrConfig
from cobot_nostr.crypto import Key
from cobot_nostr.keys import KeyProblem, parse_key, read_key_file, write_key_file
from cobot_session.config import load_config
from cobot_session.errors import ConfigError
from cobot_session.registry import Registry

PIPED = {"capture_output": True, "text": True}
WIDE = {"COLUMNS": "400"}
HEX = BOT.secret_bytes().hex()
RELAYS = ["wss://relay.example"]


def config(**given):
    return NostrConfig.model_validate({"relays": RELAYS, **given})


@pytest.mark.parametrize("text", [nsec(), HEX, HEX.upper(), f"  {nsec()}\n", nsec().upper()])
def test_a_key_in_any_form(text):
    """nsec and hexadecimal digits, in either case, with white space around, are the same key."""
    assert parse_key(text).public == BOT.public


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (nip19.npub(BOT.public), "public key"),
        (nip19.nprofile(BOT.public), "public key"),
        (nsec()[:-1] + ("q" if nsec()[-1] != "q" else "p"), "checksum"),
        (nsec()[:-4], "checksum"),
        (HEX[:-1], "64 digits, this has 63"),
        ("0" * 64, "no private key"),
        ("f" * 64, "no private key"),
        ("", "empty"),
        ("hunter2", "neither nsec1"),
        (nip49.encrypt(BOT, "x", 4), "no password"),
    ],
)
def test_what_is_no_key_is_called_what_it_is(text, said):
    """Each mistake has its own message with a fix, and none repeats what was written."""
    with pytest.raises(KeyProblem, match=said) as caught:
        parse_key(text)
    assert caught.value.fix
    assert not text or text not in str(caught.value)


def test_an_encrypted_key_opens_with_its_password():
    """ncryptsec with the right password is the key, with a wrong one a clear error."""
    text = nip49.encrypt(BOT, "right", 4)
    assert parse_key(text, "right").public == BOT.public
    with pytest.raises(KeyProblem, match="password is wrong"):
        parse_key(text, "wrong")


@pytest.mark.parametrize("password", [None, "secret"])
def test_a_key_file_is_written_for_its_owner_only_and_never_over_another(tmp_path, password):
    """A new key file has mode 0600, holds the key, and does not replace a file."""
    path = tmp_path / "key"
    write_key_file(path, BOT, password)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path, password).public == BOT.public
    with pytest.raises(FileExistsError):
        write_key_file(path, Key())
    assert read_key_file(path, password).public == BOT.public


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    """The message names the mode and the command that mends it."""
    path = tmp_path / "key"
    path.write_text(nsec())
    path.chmod(0o640)
    with pytest.raises(KeyProblem, match=r"mode 0640.*chmod 600"):
        read_key_file(path)
    with pytest.raises(KeyProblem, match="cannot be read"):
        read_key_file(tmp_path / "none")


def test_settings_take_the_key_once(tmp_path):
    """Exactly one of nsec and key_file is given; both and none are errors."""
    path = tmp_path / "key"
    write_key_file(path, BOT)
    assert config(nsec=nsec()).key().public == BOT.public
    assert config(key_file=str(path)).key().public == BOT.public
    for wrong in ({}, {"nsec": nsec(), "key_file": str(path)}):
        with pytest.raises(ValidationError, match="give the key once"):
            config(**wrong)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("nsec", nip19.npub(BOT.public), "public key"),
        ("relays", [], "at least 1"),
        ("relays", ["http://relay.example"], "websocket address"),
        ("relays", ["relay.example"], "websocket address"),
        ("people", ["ada@example.com"], "may change hands"),
        ("people", [nsec()], "private key"),
        ("people", [nip49.encrypt(BOT, "x", 4)], "private key"),
        ("groups", [nsec()], "private key"),
        ("channels", [nsec()], "private key"),
        ("about", f"my key is {nsec()}", "private key"),
        ("relays", [f"wss://{nsec()}"], "private key"),
        ("people", ["x"], "no identifier"),
        ("groups", ["a'b"], "pattern"),
        ("channels", ["x"], "no identifier"),
        ("min_acks", 0, "greater than or equal to 1"),
        ("wat", 1, "Extra inputs"),
    ],
)
def test_wrong_settings_are_told_where_they_stand(field, value, said):
    """A mistake is reported at its field, with the rule, and without the key."""
    with pytest.raises(ValidationError, match=said) as caught:
        config(**{"nsec": nsec(), field: value})
    assert [error["loc"][0] for error in caught.value.errors()] == [field]
    assert HEX not in str(caught.value)
    assert nsec() not in str(caught.value)
    for error in caught.value.errors(include_input=False, include_context=False):
        assert nsec() not in str(error)


@pytest.mark.parametrize("field", ["people", "channels"])
def test_our_private_key_in_digits_names_nobody(field):
    """Its 64 digits look like any id; in a second place of the settings they are refused."""
    with pytest.raises(ValidationError, match="second place") as caught:
        config(nsec=nsec(), **{field: [HEX]})
    assert HEX not in str(caught.value)


def test_an_encrypted_key_needs_its_password_at_once():
    """That no password is given is told when the settings are read, not at the start."""
    text = nip49.encrypt(BOT, "x", 4)
    with pytest.raises(ValidationError, match=r"set `password: \$\{NOSTR_PASSWORD\}`"):
        config(nsec=text)
    with pytest.raises(ValidationError, match="checksum"):
        config(nsec=text[:-3], password="x")
    assert config(nsec=text, password="x").key().public == BOT.public


def key_file(folder, holding, mode=0o600):
    path = folder / "bot.key"
    path.write_bytes(holding)
    path.chmod(mode)
    return path


FILE_MISTAKES = {
    "readable by others": (
        lambda folder: key_file(folder, nsec().encode(), 0o644),
        "others can read the key file (mode 0644): run `chmod 600` on it",
    ),
    "the key for a path": (lambda _: nsec(), "this is the private key itself and no path"),
    "digits for a path": (lambda _: HEX, "this is the private key itself and no path"),
    "an encrypted key for a path": (
        lambda _: nip49.encrypt(BOT, "x", 4),
        "this is the private key itself and no path",
    ),
    "missing": (lambda folder: folder / "none", "cannot be read (No such file or directory)"),
    "a folder": (lambda folder: folder, "it is a folder: name a file that holds a key"),
    "a device": (lambda _: "/dev/null", "it is no ordinary file"),
    "no path": (lambda _: "a\0b", "no path"),
    "no text": (lambda folder: key_file(folder, b"\xff" * 40), "the key file is not text"),
    "a public key": (
        lambda folder: key_file(folder, nip19.npub(BOT.public).encode()),
        "this is a public key (npub)",
    ),
    "empty": (lambda folder: key_file(folder, b""), "it is empty"),
}


@pytest.mark.parametrize("mistake", FILE_MISTAKES)
def test_a_mistaken_key_file_is_told_with_the_settings(mistake, tmp_path):
    """Each mistake is told at `key_file` with what to do, and nothing of the key is repeated."""
    make, said = FILE_MISTAKES[mistake]
    with pytest.raises(ValidationError) as caught:
        config(key_file=str(make(tmp_path)))
    (error,) = caught.value.errors()
    assert error["loc"] == ("key_file",)
    assert said in error["msg"]
    for secret in (nsec(), HEX):
        assert secret not in str(caught.value) + error["msg"]


@pytest.mark.slow
def test_the_command_line_tells_of_a_mistaken_key_file(tmp_path):
    """`doctor` and `channels --check` name the field and the fix, and never a pasted key."""
    wrong = {
        "one": key_file(tmp_path, nsec().encode(), 0o644),
        "two": nsec(),
        "three": tmp_path / "none",
        "four": tmp_path,
    }
    blocks = [
        f"  {name}: {{use: nostr, relays: [wss://a.example], key_file: '{path}'}}\n"
        for name, path in wrong.items()
    ]
    blocks.append(f"  workspace: {{path: '{tmp_path}'}}\n")
    path = tmp_path / "cobot.yml"
    path.write_text("plugins:\n" + "".join(blocks))
    for command in (["doctor"], ["channels", "--check"]):
        whole = [sys.executable, "-m", "cobot_session.cli", *command, "--config", str(path)]
        done = subprocess.run(whole, check=False, env=WIDE, **PIPED)
        shown = done.stdout + done.stderr
        assert done.returncode != 0
        for name in wrong:
            assert f"plugins.{name}.key_file" in shown
        for said in ("chmod 600", "and no path", "No such file", "it is a folder"):
            assert said in shown
        assert nsec() not in shown


def test_settings_are_normalised():
    """Relays in one spelling and once each, people and channels as digits, groups also by id."""
    made = config(
        nsec=nsec(),
        relays=["WSS://Relay.Example/", "wss://relay.example:443", "ws://127.0.0.1:7/x/"],
        people=[nip19.npub(BOT.public), "nostr:" + nip19.nprofile(BOT.public)],
        channels=[nip19.note(BOT.public)],
        groups=[{"id": "cooks", "name": "Cooks"}, "plain"],
    )
    assert made.relays == ["wss://relay.example", "ws://127.0.0.1:7/x"]
    assert made.people == [BOT.public, BOT.public]
    assert made.access()["chats"] == ["group/cooks", "group/plain", f"channel/{BOT.public}"]


def test_the_command_line_makes_and_shows_identities(tmp_path, capsys, monkeypatch):
    """`new-key` writes a file and shows the npub; `show` agrees; the key itself is not printed."""
    path = tmp_path / "key"
    monkeypatch.setenv("SECRET", "hunter2")
    assert main(["new-key", str(path), "--password-env", "SECRET"]) == 0
    made = capsys.readouterr().out
    assert path.read_text().startswith("ncryptsec1")
    assert "password: ${SECRET}" in made
    assert main(["show", str(path), "--password-env", "SECRET"]) == 0
    assert capsys.readouterr().out.strip() == made.splitlines()[0]
    assert "nsec1" not in made
    assert main(["new-key", str(path)]) == 1
    assert "never overwritten" in capsys.readouterr().err
    assert main(["show", str(path), "--password-env", "MISSING"]) == 1
    assert main(["find", "nonsense"]) == 1


def test_importing_the_package_is_light():
    """Importing the package and the channel loads no client library."""
    code = (
        "import sys, cobot_nostr, cobot_nostr.channel;"
        "print({'pynostr', 'websockets', 'httpx', 'coincurve', 'cryptography'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_secret_half_survives_no_log(caplog):
    """A key that is logged, in any way, shows its public half."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("x").info("%s %r", BOT, {"key": BOT})
    assert BOT.public in caplog.text
    assert HEX not in caplog.text


@pytest.mark.parametrize("form", ["npub", "nprofile", "hex"])
def test_access_rules_take_a_person_in_every_form(form):
    """What is compared is the public key's digits, as messages carry them."""
    public = BOT.public
    forms = {"hex": public, "npub": nip19.npub(public), "nprofile": nip19.nprofile(public)}
    assert NostrConfig.access_id("user", forms[form]) == public
    assert NostrConfig.access_id("chat", forms[form]) == public


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("user", "ada@example.com"),
        ("user", "ada"),
        ("user", ""),
        ("chat", "channel/general"),
        ("role", "7"),
    ],
)
def test_access_rules_take_no_names(kind, value):
    """An address, which can change hands, and what is no key are refused."""
    with pytest.raises(ValueError, match=r"\w"):
        NostrConfig.access_id(kind, value)


NOBODYS = {
    "zero": "0" * 64,
    "beyond the field": "f" * 64,
    "off the curve": f"{5:064x}",
    "npub": nip19.npub("0" * 64),
    "nprofile": nip19.nprofile("f" * 64),
}


@pytest.mark.parametrize("form", NOBODYS)
@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"people": ["X"]}, "plugins.nostr.people[0]"),
        ({"access": {"users": ["X"]}}, "plugins.nostr.access.users[0]"),
        ({"access": {"chats": ["nip04/X"]}}, "plugins.nostr.access.chats[0]"),
    ],
    ids=["people", "users", "chats"],
)
def test_what_is_no_point_of_the_curve_is_nobodys_key(form, block, field):
    """Digits that can be nobody's key are refused where they stand, with the rule and the fix."""
    block = json.loads(json.dumps(block).replace("X", NOBODYS[form]))
    block |= {"nsec": nsec(), "relays": RELAYS}
    with pytest.raises(ConfigError) as caught:
        Registry(load_config({"plugins": {"nostr": block}}, env={})).load()
    (told,) = caught.value.problems
    assert told.field == field
    assert "no x coordinate of the curve secp256k1" in told.rule
    assert "copy the whole npub again" in told.rule


def test_roles_are_to_be_taken_out():
    """Nostr has no roles, so the fix is not to write one in another form."""
    block = {"nsec": nsec(), "relays": RELAYS, "access": {"roles": ["admin"]}}
    with pytest.raises(ConfigError, match=r"Nostr has no roles\. Fix: Take `roles` out\."):
        Registry(load_config({"plugins": {"nostr": block}}, env={})).load()


def test_access_rules_repeat_no_private_key():
    """One that stands there by mistake is refused, unseen."""
    secret = nsec()
    for kind in ("user", "chat"):
        with pytest.raises(ValueError, match=r"\w") as caught:
            NostrConfig.access_id(kind, secret)
        assert secret not in str(caught.value)
