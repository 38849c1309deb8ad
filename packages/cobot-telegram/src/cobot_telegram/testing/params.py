"""What a call brings along, however it was encoded: query, form, JSON or multipart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import BodyPartReader, web

from cobot_telegram.testing.errors import ApiError, bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 60_000_000


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a multipart body."""

    data: bytes = field(repr=False)
    filename: str | None
    content_type: str


class Params:
    """The parameters of one call, by name."""

    def __init__(self, values: Mapping[str, Any], uploads: Mapping[str, Upload]) -> None:
        self.values = dict(values)
        self.uploads = dict(uploads)

    def text(self, name: str, default: str = "") -> str:
        """Return a string."""
        value = self.values.get(name)
        return default if value is None else str(value)

    def integer(self, name: str, default: int = 0) -> int:
        """Return a whole number.

        Raises:
            ApiError: 400; it is not one.
        """
        value = self.values.get(name)
        if value is None or value == "":
            return default
        try:
            return int(value)
        except (TypeError, ValueError) as error:
            raise bad_request(f'parameter "{name}" must be an integer') from error

    def flag(self, name: str) -> bool:
        """Return a boolean; `true`, `True` and `1` are true."""
        return str(self.values.get(name, "")).lower() in {"true", "1", "yes"}

    def json(self, name: str, default: Any = None) -> Any:
        """Return an object, decoded when it came as a string.

        Raises:
            ApiError: 400; it is not JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return default if value is None else value
        try:
            return json.loads(value)
        except ValueError as error:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from error

    def upload(self, reference: str) -> Upload | None:
        """Return the file that `attach://name`, or a parameter's own name, stands for."""
        return self.uploads.get(reference.removeprefix("attach://"))


async def read_params(request: web.Request) -> Params:
    """Read a request's parameters.

    Raises:
        ApiError: 413; a body of more than 60 MB. 400; one that cannot be read.
    """
    if (request.content_length or 0) > MAX_BODY:
        raise ApiError(413, "Request Entity Too Large")
    values: dict[str, Any] = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "application/json":
        values |= _object(await request.read())
    elif request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name is not None:
                await _read_part(part, values, uploads)
    else:
        values |= await request.post()
    return Params(values, uploads)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError as error:
        raise bad_request("can't parse JSON object") from error
    if not isinstance(found, dict):
        raise bad_request("object expected as parameters")
    return found


async def _read_part(
    part: BodyPartReader, values: dict[str, Any], uploads: dict[str, Upload]
) -> None:
    name = str(part.name)
    data = bytes(await part.read(decode=False))
    if part.filename is None:
        values[name] = data.decode()
        return
    content_type = part.headers.get("Content-Type", "application/octet-stream")
    uploads[name] = Upload(data, part.filename, content_type)
