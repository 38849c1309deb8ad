"""The parse mode HTML: https://core.telegram.org/bots/api#html-style."""

from __future__ import annotations

from html.parser import HTMLParser

from cobot_telegram.testing.marks import Output, Parsed, cannot

_TAGS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}


class _Html(HTMLParser):
    """https://core.telegram.org/bots/api#html-style."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out = Output()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "span" and given.get("class") == "tg-spoiler":
            kind = "spoiler"
        elif tag in _TAGS:
            kind = _TAGS[tag]
        else:
            raise cannot(f'Unsupported start tag "{tag}"')
        inside_pre = bool(self.out.stack) and self.out.stack[-1].kind == "pre"
        if tag == "code" and inside_pre and given.get("class", "").startswith("language-"):
            self.out.stack[-1].fields["language"] = given["class"].removeprefix("language-")
            kind = ""
        if tag == "blockquote" and "expandable" in given:
            kind = "expandable_blockquote"
        self.out.open(kind, tag, 0)
        if tag == "a":
            self.out.stack[-1].fields["url"] = given.get("href", "")
        if tag == "tg-emoji":
            self.out.stack[-1].fields["custom_emoji_id"] = given.get("emoji-id", "")

    def handle_endtag(self, tag: str) -> None:
        if not self.out.stack:
            raise cannot(f'Unexpected end tag "{tag}"')
        entry = self.out.stack[-1]
        if entry.marker != tag:
            raise cannot(f'Unmatched end tag, expected "</{entry.marker}>", found "</{tag}>"')
        if entry.kind:
            self.out.close()
        else:
            self.out.stack.pop()

    def handle_data(self, data: str) -> None:
        self.out.write(data)


def html(text: str) -> Parsed:
    """Return text and entities of a text in HTML.

    Raises:
        ApiError: 400; it is not well formed.
    """
    parser = _Html()
    parser.feed(text)
    parser.close()
    if parser.out.stack:
        raise cannot(
            f'Can\'t find end tag corresponding to start tag "{parser.out.stack[-1].marker}"'
        )
    return parser.out.result()
