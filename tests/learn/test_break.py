"""`python -m numpynet.learn break`: the lessons, and what they print from their beginning to their answer."""

import ast
import re
import sys

import pytest

from numpynet.learn import listing
from numpynet.learn.__main__ import main
from numpynet.learn.lessons import break_it
from numpynet.learn.lessons.plant import bugs, lessons
from tests.learn.copies import DOCS, NAMES


def test_there_are_thirteen_lessons_in_the_order_of_their_pages():
    assert [bug.lesson for bug in lessons()] == list(range(1, 14))
    assert [bug.page for bug in lessons()] == sorted(bug.page for bug in lessons())
    pages = {page.file for page in listing.PAGES}
    assert [bug.name for bug in lessons() if bug.page not in pages or not bug.sees] == []
    assert [bug.name for bug in bugs().values() if bool(bug.issue) != bool(bug.story)] == []


def test_what_a_curve_shows_is_told_in_whole_sentences():
    sentences = [sentence for bug in bugs().values() if bug.sees for sentence in re.split(r"(?<=\.) ", bug.sees)]
    assert len(sentences) > len(NAMES)
    begin = re.compile(r"(The|A|On|Nobody|It|What) \w.*\.$")
    assert [sentence for sentence in sentences if not begin.match(sentence)] == []


def test_every_lesson_is_named_on_the_page_about_it():
    named = {
        page.file: re.findall(r"learn break (\w+)", (DOCS / page.file).read_text("utf-8")) for page in listing.PAGES
    }
    assert [bug.lesson for bug in lessons() if str(bug.lesson) not in named[bug.page]] == []
    assert [word for words in named.values() for word in words if not word.isdigit()] == []


def without_answer(text):
    """Fails if the text tells a mistake: its name, a word of the name that says it, its title, line or story."""
    found = [
        told
        for bug in lessons()
        for told in (bug.name, bug.title, bug.sees, bug.story, bug.wrong.strip(), bug.right.strip())
        if told and told in text
    ]
    found += [word for bug in lessons() for word in bug.name.split("_")[2:] if re.search(rf"\b{word}\b", text)]
    assert found == []


def test_the_list_tells_functions_and_pages_but_no_mistake(capsys):
    assert main(["break"]) == 0
    out = capsys.readouterr().out
    lines = [line.split() for line in out.splitlines() if re.match(r" +\d+  ", line)]
    assert lines == [[str(bug.lesson), bug.function, "page", f"docs/learn/{bug.page}"] for bug in lessons()]
    assert max(map(len, out.splitlines())) <= 100
    without_answer(out)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_lesson_prints_at_its_beginning_does_not_tell_the_mistake(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(break_it, "STEPS", 1)
    monkeypatch.chdir(tmp_path)
    bug = bugs()[name]
    assert main(["break", name]) == 0  # the name is an alias of the number
    out = capsys.readouterr().out
    assert out.startswith(f"Lesson {bug.lesson}: {bug.function}\n\nWrote lesson_{bug.lesson}.py.\n")
    assert f"docs/learn/{bug.page}" in out
    again = f"  python -m numpynet.learn break {bug.lesson}"
    assert out.endswith(f"\n{again} --answer\n{again} --check\n")
    without_answer(out)
    assert [path.name for path in tmp_path.iterdir()] == [f"lesson_{bug.lesson}.py"]
    (function,) = (
        node for node in ast.parse((tmp_path / f"lesson_{bug.lesson}.py").read_text("utf-8")).body
        if not isinstance(node, ast.Import | ast.ImportFrom)
    )  # fmt: skip
    assert function.name == bug.function.rpartition(".")[2]


@pytest.mark.parametrize("number", [1, 9])
def test_an_answer_tells_the_name(number, capsys):
    assert main(["break", str(number), "--answer"]) == 0
    bug = lessons()[number - 1]
    assert capsys.readouterr().out.startswith(f"Lesson {number} is {bug.name}.\n{bug.title[0].upper()}{bug.title[1:]}.")


def test_the_broken_network_is_now_a_and_now_b():
    letters = "".join(break_it._letter(bug) for bug in lessons())
    assert set(letters) == {"A", "B"}
    assert 5 <= letters.count("A") <= 8
    assert max(map(len, re.findall("A+|B+", letters))) <= 3
    assert letters not in ("AB" * 7, "BA" * 7)


def test_the_letter_is_that_of_the_network_with_the_mistake(tmp_path, monkeypatch, capsys):
    """Its loss rises, whichever letter it has."""
    monkeypatch.setattr(break_it, "STEPS", 8)
    for letter in "AB":
        monkeypatch.setattr(break_it, "BROKEN", letter * 13)
        main(["break", "12", "--dir", str(tmp_path)])
        out = capsys.readouterr().out
        last = {line.split()[0]: float(line.split()[-1]) for line in out.splitlines() if re.match("  [AB]  ", line)}
        assert max(last, key=last.get) == letter
        main(["break", "12", "--answer"])
        assert f"{letter} is the broken network." in capsys.readouterr().out


def test_equal_curves_are_said_to_be_the_point(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(break_it, "STEPS", 6)
    said = {}
    for number in (1, 2, 9):
        main(["break", str(number), "--dir", str(tmp_path)])
        out = capsys.readouterr().out
        said[number] = ("That is the point of this lesson" in out, "A or B?" in out)
    assert said == {1: (False, True), 2: (True, False), 9: (True, False)}
    assert break_it.equal([1.0, 0.5], [1.0, 0.49])
    assert not break_it.equal([1.0, 0.5], [1.0, 0.4])
    assert not break_it.equal([1.0, float("nan")], [1.0, 0.4])


class Terminal:
    """A standard input at which somebody sits."""

    def isatty(self):
        return True


def test_a_terminal_is_told_the_letter_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(break_it, "STEPS", 8)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", print)
    main(["break", "1", "--dir", str(tmp_path)])
    out = capsys.readouterr().out
    assert "\nB is broken.\n" in out
    without_answer(out)


def test_a_lesson_from_its_beginning_to_its_end(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(break_it, "STEPS", 8)
    where = ["--dir", str(tmp_path)]
    assert main(["break", "3", *where]) == 0
    assert "is broken." not in capfd.readouterr().out
    path = tmp_path / "lesson_3.py"
    assert [file.name for file in tmp_path.rglob("*")] == [path.name]
    assert main(["break", "3", "--check", *where]) == 1
    said = capfd.readouterr().out
    assert "\n1 gradient is WRONG\n" in said
    assert "relu_no_mask" not in said
    assert main(["break", "3", "--answer", *where]) == 0
    assert "+    return np.where(cache.passed, dout, dout.dtype.type(0))" in capfd.readouterr().out
    right = "np.where(cache.passed, dout, dout.dtype.type(0))"  # the copy imports what the right function needs
    path.write_text(path.read_text("utf-8").replace("dout.copy()", right), "utf-8")
    assert main(["break", "relu_no_mask", "--check", *where]) == 0
    assert "Repaired.\n\nLesson 3 is relu_no_mask.\n" in capfd.readouterr().out


def test_the_answer_shows_where_a_missing_line_goes_and_no_imports(capsys):
    assert main(["break", "12", "--answer"]) == 0
    told = capsys.readouterr().out
    assert "       self.optimizer.step()\n  +    self.optimizer.zero_grad()\n" in told
    for bug in break_it.lessons():
        assert "import " not in break_it.answer(bug).partition("The mistake")[2]


def test_ctrl_c_at_the_question_tells_nothing(tmp_path, monkeypatch, capsys):
    def interrupted(question):
        raise KeyboardInterrupt

    monkeypatch.setattr(break_it, "STEPS", 8)
    monkeypatch.setattr("builtins.input", interrupted)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    assert main(["break", "1", "--dir", str(tmp_path)]) == 130
    assert "is broken" not in capsys.readouterr().out
