"""Keys and signatures: the one place that touches pynostr and a private key's bytes."""

from __future__ import annotations

import binascii
import re
from typing import Any

from pynostr.key import PrivateKey, PublicKey  # type: ignore[import-untyped]

_HEX64 = re.compile(r"[0-9a-f]{64}")


class DecryptError(ValueError):
    """A ciphertext cannot be read: not for us, damaged, or forged."""


class Key:
    """A private key. It shows its public half only: in `repr`, in `str`, in a traceback."""

    __slots__ = ("__key", "public")

    public: str
    """The public key, 64 hexadecimal digits."""

    def __init__(self, secret: bytes | None = None) -> None:
        try:
            self.__key: Any = PrivateKey(secret)
        except ValueError:
            raise ValueError("these 32 bytes are not a private key of secp256k1") from None
        self.public = str(self.__key.public_key.hex())

    @classmethod
    def from_hex(cls, text: str) -> Key:
        """Return the key that 64 hexadecimal digits stand for.

        Raises:
            ValueError: they do not; the text is not quoted.
        """
        if not _HEX64.fullmatch(text.lower()):
            raise ValueError("a key in hexadecimal has 64 digits")
        return cls(bytes.fromhex(text))

    def sign(self, digest: bytes) -> str:
        """Return the Schnorr signature (BIP-340) of 32 bytes: 128 hexadecimal digits."""
        signature: bytes = self.__key.sign(digest)
        return signature.hex()

    def shared_x(self, peer: str) -> bytes:
        """Return the x coordinate both sides share (ECDH, not hashed): 32 bytes.

        Raises:
            ValueError: `peer` is not a point of the curve.
        """
        try:
            secret: bytes = self.__key.ecdh(peer)
        except ValueError:
            raise ValueError("the public key is not a point of the curve") from None
        return secret

    def encrypt_nip04(self, text: str, peer: str) -> str:
        """Return `text` as a kind 4 content. NIP-04 is deprecated: only to answer in kind."""
        return str(self.__key.encrypt_message(text, peer))

    def decrypt_nip04(self, payload: str, peer: str) -> str:
        """Return what a kind 4 content says.

        Raises:
            DecryptError: it cannot be read.
        """
        try:
            return str(self.__key.decrypt_message(payload, peer))
        except (ValueError, IndexError, binascii.Error) as error:
            raise DecryptError(f"NIP-04: {type(error).__name__}") from None

    def is_in(self, text: str) -> bool:
        """Tell whether the private key itself stands in a text, as `nsec` or as digits."""
        folded = text.lower()
        return any(one in folded for one in self.spellings())

    def spellings(self) -> tuple[str, str]:
        """Return the private key as `nsec` and as digits: for looking for it, as `secret_bytes`."""
        return str(self.__key.bech32()), str(self.__key.hex())

    def secret_bytes(self) -> bytes:
        """Return the private key itself: for writing it to its file, and for nothing else."""
        return bytes(self.__key.raw_secret)

    def __repr__(self) -> str:
        return f"Key(public={self.public!r})"

    def __reduce__(self) -> str:
        raise TypeError("a private key is not pickled")


def verify(public: str, digest: bytes, signature: str) -> bool:
    """Tell whether `public` signed these 32 bytes (BIP-340)."""
    try:
        return bool(PublicKey.from_hex(public).verify(bytes.fromhex(signature), digest))
    except ValueError:
        return False


def is_public_key(text: str) -> bool:
    """Tell whether these 64 hexadecimal digits are a point of the curve."""
    if not _HEX64.fullmatch(text):
        return False
    try:
        PublicKey.from_hex(text).verify(bytes(64), bytes(32))
    except ValueError:
        return False
    return True
