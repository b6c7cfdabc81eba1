"""The pages of docs/learn are true: they quote the source, their code prints what they say, and their form holds.

`make pages` renews what can be renewed.
"""

import doctest

import pytest

from numpynet.learn.exercises import exercises, find
from numpynet.learn.exercises.starting_file import text_of
from numpynet.learn.listing import PAGES
from tests.learn.pages import blocks, included, structure
from tests.learn.pages.markdown import LEARN, fences, links

NOT_WRITTEN: tuple[str, ...] = ()
"""Pages of the path that may be missing."""
BESIDE = ("bench.html", "figures", "drawings", "make_activations.py", "make_figures.py", "planted.json", "__pycache__")
"""What else may lie in docs/learn."""

OFF_THE_PATH = ("README.md", "others.md")
"""Pages without the structure of those of the path."""

WRITTEN = [page for page in PAGES if (LEARN / page.file).is_file()]
MARKDOWN = [*OFF_THE_PATH, *(page.file for page in WRITTEN)]


def test_every_page_of_the_path_is_there_and_nothing_else(capsys):
    missing = {page.file for page in PAGES} - {page.file for page in WRITTEN}
    with capsys.disabled():
        print(f"\npages: {len(WRITTEN)} written, not written yet: {', '.join(sorted(missing)) or 'none'}")
    assert missing <= set(NOT_WRITTEN)
    assert {path.name for path in LEARN.iterdir()} <= {*BESIDE, *MARKDOWN}


@pytest.mark.parametrize("file", MARKDOWN)
def test_included_source_is_what_stands_in_the_source(file):
    text = (LEARN / file).read_text()
    assert included.renewed(text) == text, "`make pages` renews it"


@pytest.mark.parametrize("file", MARKDOWN)
def test_every_block_runs_and_prints_what_the_page_says(file, tmp_path, capsys):
    text = (LEARN / file).read_text()
    count, skipped = blocks.run_page(text, tmp_path, str(LEARN / file)), blocks.skipped(text)
    with capsys.disabled():
        print(f"\n{file}: {count} examples ran, {len(skipped)} blocks skipped")
        for reason in skipped:
            print(f"  skipped: {reason}")
    assert blocks.unnamed(text, tmp_path) == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.file)
def test_the_form_of_the_page_is_right(page):
    assert structure.wrong(page, (LEARN / page.file).read_text()) == []


@pytest.mark.parametrize("file", OFF_THE_PATH)
def test_the_links_of_pages_off_the_path_lead_somewhere(file):
    assert list(structure.links((LEARN / file).read_text())) == []


def test_the_index_links_to_every_page():
    assert {*MARKDOWN, *(page.file for page in PAGES)} - {"README.md"} <= set(links((LEARN / "README.md").read_text()))


def test_each_cell_of_the_comparison_links_to_what_shows_it():
    """A dash says nothing, `none` and `no forum` are about this project. The first column asks."""
    rows = [line for line in (LEARN / "others.md").read_text().splitlines() if line.startswith("| **")]
    cells = [cell.strip() for row in rows for cell in row.split("|")[2:-1]]
    assert {row.count("|") for row in rows} == {10}
    assert [cell for cell in cells if not links(cell) and cell not in ("–", "none", "no forum")] == []


def test_the_hours_of_each_path_through_the_pages_are_those_of_its_pages():
    """A row of the first page's table names all pages of a path, or its first and its last page, and their hours."""
    hours = {page.file: 2 if page.two_hours else 1 for page in PAGES}
    files, paths = list(hours), 0
    for line in (LEARN / "README.md").read_text().splitlines():
        if line.startswith(("| all of it", "| to ")):
            pages, total = line.split("|")[2:4]
            path = links(pages)
            if "in order" in pages:
                path = files[files.index(path[0]) : files.index(path[1]) + 1]
            assert int(total) == sum(hours[file] for file in path), line
            paths += 1
    assert paths == 5


def test_page_0_tells_how_many_exercises_there_are():
    groups = {exercise.group or exercise.name for exercise in exercises().values()}
    assert f"There are {len(exercises())} files, and {len(groups)} exercises" in (LEARN / "00-start.md").read_text()


def test_page_0_shows_what_a_wrong_and_a_right_answer_print(tmp_path):
    texts = [fence.body for fence in fences((LEARN / "00-start.md").read_text()) if fence.language == "text"]
    exercise = find("relu_backward")
    bodies = ("return dout", "return np.where(cache.passed, dout, dout.dtype.type(0))")
    for body, told in zip(bodies, texts, strict=True):
        (tmp_path / exercise.file).write_text(text_of(exercise).replace("raise NotImplementedError", body))
        printed, _ = blocks.run_command(f"python -m numpynet.learn check {exercise.name}", tmp_path)
        assert doctest.OutputChecker().check_output(told, printed, doctest.ELLIPSIS), printed
