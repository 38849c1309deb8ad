"""NIP-10: where in a thread a note stands, and the tags of an answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cobot_nostr.event import Rumor

_MARKER = 3
_HEX64 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a note stands.

    Attributes:
        root: the first note of its thread; the note's own id when it begins one.
        parent: the note it answers.
    """

    root: str
    parent: str | None


def place(note: Rumor) -> Place:
    """Return where a note stands, by the markers of its `e` tags or, without any, their order."""
    tags = [tag for tag in note.tags if tag[0] == "e" and _HEX64.fullmatch("".join(tag[1:2]))]
    marked = {tag[_MARKER]: tag[1] for tag in tags if len(tag) > _MARKER and tag[_MARKER]}
    if "root" in marked or "reply" in marked:
        root = marked.get("root") or marked["reply"]
        return Place(root, marked.get("reply") or root)
    plain = [tag[1] for tag in tags if "mention" not in tag[_MARKER : _MARKER + 1]]
    if not plain:
        return Place(note.id, None)
    return Place(plain[0], plain[-1])


def answer_tags(root: str, parent: str | None, people: list[str]) -> list[list[str]]:
    """Return the tags of a note in a thread.

    Args:
        root: id of the thread's first note.
        parent: id of the note answered; `None`: the root.
        people: public keys to tell, in order; each once.
    """
    tags = [["e", root, "", "root"]]
    if parent is not None and parent != root:
        tags.append(["e", parent, "", "reply"])
    return tags + [["p", one] for one in dict.fromkeys(people)]
