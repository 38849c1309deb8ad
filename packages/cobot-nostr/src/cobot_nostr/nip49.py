"""NIP-49: a private key encrypted with a password (`ncryptsec1…`)."""

from __future__ import annotations

import hashlib
import secrets
import struct
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from cobot_nostr import nip19
from cobot_nostr.crypto import DecryptError, Key

DEFAULT_LOG_N = 16
"""Rounds of scrypt as a power of two: 64 MiB of memory, about a tenth of a second."""
MAX_LOG_N = 20
"""A larger one (1 GiB and more) is refused, as it would stop the machine."""

_VERSION = 2
_UNTRACKED = b"\x02"
_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")


def decrypt(ncryptsec: str, password: str) -> Key:
    """Return the key inside; takes a moment and memory, as scrypt is meant to.

    Raises:
        IdentifierError: it is no `ncryptsec`, or damaged.
        DecryptError: the password is wrong, or more work is asked for than is reasonable.
    """
    raw = nip19.decode_bytes(ncryptsec.strip(), "ncryptsec")
    version, log_n, salt, nonce = raw[0], raw[1], raw[2:18], raw[18:42]
    if version != _VERSION:
        raise DecryptError(f"NIP-49: version {version} is unknown")
    if not 1 <= log_n <= MAX_LOG_N:
        raise DecryptError(f"NIP-49: log_n {log_n} is none that is worked on (1 to {MAX_LOG_N})")
    try:
        secret = _cipher(password, log_n, salt, nonce).decrypt(nonce[16:], raw[43:], raw[42:43])
    except InvalidTag:
        raise DecryptError("NIP-49: the password is wrong") from None
    return Key(secret)


def encrypt(key: Key, password: str, log_n: int = DEFAULT_LOG_N) -> str:
    """Return the key as `ncryptsec1…`.

    Args:
        key: the key to protect.
        password: any text; it is normalised (NFKC) first.
        log_n: rounds of scrypt as a power of two, at most 20.
    """
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(24)
    sealed = _cipher(password, log_n, salt, nonce).encrypt(
        nonce[16:], key.secret_bytes(), _UNTRACKED
    )
    head = bytes([_VERSION, log_n])
    return nip19.encode("ncryptsec", head + salt + nonce + _UNTRACKED + sealed)


class _XChaCha20Poly1305:
    """XChaCha20-Poly1305 of a 24-byte nonce: its first 16 bytes make the key (HChaCha20)."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._aead = ChaCha20Poly1305(_hchacha20(key, nonce[:16]))

    def encrypt(self, rest: bytes, data: bytes, associated: bytes) -> bytes:
        return self._aead.encrypt(bytes(4) + rest, data, associated)

    def decrypt(self, rest: bytes, data: bytes, associated: bytes) -> bytes:
        return self._aead.decrypt(bytes(4) + rest, data, associated)


def _cipher(password: str, log_n: int, salt: bytes, nonce: bytes) -> _XChaCha20Poly1305:
    normalised = unicodedata.normalize("NFKC", password).encode()
    memory = 128 * 8 * 2**log_n + 2**20
    key = hashlib.scrypt(normalised, salt=salt, n=2**log_n, r=8, p=1, maxmem=memory, dklen=32)
    return _XChaCha20Poly1305(key, nonce)


def _hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Return the derived key (draft-irtf-cfrg-xchacha, section 2.2).

    A ChaCha20 block is the permuted state plus the state it began with, so the permuted words
    are the block minus words that are known: the constants and the nonce.
    """
    block = Cipher(ChaCha20(key, nonce), mode=None).encryptor().update(bytes(64))
    words = struct.unpack("<16I", block)
    known = (*_CONSTANTS, *struct.unpack("<4I", nonce))
    permuted = (*words[:4], *words[12:])
    plain = ((word - start) & 0xFFFFFFFF for word, start in zip(permuted, known, strict=True))
    return struct.pack("<8I", *plain)
