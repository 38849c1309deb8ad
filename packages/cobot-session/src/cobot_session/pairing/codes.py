"""Pairing codes: read aloud, typed by hand, guessed by nobody, and kept nowhere."""

from __future__ import annotations

import hashlib
import hmac
import secrets

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0 and O, no 1, I and L, no U: nothing that is taken for something else."""
GROUPS, GROUP = 3, 4
"""Twelve characters of thirty: 58 bits, for the hour that a code is good."""
CODE_SECONDS = 3600.0

_SALT_BYTES = 16


def new_code() -> str:
    """Return a random code, such as `7KQX-93MW-TRB2`."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP)) for _ in range(GROUPS))
    return "-".join(groups)


def is_code(text: str) -> bool:
    """Tell whether a text has the form of a code, however it is spaced and cased."""
    plain = _plain(text)
    return len(plain) == GROUPS * GROUP and set(plain) <= set(ALPHABET)


def new_salt() -> bytes:
    """Return what makes a digest its own."""
    return secrets.token_bytes(_SALT_BYTES)


def digest(code: str, salt: bytes) -> bytes:
    """Return what is kept of a code."""
    return hashlib.sha256(salt + _plain(code).encode()).digest()


def fits(code: str, salt: bytes, kept: bytes) -> bool:
    """Tell, in a time that says nothing, whether it is the code that was digested."""
    return hmac.compare_digest(digest(code, salt), kept)


def _plain(text: str) -> str:
    return "".join(text.upper().replace("-", "").split())
