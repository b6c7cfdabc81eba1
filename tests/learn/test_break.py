"""`python -m numpynet.learn break`: the lessons, the bugs by seed, the table, and what they say to bad input."""

import ast
import importlib
import importlib.util
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from numpynet import functional
from numpynet.functional import conv2d as conv2d_function
from numpynet.gradcheck.cases import CASES
from numpynet.learn import listing
from numpynet.learn.__main__ import main
from numpynet.learn.exercises import exercises
from numpynet.learn.lessons import break_it, check_copy, loss_table
from numpynet.learn.lessons.bugs_by_seed import MOST_SEED, PAGES, bug_of_seed, candidates, spliced
from numpynet.learn.lessons.gradcheck_verdicts import wrong_verdicts
from numpynet.learn.lessons.loss_chart import chart
from numpynet.learn.lessons.mutants import functions, mutants
from numpynet.learn.lessons.plant import Bug, LearnError, bugs, file_of, lessons, load, planted, source_of
from numpynet.learn.lessons.trials import crops, small_net, trial

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "learn"
THEIRS = "from numpynet.functional.relu import relu_backward as theirs\n"
NAMES = [bug.name for bug in lessons()]


def right_copy(bug):
    return file_of(bug.module, bug.function, source_of(bug.module))


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


def test_a_terminal_is_told_the_letter_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(break_it, "STEPS", 8)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", print)
    main(["break", "1", "--dir", str(tmp_path)])
    out = capsys.readouterr().out
    assert "\nB is broken.\n" in out
    without_answer(out)


class Terminal:
    """A standard input at which somebody sits."""

    def isatty(self):
        return True


@pytest.mark.parametrize("name", NAMES)
def test_the_planted_copy_is_refused_and_the_right_one_passes(name, tmp_path):
    bug, path = bugs()[name], tmp_path / "copy.py"
    path.write_text(bug.copy(), "utf-8")
    report = check_copy.check_file(bug, path)
    said = "\n".join(report.lines)
    assert not report.right
    assert "WRONG" in said
    assert bug.words in said
    assert said.count("largest |analytic - numeric|") == (1 if bug.case else 0)  # one legend
    path.write_text(right_copy(bug), "utf-8")
    report = check_copy.check_file(bug, path)
    assert report.right
    assert "WRONG" not in "\n".join(report.lines)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
def test_a_copy_must_be_right_at_the_sizes_of_the_lesson_and_at_the_usual_ones(padding, tmp_path):
    """The lesson checks windows without padding, gradcheck by itself with a padding of 1."""
    bug, path = bugs()["pool_assigns"], tmp_path / "copy.py"
    right = right_copy(bug)
    assert right.count("    return dxp") == 1
    path.write_text(
        right.replace("    return dxp", f"    dxp *= 1 + (cache.padding == {padding})\n    return dxp"), "utf-8"
    )
    report = check_copy.check_file(bug, path)
    assert not report.right
    assert report.lines.count("max_pool2d") == 1  # one report


def test_a_check_with_a_dout_of_ones_is_blind_once_and_wrong_once():
    assert wrong_verdicts() == []
    with planted(bugs()["cotangent_of_ones"]):
        blind, false = wrong_verdicts()
    assert blind == "accepts a wrong one: ReLU backward: the gradient that arrives is dropped"
    assert false == "calls the right batch_norm wrong"


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


def test_a_repaired_training_step_passes_whatever_implementation_is_chosen(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NUMPYNET_OPS", "fast")
    (tmp_path / "lesson_12.py").write_text(right_copy(bugs()["zero_grad_forgotten"]), "utf-8")
    assert main(["break", "12", "--check", "--dir", str(tmp_path)]) == 0
    assert "Repaired." in capfd.readouterr().out


def test_what_a_copy_prints_is_marked_as_its_own(tmp_path, capfd):
    (tmp_path / "lesson_3.py").write_text(
        "import os, sys\nprint('imported')\n"
        "def relu_backward(dout, cache):\n    print('every gradient is right')\n    os.write(1, b'raw\\n')\n"
        "    sys.stderr.write('aside')\n    return dout",
        "utf-8",
    )
    assert main(["break", "3", "--check", "--dir", str(tmp_path)]) == 1
    out, err = capfd.readouterr()
    assert err == ""
    head, _, rest = out.partition("relu\n")
    assert head.startswith("Your file printed:\n  | ")
    assert [word for word in ("imported", "every gradient is right", "raw", "aside") if word not in head] == []
    assert [line for line in head.splitlines()[1:] if not line.startswith("  | ")] == []
    assert "every gradient is right" not in rest


def test_a_file_that_is_there_is_left_as_it_is(tmp_path, capsys):
    path = tmp_path / "seed_3.py"
    path.write_text("mine", "utf-8")
    assert main(["break", "--seed", "3", "--dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "is there already and is left as it is" in out
    assert out.startswith(f"Seed 3: {bug_of_seed(3).function}\n")
    assert path.read_text("utf-8") == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def relu_backward(dout, cache:", "line 1: not Python: "),
        ("import nothing_of_this_name", "the file does not import: line 1: ModuleNotFoundError"),
        ("def other(): pass", "the file defines no function relu_backward"),
        ("def relu_backward(dout, cache):\n    pass", "dx: it must be an array, and is None"),
        ("def relu_backward(dout, cache):\n    return cache.mask", "AttributeError at line 2: "),
        ("def relu_backward(dout, cache):\n    return dout[:1]", "dx: the shape is (1, 6) instead of (4, 6)"),
        ("def relu_backward(dout, cache):\n    dout *= cache.passed\n    return dout", "dout: the backward pass"),
        ("def relu_backward(dout, cache):\n    exit()", "it calls exit() or raises SystemExit at line 2"),
        ("def relu_backward(dout, cache):\n    raise NotImplementedError", "NotImplementedError at line 2"),
        ("def relu_backward(dout, cache):\n    import torch", "imports torch"),
        (
            THEIRS + "def relu_backward(dout, cache):\n    return theirs(dout, cache)",
            "calls numpynet's own relu_backward",
        ),
        (
            THEIRS + "def relu_backward(dout, cache):\n    try:\n        return theirs(dout, cache)\n"
            "    except Exception:\n        return dout * cache.passed",
            "calls numpynet's own relu_backward",
        ),
    ],
)  # fmt: skip
def test_a_copy_that_cannot_be_checked_gets_one_line(text, words, tmp_path, capfd):
    path = tmp_path / "lesson_3.py"
    path.write_text(text, "utf-8")
    assert main(["break", "3", "--check", "--dir", str(tmp_path)]) == 1
    out, err = capfd.readouterr()
    assert out.startswith(f"{path}: ")
    assert words in out
    assert [
        line for line in out.splitlines()[1:] if not line.startswith("    ")
    ] == []  # the source of line 2, if it failed
    assert err == ""


def test_a_copy_that_never_ends_is_ended(tmp_path):
    (tmp_path / "lesson_3.py").write_text("while True: pass", "utf-8")
    found = check_copy.in_own_process(bugs()["relu_no_mask"], tmp_path / "lesson_3.py", seconds=1.5)
    assert found.found is None
    assert found.problem == "no answer within 1.5 seconds: does a loop never end, or work on ever larger arrays?"
    assert check_copy.SECONDS < 10


def test_a_copy_of_the_check_must_return_findings(tmp_path, capfd):
    (tmp_path / "lesson_13.py").write_text("def check(rng, problem):\n    pass", "utf-8")
    assert main(["break", "13", "--check", "--dir", str(tmp_path)]) == 1
    assert "check must return a list of findings, and returns None\n" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pool_assign"], "there is no lesson 'pool_assign'; did you mean lesson 7?"),
        (["0"], "there is no lesson 0; the lessons are 1 to 13"),
        (["14", "--answer"], "there is no lesson 14; the lessons are 1 to 13"),
        (["lesson_99.py"], "there is no lesson 99; the lessons are 1 to 13"),
        (["9" * 5000], "there is no lesson '999"),
        (["zzz"], "there is no lesson 'zzz'; `python -m numpynet.learn break` lists them"),
        (["pool_assigns", "--seed", "1"], "give a lesson or --seed, not both"),
        (["--seed", "-1"], "--seed must be 0 to 999999999, got -1"),
        (["--seed", str(MOST_SEED + 1)], "--seed must be 0 to 999999999, got 1000000000"),
        (["--check"], "name a lesson"),
        (["pool_assigns", "--table"], "--table takes no lesson"),
        (["--table", "--seeds", "0"], "--seeds must be 1 to 50, got 0"),
        (["--table", "--seeds", "51"], "--seeds must be 1 to 50, got 51"),
        (["--table", "--steps", "1001"], "--steps must be 1 to 1000, got 1001"),
        (["--seeds", "3"], "--seeds and --steps are options of --table"),
        (
            ["pool_assigns", "--check", "--dir", "nowhere"],
            "there is no nowhere/lesson_7.py; `python -m numpynet.learn break 7 --dir",
        ),
    ],
)
def test_bad_arguments_get_one_line(arguments, words, capsys):
    assert main(["break", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_seed_gives_the_same_bug_each_time_and_seeds_differ():
    found = [bug_of_seed(seed) for seed in range(6)]
    assert found == [bug_of_seed(seed) for seed in range(6)]
    assert len({(bug.function, bug.wrong) for bug in found}) == 6
    for bug in found:
        with planted(bug):
            assert not all(finding.passed for finding in CASES[bug.case](np.random.default_rng(0)))
        assert load(right_copy(bug), "here", bug.function)


def test_a_random_mistake_is_in_a_function_that_a_page_or_an_exercise_explains():
    asked = {exercise.function: exercise.page for exercise in exercises().values()}
    source = re.compile(r'cog source\("numpynet\.functional\.\w+", "(\w+)"')
    texts = {page.file: (DOCS / page.file).read_text("utf-8") for page in listing.PAGES}
    shown = {function: file for file, text in texts.items() for function in source.findall(text)}
    assert {function for _, _, function in candidates()} <= {*asked, *shown}
    assert {function: page for function, page in PAGES.items() if (shown | asked)[function] != page} == {}
    assert bug_of_seed(7).page == PAGES[bug_of_seed(7).function]


def test_every_mutant_is_written_into_the_source_as_it_is_meant():
    """The text that `spliced` gives is what the mutant's syntax tree says, and differs in few lines."""
    seen = 0
    for _, module, function in candidates()[::3]:
        source = source_of(module)
        for number in range(0, sum(1 for _ in mutants(ast.parse(source), function)), 4):
            tree = ast.parse(source)
            list(mutants(tree, function))[number].apply()
            _, right, wrong = spliced(source, function, number)
            assert ast.unparse(ast.parse(wrong)) == ast.unparse(functions(tree)[function])
            assert right in inspect.getsource(importlib.import_module(module))
            seen += 1
    assert seen > 40


def test_a_mistake_without_a_place_is_an_error():
    bug = Bug("none", "", "numpynet.functional.relu", "relu_backward", "no such text", "")
    with pytest.raises(LearnError, match=r"occurs 0 times in numpynet\.functional\.relu"):
        bug.copy()


def test_a_mistake_in_a_function_that_others_call_is_made_by_them():
    """fold is called by conv2d_backward of its own module, which stays numpynet's own."""
    rng = np.random.default_rng(0)
    out, cache = conv2d_function(rng.standard_normal((1, 1, 4, 4)), rng.standard_normal((1, 1, 2, 2)))
    right = functional.conv2d_backward(np.ones(out.shape), cache)[0]
    with planted(bugs()["conv_fold_assigns"]):
        wrong = functional.conv2d_backward(np.ones(out.shape), cache)[0]
    assert (wrong != right).sum() > 5
    np.testing.assert_array_equal(functional.conv2d_backward(np.ones(out.shape), cache)[0], right)


def test_the_table_names_what_gradcheck_says():
    found = {row.name: row for row in loss_table.rows(2, 8, ["linear_bias_averaged", "zero_grad_forgotten"])}
    assert list(found) == ["nothing", "linear_bias_averaged", "zero_grad_forgotten"]
    assert found["nothing"].losses[0][-1] < found["nothing"].losses[0][0] / 3
    assert found["linear_bias_averaged"].losses[1] == pytest.approx(found["nothing"].losses[1], rel=0.01)
    assert found["zero_grad_forgotten"].losses[0][-1] > found["nothing"].losses[0][-1]
    assert "0.25 times" in found["linear_bias_averaged"].gradcheck
    assert found["zero_grad_forgotten"].gradcheck.endswith("zero_grad is missing")
    text = loss_table.text(list(found.values()))
    mean = np.mean([losses[4] for losses in found["nothing"].losses])
    assert f"{mean:.5f}±" in text.splitlines()[3]
    assert "mean over 2 seeds," in text
    single = loss_table.text(loss_table.rows(1, 1, []))
    assert single.splitlines()[0].endswith("with one seed")
    assert "±" not in single
    assert max(map(len, text.splitlines())) <= 100


def test_the_measured_table_is_of_these_mistakes_and_of_what_gradcheck_says_today():
    rows = json.loads((DOCS / "planted.json").read_text("utf-8"))["rows"]
    assert [row["name"] for row in rows] == ["nothing", *(bug.name for bug in bugs().values() if bug.table)]
    for row in rows[1:]:
        assert row["gradcheck"] == loss_table.verdict(bugs()[row["name"]])
    assert trial(None, 0, 4).losses == pytest.approx(rows[0]["losses"][0][:5], rel=1e-3)
    assert {(len(row["losses"]), len(row["new_crops"]), len(row["losses"][4])) for row in rows} == {(5, 5, 81)}


def test_a_mistake_changes_the_training_and_ends_with_it():
    right = trial(None, 0, 3).losses
    wrong = trial(bugs()["relu_drops_upstream"], 0, 3).losses
    assert wrong[0] == right[0]
    assert wrong[1:] != right[1:]
    assert trial(None, 0, 3).losses == right


def test_new_crops_are_the_same_faces_elsewhere():
    """Moved by 4 pixels, which are 2 of the halved crop and 4 * 2 / 96 of a target."""
    images, targets, new_images, new_targets = crops()
    np.testing.assert_allclose(new_images[1][:, :, :-2], images[1][:, :, 2:], rtol=1e-6)
    np.testing.assert_allclose(targets[1] - new_targets[1], np.tile([8 / 96, 0], 68), atol=1e-6)
    np.testing.assert_allclose(new_images[2][:, 2:], images[2][:, :-2], rtol=1e-6)
    np.testing.assert_allclose(targets[2] - new_targets[2], np.tile([0, -8 / 96], 68), atol=1e-6)
    assert small_net(0)(images).shape == targets.shape


def test_chart_draws_each_curve_and_marks_where_they_meet():
    lines = chart({"A": [1.0, 0.1, 0.01], "B": [1.0, 0.1, 0.1]}).splitlines()
    assert lines[0] == "  1.00000 |*"
    assert lines[6].rstrip().endswith("*" + " " * 31 + "B")
    assert lines[12].rstrip().endswith("A")
    assert "0.01000 |" in lines[12]
    assert lines[15].strip() == "The scale is logarithmic: each line down divides the loss by 1.47."  # 100 ** (1 / 12)


# What the copy begins with, the exit status, and words of what is said.
ENDINGS = {
    "os._exit(0)": ("import os; os._exit(0)\n", 1, "ended the process (exit status 0)"),
    "Ctrl-C of the file": ("raise KeyboardInterrupt\n", 1, "the check was ended by KeyboardInterrupt"),
    "many lines": ("raise ValueError('a\\nb')\n", 1, "does not import: line 1: ValueError: a\n"),
    "a byte order mark": ("\ufeff", 0, "Repaired."),
    "not text": (b"\xff\xfe", 1, "is not text in UTF-8"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_copy_that_ends_the_process_is_not_repaired(ending, tmp_path, capfd):
    begins, status, words = ENDINGS[ending]
    begins = begins if isinstance(begins, bytes) else begins.encode()
    (tmp_path / "lesson_3.py").write_bytes(begins + right_copy(bugs()["relu_no_mask"]).encode())
    assert main(["break", "3", "--check", "--dir", str(tmp_path)]) == status
    said = capfd.readouterr()
    assert words in said.out
    assert ("Repaired." in said.out) == (status == 0)
    assert said.err == ""


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "afile").write_text("mine", "utf-8")
    assert main(["break", "relu_no_mask", "--dir", str(tmp_path / "afile")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("afile: there is no such folder\n")


def test_a_folder_that_is_not_there_is_not_made(tmp_path, capsys):
    assert main(["break", "3", "--dir", str(tmp_path / "typo")]) == 2
    assert capsys.readouterr().err.endswith("typo: there is no such folder\n")
    assert list(tmp_path.iterdir()) == []


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


def test_a_folder_in_the_place_of_the_file(tmp_path, capsys):
    (tmp_path / "lesson_3.py").mkdir()
    for more in ([], ["--check"]):
        assert main(["break", "3", *more, "--dir", str(tmp_path)]) == 2
        assert capsys.readouterr().err.endswith("lesson_3.py is not a file; move it away\n")


def test_the_printed_command_names_a_folder_with_spaces(tmp_path, capsys):
    folder = tmp_path / "my folder"
    folder.mkdir()
    assert main(["start", "fold", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"check fold --dir '{folder}'\n")
    assert main(["break", "--seed", "7", "--dir", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"break --seed 7 --dir '{folder}' --check\n")


def test_git_ignores_what_a_reader_makes_in_the_project_itself():
    """Page 0 names a folder beside it, but a reader may type the commands here."""
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    folder = re.search(r"mkdir -p \.\./(\S+)", (DOCS / "00-start.md").read_text("utf-8"))[1]
    assert {"/lesson_*.py", "/seed_*.py", f"/{folder}/"} <= set(ignored)


@pytest.fixture
def make_planted_curves(monkeypatch):
    """The module docs/make_planted_curves.py."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    specification = importlib.util.spec_from_file_location(
        "make_planted_curves", ROOT / "docs" / "make_planted_curves.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_picture_of_the_curves_is_that_of_the_measured_losses_in_light_and_dark(make_planted_curves):
    """`python docs/make_planted_curves.py --draw` draws it anew."""
    data = json.loads((DOCS / "planted.json").read_text("utf-8"))
    svg = (DOCS / "figures" / "planted-curves.svg").read_text("utf-8")
    assert svg == make_planted_curves.drawn(data).svg()
    assert "prefers-color-scheme:dark" in svg
    assert len(re.findall('<path d="M[^"]*" class="ink cool"', svg)) == len(data["rows"])
    data["rows"][3]["losses"][0][40] *= 2
    assert svg != make_planted_curves.drawn(data).svg()
