"""A Sphinx extension: a Python file is a page that shows its notes beside its code.

The notes are the docstrings and the comments that stand on lines of their own. On a narrow screen each note stands
above its code (site.css).
"""

import ast
import inspect
import io
import textwrap
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

from docstrings import to_rst
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.parsers import RSTParser

FILE_TYPE = "python-source"
TOOLS = ("# fmt:", "# type:", "# noqa", "#!")
"""Comments for tools, which stay in the code."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass
class Piece:
    """Lines of code and the note about them. name: of the function or class that starts here at the top level."""

    name: str = ""
    note: str = ""
    code: list[str] = field(default_factory=list)


class AnnotatedSource(RSTParser):
    """Parses a Python file as the reStructuredText that `page` makes of it."""

    supported = (FILE_TYPE,)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        file = Path(document.settings.env.doc2path(document.settings.env.docname, base=False))
        super().parse(page(file.as_posix(), inputstring), document)


def page(file: str, source: str) -> str:
    """The page of a source file, as reStructuredText."""
    found = pieces(source)
    names = {i: piece.name for i, piece in enumerate(found) if piece.name}
    title = file.removeprefix("numpynet/")
    lines = [":orphan:", ":hide-toc:", "", title, "=" * len(title), ""]
    lines += [to_rst(ast.get_docstring(ast.parse(source)) or ""), ""]
    if names:
        lines += [" · ".join(f"`{name} <{file}-{i}_>`__" for i, name in names.items()), ""]
    for i, piece in enumerate(found):
        if piece.name:  # two names may differ in case alone, so a number tells the sections apart
            lines += [f".. _{file}-{i}:", "", piece.name, "-" * len(piece.name), ""]
        lines += [".. container:: annotated", ""]
        if piece.note:
            lines += ["   .. container:: annotation", "", textwrap.indent(to_rst(piece.note), " " * 6), ""]
        if piece.code:
            lines += ["   .. container:: annotated-code", "", "      .. code-block:: python", "         :force:", ""]
            lines += [textwrap.indent("\n".join(piece.code), " " * 9), ""]
    return "\n".join(lines)


def pieces(source: str) -> list[Piece]:
    """The file's pieces in order, without the docstring of the module."""
    lines = source.splitlines()
    tree = ast.parse(source)
    names, notes, hidden = _docstrings(tree)
    comments = _comments(source, tree)
    found = [Piece()]
    for number, line in enumerate(lines, 1):
        if number in names or number in notes or (number in comments and number - 1 not in comments):
            found.append(Piece(names.get(number, ""), notes.get(number, "")))
        if number in comments:
            found[-1].note += line.strip().removeprefix("#").removeprefix(" ") + "\n"
        elif number not in hidden and (line or number - 1 not in hidden):
            found[-1].code.append(line)
    for piece in found:
        piece.code = "\n".join(piece.code).strip("\n").rstrip().split("\n") if any(map(str.strip, piece.code)) else []
    return [piece for piece in found if piece.code or piece.note]


def _docstrings(tree: ast.Module) -> tuple[dict[int, str], dict[int, str], set[int]]:
    """By the line where a piece starts: top-level names, and docstrings; and the lines that the docstrings fill."""
    names: dict[int, str] = {}
    notes: dict[int, str] = {}
    hidden: set[int] = set()
    for parent in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
        before: ast.stmt | None = None
        for node in parent.body:
            if isinstance(node, Definition):
                start = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                if parent is tree:
                    names[start] = node.name
                if note := ast.get_docstring(node):
                    notes[start] = note
                    hidden.update(_lines(node.body[0]))
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                if isinstance(before, ast.Assign | ast.AnnAssign):  # the docstring of a constant or a field
                    notes[before.lineno] = inspect.cleandoc(str(node.value.value))
                    hidden.update(_lines(node))
                elif before is None and parent is tree:
                    hidden.update(_lines(node))
            before = node
    return names, notes, hidden


def _comments(source: str, tree: ast.Module) -> set[int]:
    """The lines that hold nothing but a comment, between statements."""
    inside = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not hasattr(node, "body")
        for line in list(_lines(node))[1:]
    }
    return {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
        and token.line.strip().startswith("#")
        and not token.string.startswith(TOOLS)
        and token.start[0] not in inside
    }


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the parser for .py files."""
    app.add_source_suffix(".py", FILE_TYPE)
    app.add_source_parser(AnnotatedSource)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
