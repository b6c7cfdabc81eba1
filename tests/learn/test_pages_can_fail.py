"""The checks of the pages find what they are for: each test plants one mistake in a copy."""

import re
import shutil

import pytest

from numpynet.learn.listing import PAGES
from tests.learn.pages import blocks, included, structure
from tests.learn.pages.__main__ import main
from tests.learn.pages.markdown import LEARN

PAGE = next(page for page in PAGES if page.file == "03-linear.md")
TEXT = (LEARN / PAGE.file).read_text()
SOURCE = "numpynet/functional/linear.py"


@pytest.fixture
def copied_sources(tmp_path):
    """A copy of numpynet's source files, as the root that pages include from."""
    shutil.copytree(
        included.ROOT / "numpynet", tmp_path / "numpynet", ignore=shutil.ignore_patterns("__pycache__", "*.npz")
    )
    return tmp_path


def swapped(text, old, new):
    """The text with one mistake planted; fails if there is no place for it."""
    assert old in text
    return text.replace(old, new, 1)


def test_the_copy_is_up_to_date(copied_sources):
    assert included.renewed(TEXT, copied_sources) == TEXT


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dx = dout @ cache.weight", "dx = dout @ cache.weighT"),
        ("dweight = dout.T @ cache.x", "dweight = dout.T  @ cache.x"),
        ("(O, N) @ (N, I) -> (O, I)", "(O, N) @ (N, I) -> (O, J)"),
    ],
)
def test_one_character_of_an_included_function(copied_sources, old, new):
    file = copied_sources / SOURCE
    file.write_text(swapped(file.read_text(), old, new))
    assert included.renewed(TEXT, copied_sources) != TEXT


def test_an_included_function_that_is_gone(copied_sources):
    file = copied_sources / SOURCE
    file.write_text(file.read_text().replace("linear_backward", "linear_back"))
    with pytest.raises(ValueError, match=r"linear\.py defines no linear_backward"):
        included.renewed(TEXT, copied_sources)


def test_every_number_that_a_python_block_prints(tmp_path):
    """Each line of output with a digit in it, one after the other, with another digit."""
    lines = TEXT.splitlines(keepends=True)
    code, planted = False, 0
    for i, line in enumerate(lines):
        if line.startswith("```"):
            code = line.startswith("```python")
        elif code and not line.startswith((">>>", "...")) and re.search(r"\d", line):
            other = re.sub(r"\d", lambda digit: str((int(digit[0]) + 1) % 10), line, count=1)
            with pytest.raises(AssertionError):
                blocks.run_page("".join([*lines[:i], other, *lines[i + 1 :]]), tmp_path)
            planted += 1
    assert planted >= 5


CONSOLE = """```console
$ python -m numpynet.learn derive relu
relu: out = max(x, 0)
...
x  (2, 2)
  value     [[ 1. -2.]
             [ 0.  3.]]
...
```
"""


def test_a_command_that_prints_what_the_page_says(tmp_path):
    assert blocks.run_page(CONSOLE, tmp_path) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1. -2.", "1. -3."),
        ("derive relu", "derive gelu"),
        ("derive relu\nrelu: out = max(x, 0)\n...\nx", "derive relus\n...\nx"),
        ("$ python -m numpynet.learn derive relu\nrelu: out", "relu: out"),
    ],
)
def test_a_command_that_prints_something_else(tmp_path, old, new):
    with pytest.raises(AssertionError):
        blocks.run_page(swapped(CONSOLE, old, new), tmp_path)


def test_a_command_that_fails_behind_an_ellipsis(tmp_path):
    with pytest.raises(AssertionError, match="status 2"):
        blocks.run_page("```console\n$ python -m numpynet.learn derive gelu\n...\n```\n", tmp_path)


def test_new_output_is_written_and_good_output_stays(tmp_path):
    assert blocks.with_new_output(CONSOLE, tmp_path) == CONSOLE
    stale = swapped(CONSOLE, "1. -2.", "1. -3.")
    renewed = blocks.with_new_output(stale, tmp_path)
    assert "1. -3." not in renewed
    assert blocks.run_page(renewed, tmp_path) == 1


def test_new_numbers_are_written_into_python_blocks(tmp_path):
    text = "```python\n>>> a = 2\n>>> a + 1\n4\n>>> print('x\\n\\ny')\n>>> a + 2\n4\n```\nEnd.\n"
    renewed = "```python\n>>> a = 2\n>>> a + 1\n3\n>>> print('x\\n\\ny')\nx\n<BLANKLINE>\ny\n>>> a + 2\n4\n```\nEnd.\n"
    assert blocks.with_new_output(text, tmp_path) == renewed
    assert blocks.run_page(renewed, tmp_path) == 4


def test_make_pages_renews_what_is_stale_and_check_only_says_so(tmp_path, capsys):
    for file in ("03-linear.md", "09-batch-norm.md"):
        shutil.copy(LEARN / file, tmp_path)
    page = tmp_path / PAGE.file
    stale = swapped(swapped(TEXT, "dx = dout @", "dx = dout *"), "[15., 18.]", "[15., 19.]")
    page.write_text(stale)
    assert main(["--check"], tmp_path) == 1
    assert capsys.readouterr().out == "03-linear.md: not up to date\n"
    assert page.read_text() == stale
    assert main([], tmp_path) == 0
    assert capsys.readouterr().out == "03-linear.md: renewed\n"
    assert page.read_text() == TEXT
    page.write_text(swapped(TEXT, "<!--end-->", ""))
    assert main([], tmp_path) == 1
    assert capsys.readouterr().out.startswith("03-linear.md: ")


def test_a_console_block_has_the_repository_and_its_own_folder(tmp_path):
    text = "```console\n$ echo hello > greeting && ls\ngreeting\n$ python -c 'import numpynet; print(1 + 1)'\n2\n```\n"
    assert blocks.run_page(text, tmp_path) == 1
    assert (tmp_path / "greeting").is_file()


def test_blocks_share_a_namespace_and_a_skip_needs_a_reason(tmp_path):
    text = "```python\na = 1\n```\n\n```python\n>>> a + 1\n2\n```\n"
    assert blocks.run_page(text, tmp_path) == 2
    skip = text.replace("```python\n>>>", "<!-- skip: takes an hour -->\n```python\n>>>")
    assert blocks.run_page(swapped(skip, "2\n```", "3\n```"), tmp_path) == 1
    assert blocks.skipped(skip) == ["takes an hour"]
    with pytest.raises(blocks.PageError, match="line 6: the skip gives no reason"):
        blocks.run_page(skip.replace("takes an hour", ""), tmp_path)


def test_a_reason_belongs_to_the_next_block_alone():
    text = "<!-- skip: takes an hour -->\n```python\n1 / 0\n```\n<!--end-->\n```python\n1 / 0\n```\n"
    assert blocks.skipped(text) == ["takes an hour"]


def test_a_file_that_the_page_does_not_name(tmp_path):
    text = "```python\nfrom pathlib import Path\nfor i in range(2):\n    Path(f'answer_{i}').touch()\n```\n"
    assert blocks.run_page(text, tmp_path) == 1
    assert blocks.unnamed(text + "It writes `answer_0`.", tmp_path) == ["answer_1"]


def test_a_block_in_an_unknown_language(tmp_path):
    with pytest.raises(blocks.PageError, match="line 1: a block is one of"):
        blocks.run_page("```pyhton\n1 / 0\n```\n", tmp_path)


FORM = {
    "a broken link": ("](../../numpynet/functional/linear.py)", "](../../numpynet/functional/liner.py)", "leads to no"),
    "a broken anchor": ("](../../numpynet/functional/linear.py)", "](#remembered)", "leads to no heading"),
    "another title": ("# 3. Linear", "# 4. Linear", "must begin with"),
    "another question": ("**Where does the transpose", "**Where did the transpose", "must begin with"),
    "a heading left out": ("## Break it", "**Break it**", "headings must be"),
    "a heading too many": ("## Remember", "## Notes\n\n## Remember", "not of the list"),
    "an answer that is not executed": ("```python\n>>> moved", "```py\n>>> moved", "answer 1"),
    "no second question": ("<details>", "", "two questions"),
    "a figure gone": ("(figures/", "(pictures/", "no figure"),
    "a formula with an open brace": ("\\sum_i", "\\sum_{i", "braces"),
    "a formula with an unknown command": ("\\sum_i", "\\sumi", "is unknown"),
    "a formula with two subscripts": ("\\sum_i", "\\sum_i_o", "DoubleSubscripts"),
    "a formula for LaTeX alone": ("\\sum_i", "\\begin{align} \\sum_i \\end{align}", "use split"),
    "a formula for GitHub alone": ("\\sum_i", "\\begin{aligned} &x \\end{aligned}", "use split"),
    "a formula with half a fraction": ("+ \\mathrm{bias}_o", "+ \\frac{1}", "two parts"),
    "a wide line": (">>> ", ">>> " + "1 + " * 20, "columns, at most 72"),
    "a list within a paragraph": ("tells you how", "tells\n1. you how", "a list begins"),
    "a formula in the prose": ("**Where", "$x$ **Where", "dollar sign"),
    "an unknown check": ("numpynet.gradcheck linear", "numpynet.gradcheck liner", "there is no"),
    "an unknown command": ("numpynet.learn derive", "numpynet.learn drive", "there is no"),
    "an unknown exercise": ("start linear_backward", "start linear_back", "no exercise or lesson"),
    "an unknown lesson": ("break 2", "break 14", "no exercise or lesson"),
    "a number that no block holds": ("raise `x[0, 1]` by 0.01", "raise `x[0, 1]` by 0.02", "the number 0.02"),
    "no links at the foot": ("[Next: ", "[After: ", "foot"),
}


@pytest.mark.parametrize("name", FORM)
def test_a_mistake_in_the_form_of_a_page(name):
    old, new, message = FORM[name]
    assert any(message in line for line in structure.wrong(PAGE, swapped(TEXT, old, new)))


def test_no_command_proves_the_page():
    assert any("`Prove it` must" in line for line in structure.wrong(PAGE, TEXT.replace("```console", "```sh")))


def test_a_page_too_short_and_a_page_too_long():
    assert any("words of prose" in line for line in structure.wrong(PAGE, TEXT + "\nword" * 600))
    start = TEXT.index("## The idea")
    short = TEXT[:start] + re.sub(r"^[A-Za-z].*", "", TEXT[start:], flags=re.MULTILINE)
    assert any("words of prose" in line for line in structure.wrong(PAGE, short))


def test_included_source_loses_its_docstring_and_wide_comments_move():
    code = included.source("numpynet.functional.linear", "linear_backward", since="dbias", until="dbias")
    assert code == (
        "# numpynet/functional/linear.py\n# (N, O) -> (O,)\ndbias = dout.sum(axis=0) if cache.has_bias else None"
    )
    whole = included.source("numpynet.module", "Chain.backward")
    assert '"""' not in whole
    assert whole.splitlines()[1] == "def backward(self, dout: Array, cache: list[Cache]) -> Array:"
    with pytest.raises(ValueError, match="no line begins with 'dy'"):
        included.source("numpynet.functional.linear", "linear_backward", since="dy")
