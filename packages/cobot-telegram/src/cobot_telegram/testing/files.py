"""Attachments: what people and bots upload, and how the Bot API describes it."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

FileKind: TypeAlias = Literal[
    "photo", "video", "animation", "audio", "voice", "document", "sticker", "video_note"
]

MAX_DOWNLOAD = 20_000_000
"""Bytes a bot may download: https://core.telegram.org/bots/api#getfile."""
MAX_UPLOAD = 50_000_000
MAX_PHOTO = 10_000_000

_FOLDERS: dict[str, tuple[str, str, str]] = {
    "photo": ("photos", ".jpg", "image/jpeg"),
    "video": ("videos", ".mp4", "video/mp4"),
    "animation": ("animations", ".mp4", "video/mp4"),
    "audio": ("music", ".mp3", "audio/mpeg"),
    "voice": ("voice", ".oga", "audio/ogg"),
    "document": ("documents", "", "application/octet-stream"),
    "sticker": ("stickers", ".webp", "image/webp"),
    "video_note": ("video_notes", ".mp4", "video/mp4"),
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file a person sends.

    Attributes:
        kind: what the app sends it as.
        data: its bytes.
        filename: the name the sender gave it.
        mime_type: guessed from the name when not told.
        size: bytes; told instead of `len(data)`, to claim a large file without having one.
        fields: more fields of its API object, such as `duration`.
    """

    kind: FileKind = "document"
    data: bytes = b""
    filename: str | None = None
    mime_type: str | None = None
    size: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file the server holds.

    Attributes:
        id: the `file_id`.
        kind: what it was sent as.
        data: its bytes.
        filename: the name its sender gave it.
        mime_type: its media type.
        size: bytes, as told to the bot.
        path: where it is downloaded, below `/file/bot<token>/`.
        fields: more fields of its API object.
    """

    id: str
    kind: FileKind
    data: bytes = field(repr=False)
    filename: str | None
    mime_type: str
    size: int
    path: str
    fields: dict[str, Any]

    def described(self) -> dict[str, Any]:
        """Return the field of a Message that holds this file."""
        basic = {"file_id": self.id, "file_unique_id": f"u{self.id[2:]}", "file_size": self.size}
        if self.kind == "photo":
            small = {**basic, "file_id": f"{self.id}-s", "file_unique_id": f"{self.id}-su"}
            return {
                "photo": [
                    {**small, "width": 90, "height": 60, "file_size": min(self.size, 1200)},
                    {**basic, "width": 1280, "height": 853},
                ]
            }
        return {self.kind: {**basic, **_SHAPES[self.kind], **self._named(), **self.fields}}

    def _named(self) -> dict[str, Any]:
        if self.kind in {"sticker", "video_note"}:
            return {}
        named = {"mime_type": self.mime_type}
        if self.kind != "voice" and self.filename:
            named["file_name"] = self.filename
        return named


_SHAPES: dict[str, dict[str, Any]] = {
    "video": {"width": 1280, "height": 720, "duration": 3},
    "animation": {"width": 320, "height": 240, "duration": 2},
    "audio": {"duration": 5},
    "voice": {"duration": 2},
    "document": {},
    "sticker": {
        "type": "regular",
        "width": 512,
        "height": 512,
        "is_animated": False,
        "is_video": False,
        "emoji": "🙂",
    },
    "video_note": {"length": 240, "duration": 3},
}


class Files:
    """All files of the server."""

    def __init__(self) -> None:
        self._by_id: dict[str, StoredFile] = {}

    def store(self, attachment: Attachment) -> StoredFile:
        """Keep an uploaded file and return it with its ids.

        Raises:
            TypeError: it is no `Attachment`, or of no kind that there is.
        """
        if getattr(attachment, "kind", None) not in _FOLDERS:
            kinds = ", ".join(_FOLDERS)
            raise TypeError(
                f'a file is an `Attachment("photo", b"…")`, its kind one of {kinds}; '
                f"not {repr(attachment)[:80]}"
            )
        number = len(self._by_id) + 1
        folder, suffix, mime_type = _FOLDERS[attachment.kind]
        guessed = mimetypes.guess_type(attachment.filename or "")[0]
        stored = StoredFile(
            id=f"AgAC{number:08d}",
            kind=attachment.kind,
            data=attachment.data,
            filename=attachment.filename,
            mime_type=attachment.mime_type or guessed or mime_type,
            size=len(attachment.data) if attachment.size is None else attachment.size,
            path=f"{folder}/file_{number}{suffix}",
            fields=dict(attachment.fields),
        )
        self._by_id[stored.id] = stored
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        """Return a file by its id; a photo's small size is the same file."""
        return self._by_id.get(file_id.removesuffix("-s"))

    def at(self, path: str) -> StoredFile | None:
        """Return the file that is downloaded from this path."""
        return next((file for file in self._by_id.values() if file.path == path), None)
