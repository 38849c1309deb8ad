"""Throw bytes at what reads strangers' bytes, guided by what they reach: `fuzzing TARGET SECONDS`.

A target may raise the errors that its callers expect and nothing else; whatever else it raises, and
whatever hangs or grows, ends the run with the bytes that did it. `fuzzing list` names the targets.
"""

from __future__ import annotations

import logging
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(
    include=["cobot_session", "cobot_telegram", "cobot_discord", "cobot_nostr"]
):
    from fuzzing import core, of_discord, of_nostr, of_telegram

SECONDS = 5
"""That one input may take."""
MEMORY = 1024
"""MiB that the whole run may take."""
TARGETS = {
    one.__name__: one
    for one in (
        *(core.attachment, core.message, core.settings, core.spool, core.cuts),
        *(of_telegram.telegram_update, of_telegram.telegram_answer, of_telegram.telegram_markdown),
        *(of_discord.discord_event, of_discord.discord_answer, of_discord.discord_markdown),
        *(of_nostr.nostr_frame, of_nostr.nostr_event, of_nostr.nostr_wrap, of_nostr.nostr_id),
        *(of_nostr.nostr_cipher, of_nostr.nostr_profile),
    )
}

if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        sys.exit(print("\n".join(TARGETS)))
    if len(sys.argv) != 3 or sys.argv[1] not in TARGETS:
        sys.exit(f"fuzzing TARGET SECONDS; targets: {' '.join(TARGETS)}")
    name, seconds = sys.argv[1:]
    logging.disable()
    bounds = [f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY}"]
    atheris.Setup([name, *bounds], TARGETS[name])
    atheris.Fuzz()
