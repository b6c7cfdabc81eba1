"""The project's docstrings and comments as reStructuredText, for the API reference and the annotated source.

They are plain text with three habits: names in `single backticks`, a block of code after `::`, and paragraphs that
describe one argument per line as "name: what it is". Everything else that reStructuredText would interpret, such as
the underscore of x_hat, is escaped.
"""

import re

CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
EMPHASIS = re.compile(r"(?<!\w)(\*[^\W\d][^*\n]*\w\*)(?!\w)")
SPECIAL = re.compile(r"([\\*_|`])")
ARGUMENT = re.compile(r"[a-z_][\w.*]*(, [a-z_]\w*)*: ")
ITEM = re.compile(r"- |\d+\. ")


def to_rst(text: str) -> str:
    """A docstring, already dedented as by inspect.cleandoc, as reStructuredText."""
    lines: list[str] = []
    in_code = False
    for paragraph in re.split(r"\n\s*\n", text.strip("\n")):
        if in_code and paragraph.startswith(" "):
            lines += [*paragraph.split("\n"), ""]
            continue
        in_code = paragraph.rstrip().endswith("::")
        lines += [*_paragraph(paragraph), ""]
    return "\n".join(lines)


def _paragraph(paragraph: str) -> list[str]:
    """The lines of a paragraph; each argument that it describes becomes an item of a list."""
    lines = _inline(paragraph).split("\n")
    plain = paragraph.split("\n")
    if not ARGUMENT.match(plain[0]):
        return lines if ITEM.match(plain[0]) else [line.strip() for line in lines]
    result: list[str] = []
    for line, before in zip(lines, plain, strict=True):
        if ARGUMENT.match(before):
            name, _, rest = line.partition(": ")
            result += ["", f"- **{name}**: {rest}"]
        else:
            result.append(f"  {line.strip()}")
    return result


def _inline(text: str) -> str:
    """`name` as code, *word* as emphasis, and nothing else as markup."""
    parts = CODE.split(text)
    for i, part in enumerate(parts):
        parts[i] = f"``{part.strip('`')}``" if i % 2 else _plain(part)
        if i % 2 and re.match(r"\w", parts[i + 1]):  # as in `x`s: reStructuredText needs a separator
            parts[i] += "\\ "
    return "".join(parts)


def _plain(text: str) -> str:
    words = EMPHASIS.split(text)
    return "".join(word if i % 2 else SPECIAL.sub(r"\\\1", word) for i, word in enumerate(words))
