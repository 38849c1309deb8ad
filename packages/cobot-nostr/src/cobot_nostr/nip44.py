"""NIP-44 version 2: encrypted payloads.

Written from the NIP, with the length prefix for long messages it has had since 2026-06-28. Checked
against the official vectors and, in both directions, against another implementation.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from cobot_nostr.crypto import DecryptError

if TYPE_CHECKING:
    from cobot_nostr.crypto import Key

MAX_PLAINTEXT = 1024 * 1024
"""Bytes that are encrypted or decrypted here; the NIP allows 4 GiB, no relay does."""

_VERSION = b"\x02"
_LONG = 65536
_MIN_PAYLOAD = 132
_MAX_PAYLOAD = 4 * (MAX_PLAINTEXT * 5 // 4 + 128) // 3


def conversation_key(key: Key, peer: str) -> bytes:
    """Return the 32 bytes that two people share for all their messages.

    Raises:
        ValueError: `peer` is not a public key.
    """
    return hmac.digest(b"nip44-v2", key.shared_x(peer), "sha256")


def encrypt(text: str, conversation: bytes, nonce: bytes | None = None) -> str:
    """Return `text` as a payload: base64 of version, nonce, ciphertext and MAC.

    Args:
        text: 1 byte to 1 MiB of UTF-8.
        conversation: from `conversation_key`.
        nonce: 32 bytes; fresh random ones unless a test says otherwise.

    Raises:
        ValueError: the text is empty or too long.
    """
    nonce = nonce or secrets.token_bytes(32)
    cipher_key, cipher_nonce, mac_key = message_keys(conversation, nonce)
    ciphertext = _chacha20(cipher_key, cipher_nonce, _pad(text.encode()))
    mac = hmac.digest(mac_key, nonce + ciphertext, "sha256")
    return base64.b64encode(_VERSION + nonce + ciphertext + mac).decode()


def decrypt(payload: str, conversation: bytes) -> str:
    """Return the text of a payload.

    Raises:
        DecryptError: wrong version, damaged, or not written with this conversation key.
    """
    nonce, ciphertext, mac = _decode(payload)
    cipher_key, cipher_nonce, mac_key = message_keys(conversation, nonce)
    if not hmac.compare_digest(mac, hmac.digest(mac_key, nonce + ciphertext, "sha256")):
        raise DecryptError("NIP-44: the MAC does not match")
    try:
        return _unpad(_chacha20(cipher_key, cipher_nonce, ciphertext)).decode()
    except UnicodeDecodeError:
        raise DecryptError("NIP-44: the text is not UTF-8") from None


def padded_length(length: int) -> int:
    """Return how many bytes a text of `length` bytes takes before encryption."""
    if length <= 32:  # the NIP's smallest block
        return 32
    power = 1 << (length - 1).bit_length()
    chunk = max(32, power // 8)
    return chunk * ((length - 1) // chunk + 1)


def message_keys(conversation: bytes, nonce: bytes) -> tuple[bytes, bytes, bytes]:
    """Return cipher key, cipher nonce and MAC key of one message (HKDF-Expand, RFC 5869)."""
    blocks, block = b"", b""
    for counter in (1, 2, 3):
        block = hmac.digest(conversation, block + nonce + bytes([counter]), "sha256")
        blocks += block
    return blocks[:32], blocks[32:44], blocks[44:76]


def _chacha20(key: bytes, nonce: bytes, data: bytes) -> bytes:
    return Cipher(ChaCha20(key, bytes(4) + nonce), mode=None).encryptor().update(data)


def _pad(text: bytes) -> bytes:
    if not 1 <= len(text) <= MAX_PLAINTEXT:
        raise ValueError(f"NIP-44: a text has 1 to {MAX_PLAINTEXT} bytes, not {len(text)}")
    short = len(text) < _LONG
    prefix = len(text).to_bytes(2, "big") if short else bytes(2) + len(text).to_bytes(4, "big")
    return prefix + text + bytes(padded_length(len(text)) - len(text))


def _unpad(padded: bytes) -> bytes:
    length, start = int.from_bytes(padded[:2], "big"), 2
    if length == 0:
        length, start = int.from_bytes(padded[2:6], "big"), 6
    text = padded[start : start + length]
    fits = length > 0 and (start == 2) == (length < _LONG)  # bytes of the prefix
    if not fits or len(padded) != start + padded_length(length) or any(padded[start + length :]):
        raise DecryptError("NIP-44: the padding is wrong")
    return text


def _decode(payload: str) -> tuple[bytes, bytes, bytes]:
    if payload.startswith("#"):
        raise DecryptError("NIP-44: the version is unknown")
    if not _MIN_PAYLOAD <= len(payload) <= _MAX_PAYLOAD:
        raise DecryptError("NIP-44: the payload has an impossible length")
    try:
        raw = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise DecryptError("NIP-44: the payload is not base64") from None
    if raw[:1] != _VERSION:
        raise DecryptError("NIP-44: the version is unknown")
    if len(raw) < 99:  # version, nonce, one padded block, MAC
        raise DecryptError("NIP-44: the payload has an impossible length")
    return raw[1:33], raw[33:-32], raw[-32:]
