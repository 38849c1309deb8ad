"""Where an identity comes from: the configuration, a file, a password, or chance.

nsec1…        the private key itself, or its 64 hexadecimal digits
ncryptsec1…   the same, encrypted with a password (NIP-49)
a file        holding one of these, readable by its owner only
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from cobot_nostr import nip19, nip49
from cobot_nostr.crypto import DecryptError, Key
from cobot_nostr.nip19 import IdentifierError

if TYPE_CHECKING:
    from pathlib import Path

_HEX64 = re.compile(r"[0-9a-fA-F]{64}")
_MAX_FILE = 4096


class KeyProblem(ValueError):  # it is shown as a problem of the configuration
    """A text or file gives no private key. The text is never quoted.

    Attributes:
        rule: what is wrong.
        fix: what to do.
    """

    def __init__(self, rule: str, fix: str) -> None:
        self.rule = rule
        self.fix = fix
        super().__init__(f"{rule}. Fix: {fix}")


def check_key(text: str) -> None:
    """Look at a key as far as that goes without its password.

    Raises:
        KeyProblem: it is none.
    """
    text = text.strip()
    if is_encrypted(text):
        try:
            nip19.decode_bytes(text, "ncryptsec")
        except IdentifierError as error:
            raise KeyProblem(str(error), "copy the whole key again") from None
    else:
        parse_key(text)


def is_encrypted(text: str) -> bool:
    """Tell whether a key takes a password (NIP-49)."""
    return nip19.prefix_of(text.strip()) == "ncryptsec"


def parse_key(text: str, password: str | None = None) -> Key:
    """Return the key that a text stands for.

    Args:
        text: `nsec1…`, 64 hexadecimal digits, or `ncryptsec1…`.
        password: of an `ncryptsec`.

    Raises:
        KeyProblem: it is none of these; says which other thing it is.
    """
    text = text.strip()
    prefix = nip19.prefix_of(text)
    try:
        if _HEX64.fullmatch(text):
            return Key.from_hex(text)
        if prefix == "ncryptsec":
            return _decrypted(text, password)
        if prefix == "nsec":
            return Key(nip19.decode_bytes(text, "nsec"))
    except KeyProblem:
        raise
    except IdentifierError as error:
        raise KeyProblem(str(error), "copy the whole key again") from None
    except DecryptError as error:
        raise KeyProblem(str(error), "check the password") from None
    except ValueError:
        raise KeyProblem("it is no private key of secp256k1", "make a new one") from None
    raise _not_a_key(text, prefix)


def _decrypted(text: str, password: str | None) -> Key:
    if password is None:
        raise KeyProblem(
            "an ncryptsec is encrypted and no password is given",
            "set `password: ${NOSTR_PASSWORD}`",
        )
    return nip49.decrypt(text, password)


def _not_a_key(text: str, prefix: str) -> KeyProblem:
    if prefix in {"npub", "nprofile"}:
        return KeyProblem(
            f"this is a public key ({prefix}); a channel signs with the private one",
            "give the key that begins with nsec1",
        )
    if re.fullmatch(r"[0-9a-fA-F]+", text):
        return KeyProblem(
            f"a key in hexadecimal has 64 digits, this has {len(text)}", "copy the whole key again"
        )
    if not text:
        return KeyProblem("it is empty", "set the variable it comes from")
    return KeyProblem(
        "it is neither nsec1…, ncryptsec1… nor 64 hexadecimal digits", "give one of these"
    )


def read_key_file(path: Path, password: str | None = None) -> Key:
    """Return the key in a file.

    Raises:
        KeyProblem: it cannot be read, others than its owner may read it, or it holds no key.
    """
    return parse_key(key_file_text(path), password)


def key_file_text(path: Path) -> str:
    """Return what stands in a key file.

    Raises:
        KeyProblem: it cannot be read, or others than its owner may read it. Neither the path nor
            what the file holds is quoted: either may be the key, put in the wrong place.
    """
    try:
        path = path.expanduser()
        if not stat.S_ISREG(path.stat().st_mode):
            raise _no_file("it is a folder" if path.is_dir() else "it is no ordinary file")
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(_MAX_FILE + 1)
        text = raw.decode("ascii")
    except OSError as error:
        raise _no_file(f"the key file cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise _no_file("the key file is not text") from None
    except (ValueError, RuntimeError) as error:
        if isinstance(error, KeyProblem):
            raise
        raise _no_file("it is no path") from None
    if os.name == "posix" and mode & 0o077:
        raise KeyProblem(f"others can read the key file (mode {mode:04o})", "run `chmod 600` on it")
    return text


def _no_file(rule: str) -> KeyProblem:
    return KeyProblem(rule, "name a file that holds a key; `cobot-nostr new-key FILE` makes one")


def write_key_file(path: Path, key: Key, password: str | None = None) -> None:
    """Write a key to a new file that only its owner can read; with a password, encrypted.

    Raises:
        FileExistsError: the file is there already; a key is never overwritten.
    """
    text = nip49.encrypt(key, password) if password else nip19.encode("nsec", key.secret_bytes())
    descriptor = os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text + "\n")
