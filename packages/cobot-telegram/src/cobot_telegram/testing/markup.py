"""Parse modes: MarkdownV2, HTML and the old Markdown, into text and entities.

They refuse what the Bot API refuses, with its words ("can't parse entities: …"):
https://core.telegram.org/bots/api#formatting-options.
"""

from __future__ import annotations

from cobot_telegram.testing.errors import bad_request
from cobot_telegram.testing.html import html
from cobot_telegram.testing.marks import Output, Parsed, cannot

RESERVED = frozenset("_*[]()~`>#+-=|{}.!")


def parsed(text: str, mode: str) -> Parsed:
    """Return text and entities of a marked-up text.

    Raises:
        ApiError: 400; the mode is unknown, or the text is not well formed in it.
    """
    parsers = {"markdownv2": _MarkdownV2, "markdown": _OldMarkdown}
    if mode.lower() == "html":
        return html(text)
    if mode.lower() not in parsers:
        raise bad_request("unsupported parse_mode")
    return parsers[mode.lower()](text).run()


_NAMES = {
    "*": "bold",
    "_": "italic",
    "__": "underline",
    "~": "strikethrough",
    "||": "spoiler",
}


class _MarkdownV2:
    """https://core.telegram.org/bots/api#markdownv2-style."""

    code_escapes = "`\\"

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.out = Output()

    def run(self) -> Parsed:
        while self.at < len(self.text):
            self.step()
        self.end_quote()
        if self.out.stack:
            entry = self.out.stack[-1]
            raise cannot(
                f"Can't find end of {entry.kind.capitalize()} entity at byte offset "
                f"{self.byte_offset(entry.at)}"
            )
        return self.out.result()

    def byte_offset(self, at: int) -> int:
        return len(self.text[:at].encode())

    def step(self) -> None:
        text, at = self.text, self.at
        character = text[at]
        if character == "\\" and at + 1 < len(text) and ord(text[at + 1]) < 127:
            self.out.write(text[at + 1])
            self.at += 2
        elif character == "`":
            self.code()
        elif character == ">" and self.line_starts():
            self.quote()
        elif character in RESERVED:
            self.reserved(character)
        else:
            if character == "\n" and not self.quote_goes_on():
                self.end_quote()
            self.out.write(character)
            self.at += 1

    def line_starts(self) -> bool:
        return self.at == 0 or self.text[self.at - 1] == "\n"

    def quote(self) -> None:
        if not any(entry.kind == "blockquote" for entry in self.out.stack):
            self.out.open("blockquote", ">", self.at)
        self.at += 1

    def quote_goes_on(self) -> bool:
        return self.text[self.at + 1 : self.at + 2] == ">"

    def end_quote(self) -> None:
        if self.out.stack and self.out.stack[-1].kind == "blockquote":
            self.out.close()

    def code(self) -> None:
        fence = "```" if self.text.startswith("```", self.at) else "`"
        start = self.at
        self.at += len(fence)
        language = self.language() if fence == "```" else ""
        offset = self.out.length
        while not self.text.startswith(fence, self.at):
            if self.at >= len(self.text):
                kind = "Pre" if fence == "```" else "Code"
                raise cannot(
                    f"Can't find end of {kind} entity at byte offset {self.byte_offset(start)}"
                )
            if self.text[self.at] == "\\" and self.text[self.at + 1 : self.at + 2] in (
                *self.code_escapes,
            ):
                self.at += 1
            self.out.write(self.text[self.at])
            self.at += 1
        self.at += len(fence)
        fields = {"language": language} if language else {}
        self.out.entity("pre" if fence == "```" else "code", offset, **fields)

    def language(self) -> str:
        line, newline, _ = self.text[self.at :].partition("\n")
        if newline and line and "`" not in line and not any(c.isspace() for c in line):
            self.at += len(line) + 1
            return line
        if newline and not line:
            self.at += 1
        return ""

    def reserved(self, character: str) -> None:
        two = self.text[self.at : self.at + 2]
        marker = two if two in ("__", "||") else character
        if character == "[" or two == "![":
            self.out.open("text_link", "[", self.at)
            self.at += len("![") if two == "![" else 1
        elif character == "]" and self.out.stack and self.out.stack[-1].marker == "[":
            self.link()
        elif marker in _NAMES:
            self.toggle(marker)
        else:
            raise cannot(
                f"Character '{character}' is reserved and must be escaped with the preceding '\\'"
            )

    def toggle(self, marker: str) -> None:
        if self.out.stack and self.out.stack[-1].marker == marker:
            self.out.close()
        elif any(entry.marker == marker for entry in self.out.stack):
            entry = self.out.stack[-1]
            raise cannot(
                f"Can't find end of {entry.kind.capitalize()} entity at byte offset "
                f"{self.byte_offset(entry.at)}"
            )
        else:
            self.out.open(_NAMES[marker], marker, self.at)
        self.at += len(marker)

    def link(self) -> None:
        if self.text[self.at + 1 : self.at + 2] != "(":
            raise cannot("a link's text in [] must be followed by its address in ()")
        end = self.at + 2
        url: list[str] = []
        while end < len(self.text) and self.text[end] != ")":
            if self.text[end] == "\\":
                end += 1
            url.append(self.text[end : end + 1])
            end += 1
        if end >= len(self.text):
            raise cannot(f"Can't find end of a URL at byte offset {self.byte_offset(self.at + 2)}")
        self.at = end + 1
        address = "".join(url)
        if address.startswith("tg://emoji?id="):
            self.out.stack[-1].kind = "custom_emoji"
            self.out.close(custom_emoji_id=address.removeprefix("tg://emoji?id="))
        else:
            self.out.close(url=address)


class _OldMarkdown(_MarkdownV2):
    """https://core.telegram.org/bots/api#markdown-style: no nesting, four marks."""

    def step(self) -> None:
        text, at = self.text, self.at
        character = text[at]
        if character == "\\" and text[at + 1 : at + 2] in ("_", "*", "`", "["):
            self.out.write(text[at + 1])
            self.at += 2
        elif character == "`":
            self.code()
        elif character in "*_":
            self.toggle(character)
        elif character == "[" and not self.out.stack and "](" in text[at:]:
            self.out.open("text_link", "[", at)
            self.at += 1
        elif character == "]" and self.out.stack and self.out.stack[-1].marker == "[":
            self.link()
        else:
            self.out.write(character)
            self.at += 1

    def toggle(self, marker: str) -> None:
        if self.out.stack and self.out.stack[-1].marker != marker:
            self.out.write(marker)
            self.at += 1
        else:
            super().toggle(marker)
