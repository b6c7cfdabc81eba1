"""Writes the project's own source into the pages, with cog.

A page asks for a function in an HTML comment, which GitHub does not show, and cog fills in what stands between it and
the next `<!--end-->`::

    <!--cog source("numpynet.functional.linear", "linear_backward") cog-->
    (written by `make pages`)
    <!--end-->

cog's own markers, [[[cog ]]] and [[[end]]], would also match NumPy's nested lists.
"""

import ast
import io
import json
import textwrap
from pathlib import Path

from cogapp import Cog
from cogapp.cogapp import CogError

from numpynet.learn.lessons import loss_table
from numpynet.learn.listing import PAGES

ROOT = Path(__file__).parents[3]
PLANTED = ROOT / "docs" / "learn" / "planted.json"
"""What docs/make_planted_curves.py measured."""
COLUMNS = 72
"""Longer lines of code get their comment on a line of its own above. So a page can be read on a narrow screen."""


def renewed(text: str, root: Path = ROOT) -> str:
    """The page with all its cog blocks filled in anew, from the source files under `root`.

    ValueError if a block asks for what is not there, or lacks its `<!--end-->`.
    """
    cog = Cog()
    cog.options.begin_spec, cog.options.end_spec, cog.options.end_output = "<!--cog", "cog-->", "<!--end-->"
    cog._fix_end_output_patterns()
    written = io.StringIO()

    def write(lines: str) -> None:
        cog.cogmodule.outl(lines)

    def include(module: str, name: str, since: str = "", until: str = "") -> None:
        write(fence(source(module, name, since, until, root)))

    names = {
        "source": include,
        "foot": lambda file: write(foot(file)),
        "index": lambda: write(index()),
        "planted": lambda: write(loss_table.markdown(json.loads(PLANTED.read_text()))),
    }
    try:
        cog.process_file(io.StringIO(text), written, "line", globals=names)
    except CogError as error:
        raise ValueError(str(error).splitlines()[-1]) from error
    return written.getvalue()


def fence(code: str) -> str:
    """`code` in a fence that is shown as Python, but not run: blocks that are run say `python`."""
    return f"```py\n{code}\n```"


def source(module: str, name: str, since: str = "", until: str = "", root: Path = ROOT) -> str:
    """The code of a function, class or method ("Chain.backward"), without its docstring.

    since, until: leave out the lines before the first that begins with `since`, and the lines after the first from
    there on that begins with `until`.

    ValueError if there is no such name or line.
    """
    file = Path(*module.split(".")).with_suffix(".py")
    text = (root / file).read_text()
    node = _definition(ast.parse(text), name, file)
    lines = text.splitlines()
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]) - 1
    kept = lines[first : node.end_lineno]
    statement = node.body[0]
    if ast.get_docstring(node) is not None and len(node.body) > 1:
        assert statement.end_lineno is not None
        kept = lines[first : statement.lineno - 1] + lines[statement.end_lineno : node.end_lineno]
    kept = [line for line in _between(kept, since, until, f"{file}: {name}") if line.strip()]
    code = textwrap.dedent("\n".join(_narrow(kept)))
    return f"# {file.as_posix()}\n{code}"


def _definition(tree: ast.AST, name: str, file: Path) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef:
    """The definition of `name`, which may have dots."""
    for part in name.split("."):
        found = [
            node
            for node in ast.iter_child_nodes(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == part
        ]
        if not found:
            raise ValueError(f"{file} defines no {name}")
        tree = found[-1]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return tree


def _between(lines: list[str], since: str, until: str, where: str) -> list[str]:
    """The lines from the first that begins with `since` to the next that begins with `until`."""
    for begin in (since, until):
        if not any(line.strip().startswith(begin) for line in lines):
            raise ValueError(f"{where}: no line begins with {begin!r}")
    first = next(i for i, line in enumerate(lines) if line.strip().startswith(since))
    if not until:
        return lines[first:]
    rest = (i for i, line in enumerate(lines) if i >= first and line.strip().startswith(until))
    last = next(rest, None)
    if last is None:
        raise ValueError(f"{where}: no line after {since!r} begins with {until!r}")
    return lines[first : last + 1]


def _narrow(lines: list[str]) -> list[str]:
    """The lines, with the comments of lines that are too long on lines of their own above them."""
    narrow = []
    for line in lines:
        code, mark, comment = line.rpartition("  # ")
        if mark and len(line) > COLUMNS:
            indent = code[: len(code) - len(code.lstrip())]
            narrow += [f"{indent}# {comment}", code.rstrip()]
        else:
            narrow.append(line)
    return narrow


def foot(file: str) -> str:
    """The links to the page before and the page after."""
    files = [page.file for page in PAGES]
    at = files.index(file)
    links = []
    if at > 0:
        links.append(f"[Previous: {PAGES[at - 1].title}]({PAGES[at - 1].file})")
    links.append("[All pages](README.md)")
    if at + 1 < len(PAGES):
        links.append(f"[Next: {PAGES[at + 1].title}]({PAGES[at + 1].file})")
    return " | ".join(links)


def index() -> str:
    """The list of all pages, as a table. The pages with a number have hours."""
    rows = ["| Page | Question | Hours |", "|---|---|---|"]
    for page in PAGES:
        number = page.file.split("-")[0]
        title, hours = page.title, ""
        if number.isdigit():
            title, hours = f"{int(number)}. {page.title}", str(2 if page.two_hours else 1)
        rows.append(f"| [{title}]({page.file}) | {page.question} | {hours} |")
    return "\n".join(rows)
