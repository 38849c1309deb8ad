"""Methods about the bot itself: who it is, its updates, its webhook, files, chats."""

from __future__ import annotations

import re
from typing import Any

from cobot_telegram.testing.bots import Webhook
from cobot_telegram.testing.call import Call, api_method
from cobot_telegram.testing.errors import bad_request
from cobot_telegram.testing.files import MAX_DOWNLOAD

_SECRET_FORM = re.compile(r"[A-Za-z0-9_-]{1,256}")
_DEFAULT_LIMIT = 100


@api_method("getMe")
async def get_me(call: Call) -> dict[str, Any]:
    """Carry out getMe."""
    return call.bot.me()


@api_method("getUpdates")
async def get_updates(call: Call) -> list[dict[str, Any]]:
    """Carry out getUpdates."""
    call.bot.updates.allow(call.params.json("allowed_updates"))
    return await call.bot.updates.poll(
        call.params.integer("offset"),
        call.params.integer("limit", _DEFAULT_LIMIT),
        float(call.params.integer("timeout")),
    )


@api_method("setWebhook")
async def set_webhook(call: Call) -> bool:
    """Carry out setWebhook. As a Bot API server of one's own, this one takes plain HTTP, too."""
    url = call.params.text("url")
    secret = call.params.text("secret_token")
    if url and not url.startswith(("http://", "https://")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if secret and not _SECRET_FORM.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    with call.world.changes:
        call.bot.updates.allow(call.params.json("allowed_updates"))
        connections = call.params.integer("max_connections", 40)
        call.bot.webhook = Webhook(url, secret, connections) if url else None
        call.bot.updates.webhook_active = bool(url)
        _drop_if_asked(call)
        call.world.changes.notify()
    return True


@api_method("deleteWebhook")
async def delete_webhook(call: Call) -> bool:
    """Carry out deleteWebhook."""
    with call.world.changes:
        call.bot.webhook = None
        call.bot.updates.webhook_active = False
        _drop_if_asked(call)
        call.world.changes.notify()
    return True


def _drop_if_asked(call: Call) -> None:
    if call.params.flag("drop_pending_updates"):
        for update in call.bot.updates.pending:
            call.bot.updates.drop(update["update_id"])


@api_method("getWebhookInfo")
async def get_webhook_info(call: Call) -> dict[str, Any]:
    """Carry out getWebhookInfo."""
    hook = call.bot.webhook
    info: dict[str, Any] = {
        "url": hook.url if hook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(call.bot.updates),
    }
    if hook is not None:
        info["max_connections"] = hook.max_connections
        if hook.last_error is not None:
            info |= {
                "last_error_message": hook.last_error,
                "last_error_date": hook.last_error_date,
            }
    if call.bot.updates.allowed is not None:
        info["allowed_updates"] = call.bot.updates.allowed
    return info


@api_method("getFile")
async def get_file(call: Call) -> dict[str, Any]:
    """Carry out getFile."""
    file = call.world.files.get(call.params.text("file_id"))
    if file is None:
        raise bad_request("invalid file_id")
    if file.size > MAX_DOWNLOAD:
        raise bad_request("file is too big")
    return {
        "file_id": file.id,
        "file_unique_id": f"u{file.id}",
        "file_size": file.size,
        "file_path": file.path,
    }


@api_method("getChat")
async def get_chat(call: Call) -> dict[str, Any]:
    """Carry out getChat."""
    return {**call.chat().json(), "accent_color_id": 0, "max_reaction_count": 11}


@api_method("getChatMember")
async def get_chat_member(call: Call) -> dict[str, Any]:
    """Carry out getChatMember."""
    number = call.params.integer("user_id")
    user = call.world.users.get(number)
    if user is not None:
        return {"status": "member", "user": user.json()}
    if number == call.bot.id and call.bot.id in call.chat().members:
        return {"status": "member", "user": call.bot.json()}
    raise bad_request("user not found")


@api_method("getMyCommands")
async def get_my_commands(_call: Call) -> list[dict[str, Any]]:
    """Carry out getMyCommands for a bot that has none."""
    return []


@api_method("setMyCommands", "deleteMyCommands", "logOut", "close")
async def accept(_call: Call) -> bool:
    """Accept what changes nothing here."""
    return True
