"""`python -m numpynet.learn break --check`: which copies are repaired, and what is said of the others."""

import pytest

from numpynet.learn.__main__ import main
from numpynet.learn.lessons import check_copy
from numpynet.learn.lessons.gradcheck_verdicts import wrong_verdicts
from numpynet.learn.lessons.plant import bugs, planted
from tests.learn.copies import NAMES, right_copy

THEIRS = "from numpynet.functional.relu import relu_backward as theirs\n"


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
