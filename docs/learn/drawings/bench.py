"""The lines of conv2d.py that docs/learn/bench.html shows."""

import ast
import inspect
from html import escape

from numpynet.functional import conv2d as conv2d_function
from numpynet.functional import conv2d_backward
from numpynet.functional.conv2d import fold, unfold

BEGIN, END = "<!-- code -->", "<!-- end of code -->"


def with_code(page: str) -> str:
    """The page with the lines of conv2d.py as they read now, each in a <code>.

    ValueError if the page has no place for them.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"the page must hold {BEGIN} and {END} once each")
    before, rest = page.split(BEGIN)
    return (
        before + BEGIN + "".join(f"<code>{escape(line) or ' '}</code>" for line in lines()) + END + rest.split(END)[1]
    )


def lines() -> list[str]:
    """The four functions without docstrings and without the checks of their arguments."""
    found: list[str] = []
    for function in (conv2d_function, conv2d_backward, unfold, fold):
        source = inspect.getsource(function)
        (definition,) = ast.parse(source).body
        assert isinstance(definition, ast.FunctionDef)
        text = source.splitlines()
        body = definition.body[1:]  # without the docstring
        starts = [part for part in body if ast.unparse(part).startswith("xp = pad")]
        first = starts[0] if starts else body[0]
        signature = f"def {definition.name}({', '.join(argument.arg for argument in definition.args.args)}):"
        found += [signature, *(["    ..."] if first is not body[0] else []), *text[first.lineno - 1 :], ""]
    return found[:-1]
