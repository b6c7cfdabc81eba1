"""Reads a page: its headings, fences, prose, links and figures."""

import re
from dataclasses import dataclass
from pathlib import Path

LEARN = Path(__file__).parents[3] / "docs" / "learn"

FENCE = re.compile(
    r"^(?P<ticks>```+)(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=ticks)[ ]*$", re.MULTILINE | re.DOTALL
)
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
SKIP = re.compile(r"<!-- *skip:(?P<reason>(?:(?!-->).)*)-->\s*\Z", re.DOTALL)
LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
FIGURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Fence:
    """A fenced block: what it holds and where it lies in the page's text."""

    language: str
    body: str
    start: int  # of the fence in the text
    body_start: int
    end: int
    line: int  # of the fence, from 1
    skip: str | None  # the reason given for not running it; None if it is to be run


def fences(text: str) -> list[Fence]:
    """All fenced blocks in order. `<!-- skip: reason -->` before a block is its reason not to be run."""
    found = []
    for match in FENCE.finditer(text):
        skip = SKIP.search(text, 0, match.start())
        found.append(
            Fence(
                match["language"],
                match["body"],
                match.start(),
                match.start("body"),
                match.end(),
                text.count("\n", 0, match.start()) + 1,
                skip["reason"].strip() if skip else None,
            )
        )
    return found


def without_fences(text: str) -> str:
    """The text without fenced blocks and comments."""
    return COMMENT.sub("", FENCE.sub("", text))


def headings(text: str, level: int) -> list[str]:
    """The headings of one level in order."""
    return re.findall(rf"^{'#' * level} (.+?) *$", without_fences(text), re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """The text under each heading of level 2, as it stands in the page."""
    blank = FENCE.sub(lambda match: re.sub(r"^#", " ", match[0], flags=re.MULTILINE), text)
    marks = list(re.finditer(r"^## (.+?) *$", blank, re.MULTILINE))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return {mark[1]: text[mark.end() : end] for mark, end in zip(marks, ends, strict=True)}


def words(text: str) -> int:
    """The number of words of prose: code, tables, comments, headings, figures and the addresses of links left out."""
    prose = FIGURE.sub("", without_fences(text))
    prose = LINK.sub(lambda match: match["text"], prose)
    lines = [line for line in prose.splitlines() if not line.startswith(("#", "|")) and " | [" not in line]
    return sum(any(letter.isalnum() for letter in word) for word in re.sub(r"<[^>]+>", "", "\n".join(lines)).split())


def links(text: str) -> list[str]:
    """The targets of all links and figures. Brackets in inline code make no link."""
    plain = re.sub(r"`[^`\n]*`", lambda match: re.sub(r"[\[\]()`]", "", match[0]), without_fences(text))
    return [match["target"] for pattern in (LINK, FIGURE) for match in pattern.finditer(plain)]


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings: lower case, spaces as hyphens, no punctuation."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+?) *$", without_fences(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 1
        anchor = slug
        while anchor in found:
            anchor = f"{slug}-{number}"
            number += 1
        found.add(anchor)
    return found
