"""What the server answers when it refuses a request.

Numbers and words are those of https://discord.com/developers/docs/topics/opcodes-and-status-codes.
"""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: HTTP status.
        code: Discord's JSON error code; 0: a general one.
        message: Discord's words.
        more: further keys of the body.
    """

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.more = more
        super().__init__(f"{status} {code} {message}")

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the answer."""
        return {"message": self.message, "code": self.code, **self.more}


def unauthorized() -> ApiError:
    """Return the refusal of a token."""
    return ApiError(401, 0, "401: Unauthorized")


def unknown(what: str) -> ApiError:
    """Return a 404 for a `Channel`, `Message`, `User`, `Emoji`, `Guild` or `Member`."""
    codes = {"Channel": 10003, "Guild": 10004, "Member": 10007, "Message": 10008, "User": 10013}
    return ApiError(404, codes.get(what, 10014), f"Unknown {what}")


def missing_access() -> ApiError:
    """Return the refusal of a chat the bot cannot see."""
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    """Return the refusal of an act the bot may not do."""
    return ApiError(403, 50013, "Missing Permissions")


def closed_to_bots() -> ApiError:
    """Return the refusal of a direct message to a user who takes none."""
    return ApiError(403, 50007, "Cannot send messages to this user")


def invalid_form(field: str, rule: str, code: str = "BASE_TYPE_BAD_LENGTH") -> ApiError:
    """Return a 400 that names one field of the body."""
    problem = {"_errors": [{"code": code, "message": rule}]}
    return ApiError(400, 50035, "Invalid Form Body", errors={field: problem})
