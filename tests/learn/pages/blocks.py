"""Runs the code of a page: `python` blocks in one namespace per page, `console` blocks in one folder per page.

Sybil reports the lines of examples. A `console` block holds commands after `$ ` and what each prints, where `...`
stands for anything, as in doctest. A block that must not run has `<!-- skip: reason -->` before it.
"""

import contextlib
import doctest
import importlib
import io
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sybil import Document, Example, Region
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.region import Lexeme

from tests.learn.pages.included import ROOT
from tests.learn.pages.markdown import Fence, fences

OPTIONS = doctest.ELLIPSIS
IN_PROCESS = ("numpynet.learn", "numpynet.gradcheck")
"""`python -m` commands that are run in this process, which saves the time that Python and NumPy take to start."""
RUN = ("python", "console")
"""The languages of fences that are run."""
SHOWN = ("", "py", "math", "text", "toml", "sh")
"""Those of fences that are only shown: source that cog wrote (py), formulas, drawings in letters, files, and commands
for the reader's own machine (sh), such as an installation."""


class PageError(AssertionError):
    """A page cannot be run as it stands."""


def parsed(text: str, folder: Path, name: str = "page.md") -> Document:
    """The page with its examples, ready to be evaluated one after the other. PageError if a skip gives no reason."""
    document = Document(text, name)
    document.namespace["__name__"] = "__main__"
    for region in _regions(text, folder, name):
        document.add(region)
    return document


def run_page(text: str, folder: Path, name: str = "page.md") -> int:
    """Run all blocks of a page in `folder`; the number of examples. AssertionError at the first that differs."""
    examples = list(parsed(text, folder, name))
    with contextlib.chdir(folder):
        for example in examples:
            example.evaluate()
    return len(examples)


def skipped(text: str) -> list[str]:
    """The reasons of the blocks that are not run."""
    return [fence.skip for fence in fences(text) if fence.language in RUN and fence.skip is not None]


def with_new_output(text: str, folder: Path) -> str:
    """The page with what its code prints today. Output that agrees already stays, with its `...`."""
    new, written = [], 0
    with contextlib.chdir(folder):
        for example in parsed(text, folder):
            region, block = example.region, example.parsed
            if isinstance(block, Fence):
                start, end, body = block.body_start, block.body_start + len(block.body), _new_body(block, folder)
            elif isinstance(block, doctest.Example) and not block.exc_msg:
                start, end, body = region.end - len(block.want), region.end, _new_want(block, example.namespace)
            else:
                example.evaluate()
                continue
            new += [text[written:start], body]
            written = end
    return "".join([*new, text[written:]])


def unnamed(text: str, folder: Path) -> list[str]:
    """The files in the folder after a page was run that the page does not name, by their own name or a folder's."""
    left = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in left if not any(part in text for part in path.parts)]


def commands(body: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that follows it."""
    lines = body.splitlines(keepends=True)
    if not lines or not lines[0].startswith("$ "):
        raise PageError("a console block must begin with `$ ` and a command")
    starts = [i for i, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start][2:].strip(), "".join(lines[start + 1 : end])


def run_command(command: str, folder: Path) -> tuple[str, int]:
    """What a command prints in `folder`, errors included, and its exit status."""
    words = shlex.split(command)
    if words[:2] == ["python", "-m"] and words[2] in IN_PROCESS and not set("|<>&;*$") & set(command):
        return _in_process(words[2], words[3:], folder)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return _without_ends(run.stdout), run.returncode


def _in_process(module: str, arguments: list[str], folder: Path) -> tuple[str, int]:
    printed = io.StringIO()
    main = importlib.import_module(f"{module}.__main__").main
    with contextlib.chdir(folder), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code
    return _without_ends(printed.getvalue()), int(status or 0)


def _without_ends(text: str) -> str:
    """The lines without spaces at their ends, which no reader sees."""
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def _regions(text: str, folder: Path, name: str) -> Iterable[Region]:
    in_doctest, in_python = DocTestStringParser(DocTestEvaluator(OPTIONS)), PythonEvaluator()
    for fence in fences(text):
        if fence.language not in RUN + SHOWN:
            raise PageError(f"{name}, line {fence.line}: a block is one of {', '.join(RUN + SHOWN)}")
        if fence.skip == "":
            raise PageError(f"{name}, line {fence.line}: the skip gives no reason")
        if fence.language not in RUN or fence.skip is not None:
            continue
        if fence.language == "console":
            yield Region(fence.start, fence.end, fence, lambda example: _console(example, folder))
        elif fence.body.startswith(">>> "):
            for region in in_doctest(fence.body, name):
                region.start, region.end = region.start + fence.body_start, region.end + fence.body_start
                yield region
        else:
            yield Region(fence.start, fence.end, Lexeme(fence.body, 0, 0), in_python)


def _console(example: Example, folder: Path) -> str | None:
    """What is wrong with a console block, or None."""
    for command, want in commands(example.parsed.body):
        got, status = run_command(command, folder)
        if not _agrees(want, got, status):
            return f"`{command}` ended with status {status} and printed\n{got}but the page says\n{want}"
    return None


def _agrees(want: str, got: str, status: int) -> bool:
    """A command that did not run at all (a traceback, a status above 1) must be quoted whole, without `...`."""
    if (status not in (0, 1) or "Traceback (most recent call last)" in got) and want != got:
        return False
    return doctest.OutputChecker().check_output(want, got, OPTIONS)


def _new_want(example: doctest.Example, namespace: dict[str, Any]) -> str:
    """What a doctest prints, with <BLANKLINE> for empty lines; what it wanted if that agrees."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example.source, "a page", "single"), namespace)
    got = printed.getvalue()
    if doctest.OutputChecker().check_output(example.want, got, OPTIONS):
        return example.want
    return "".join(f"{line}\n" if line.strip() else "<BLANKLINE>\n" for line in got.splitlines())


def _new_body(fence: Fence, folder: Path) -> str:
    lines = []
    for command, want in commands(fence.body):
        got, status = run_command(command, folder)
        lines.append(f"$ {command}\n{want if _agrees(want, got, status) else got}")
    return "".join(lines)
