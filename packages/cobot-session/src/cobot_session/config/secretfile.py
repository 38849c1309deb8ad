"""`!file path`: a secret that stands in a file of its own, as container platforms mount them."""

from __future__ import annotations

from pathlib import Path

from cobot_session.config.variables import InterpolationError

MAX_BYTES = 65_536
"""What is longer is no secret but a wrong path."""

_FIX = "Name a readable text file, such as `!file /run/secrets/bot_token`."


def read_secret(path: str, folder: Path) -> str:
    """Return the text of the file without one newline at its end.

    Args:
        path: as written; `~` is expanded, and a relative path starts at `folder`.
        folder: where the configuration stands.

    Raises:
        InterpolationError: it cannot be read, is no text, or is longer than 64 KiB.
    """
    try:
        with (folder / Path(path).expanduser()).open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode()
    except UnicodeDecodeError:
        raise InterpolationError("the file it names is not UTF-8 text", _FIX) from None
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "its path is not valid"
        raise InterpolationError(f"the file it names cannot be read ({why})", _FIX) from None
    if len(raw) > MAX_BYTES:
        raise InterpolationError(f"the file it names is longer than {MAX_BYTES} bytes", _FIX)
    return text.removesuffix("\n").removesuffix("\r")
