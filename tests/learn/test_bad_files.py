"""Files that no judge can judge: one clear line each, nothing written, and an answer in time."""

import os
import signal
import subprocess
import sys
import time

import pytest

from numpynet.learn.__main__ import main
from numpynet.learn.exercises import exercises, verdict_text
from numpynet.learn.exercises.judging_process import check_file
from numpynet.learn.own_process import MOST_PRINTED

HEAD = (
    "import os\nimport sys\nimport numpy as np\nimport numpynet.functional as F\n\n\ndef relu_backward(dout, cache):\n"
)
RIGHT = "    return np.where(cache.passed, dout, dout.dtype.type(0))\n"

# The file's text, and words of the one line.
PROBLEMS = {
    "a syntax error": (HEAD + "    return (dout\n", "line 8: not Python: '(' was never closed"),
    "a null byte": ("\0", "not Python"),
    "an error at import": (
        "x = 1\ny = x / 0\n",
        "the file does not import: line 2: ZeroDivisionError: division by zero",
    ),
    "another function": ("def relu(dout, cache): ...\n", "the file defines no function relu_backward"),
    "an unknown name": (HEAD + "    return nothing\n", "NameError at line 8: name 'nothing' is not defined"),
    "too many arguments": ("def relu_backward(dout):\n    return dout\n", "TypeError"),
    "exit at import": ("import sys\nsys.exit(3)\n", "the file ends the process while it is imported"),
    "exit": (HEAD + "    exit()\n", "the function ends the process"),
    "os._exit": (HEAD + "    os._exit(0)\n", "the file ended the process (exit status 0)"),
    "torch": ("import torch\n" + HEAD + RIGHT, "the file imports torch; use NumPy and what the file imports already"),
    "the kernels": (HEAD + "    from numpynet import kernels\n", "the function imports numpynet.kernels"),
    "the derivations": (
        "from numpynet.learn.derivations.simple import relu\n",
        "the file imports numpynet.learn.derivations; use NumPy and what the file imports already",
    ),
    "numpynet loaded once more": (
        HEAD + "    import importlib\n    module = importlib.reload(sys.modules['numpynet.functional.relu'])\n"
        "    return module.relu_backward(dout, cache)\n",
        "the function imports numpynet.functional.relu",
    ),
    "a string of 10 MB": (HEAD + f"    return dout * '{'x' * 10_000_000}'\n", "UFuncTypeError at line 8"),
    "the original": (HEAD + "    return F.relu_backward(dout, cache)\n", "calls numpynet's own relu_backward"),
    "the original, kept": (
        "from numpynet.functional.relu import relu_backward as theirs\n" + HEAD + "    return theirs(dout, cache)\n",
        "calls numpynet's own relu_backward",
    ),
    "the original, its error swallowed": (
        HEAD + "    try:\n        return F.relu_backward(dout, cache)\n    except Exception:\n    " + RIGHT,
        "calls numpynet's own relu_backward",
    ),
    "itself": (HEAD + "    return relu_backward(dout, cache)\n", "calls itself without end"),
}


@pytest.fixture
def verdict_of(tmp_path):
    def verdict(text, seconds=8.0):
        path = tmp_path / "relu_backward.py"
        path.write_text(text, "utf-8")
        result = check_file(exercises()["relu_backward"], path, seconds)
        assert [entry.name for entry in tmp_path.iterdir()] == ["relu_backward.py"]
        return result

    return verdict


@pytest.mark.parametrize("bad", PROBLEMS)
def test_a_problem_is_one_line(bad, verdict_of):
    text, words = PROBLEMS[bad]
    verdict = verdict_of(text)
    assert words in verdict.problem
    assert "\n" not in verdict.problem
    assert not verdict.passed
    assert verdict.checks == []


# The body, and the first wrong check in words.
WRONG = {
    "None": ("    np.where(cache.passed, dout, 0)\n", "dx is None and must be an array of shape (1, 1, 3, 3)"),
    "a list": ("    return [dout]\n", "dx is a list and must be an array"),
    "a shape": (RIGHT.replace(")\n", ").ravel()\n"), "dx has shape (9,) and must have (1, 1, 3, 3)"),
    "a dtype": ("    return (dout * cache.passed).astype(np.float32)\n", "dx is float32 and must be float64"),
    "dout changed": ("    dout *= cache.passed\n    return dout\n", "the function changes its argument dout"),
    "cache changed": (
        "    cache.passed[...] = True\n    return dout\n",
        "the function changes its argument cache.passed",
    ),
    "numpy told to raise errors": ("    return dout * 0 + 1e308\nnp.seterr(all='raise')\n", "yours 1e+308"),
    "NaN": (RIGHT.rstrip() + " * np.nan\n", "yours nan, right"),
}


@pytest.mark.parametrize("bad", WRONG)
def test_a_wrong_result_is_named(bad, verdict_of):
    body, words = WRONG[bad]
    verdict = verdict_of(HEAD + body)
    assert verdict.problem == ""
    assert words in verdict.checks[0].wrong


def test_a_loop_without_end_is_stopped(verdict_of):
    begin = time.monotonic()
    verdict = verdict_of(HEAD + "    while True: pass\n", seconds=2.0)
    assert verdict.problem == "no answer within 2 seconds: does a loop never end, or work on ever larger arrays?"
    assert time.monotonic() - begin < 10


def test_what_the_file_prints_neither_blocks_nor_spoils_the_verdict(verdict_of):
    shout = '    os.write(1, b"x" * 100 + b"\\n")\n    for _ in range(3000): print("y" * 100)\n'
    verdict = verdict_of(HEAD + shout + RIGHT)
    assert verdict.passed
    assert verdict.printed.startswith("x" * 100)
    assert len(verdict.printed) == MOST_PRINTED


RIGHT_WAYS = {
    "a byte order mark": "\ufeff" + HEAD + RIGHT,
    "lines that end in CR LF": (HEAD + RIGHT).replace("\n", "\r\n"),
    "tabs": (HEAD + RIGHT).replace("    ", "\t"),
    "a dataclass with its annotations as text": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass K:\n    n: int = 1\n"
        + HEAD
        + RIGHT
    ),
    "numpy told to raise errors": "import numpy\nnumpy.seterr(all='raise')\n" + HEAD + RIGHT,
    "an object that can be called": (
        HEAD.replace("def relu_backward(", "class Mine:\n  def __call__(self, ") + RIGHT + "relu_backward = Mine()\n"
    ),
    "a thread that goes on": HEAD
    + RIGHT
    + "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n",
    "bytes that are no text": HEAD + "    sys.stdout.buffer.write(bytes(range(256)))\n" + RIGHT,
    "another folder": HEAD + "    os.chdir(os.sep)\n" + RIGHT,
    "the seed set": HEAD + "    np.random.seed(0)\n" + RIGHT,
    "standard output closed": "import sys\nsys.stdout.close()\n" + HEAD + RIGHT,
    "no standard output": "import sys\nsys.stdout = sys.stderr = None\n" + HEAD + RIGHT,
}


@pytest.mark.parametrize("way", RIGHT_WAYS)
def test_a_right_answer_passes_however_it_is_written(way, tmp_path):
    path = tmp_path / "relu_backward.py"
    path.write_bytes(RIGHT_WAYS[way].encode())
    verdict = check_file(exercises()["relu_backward"], path)
    assert verdict.passed, verdict


# The file's text, and words of the one line.
ENDINGS = {
    "Ctrl-C of the file": (HEAD + "    raise KeyboardInterrupt\n", "ended by KeyboardInterrupt: without a message"),
    "Ctrl-C at import": ("raise KeyboardInterrupt\n", "ended by KeyboardInterrupt"),
    "an error without text": (
        "class E(Exception):\n    def __str__(self): return 1\nraise E\n",
        "E: without a message",
    ),
    "an error of many lines": ("raise ValueError('a\\nb\\nc')\n", "the file does not import: line 1: ValueError: a"),
    "control characters": (HEAD + "    raise ValueError('\\x1b[2J\\ud800')\n", "ValueError at line 8: ?[2J?"),
    "a changed numpy": (HEAD + "    np.abs = lambda *a, **k: np.zeros(1)\n    return dout * 7\n", "change numpy?"),
    "a verdict of its own": (
        "import os\nfor fd in range(3, 9):\n    try: os.write(fd, b'[1]')\n    except OSError: pass\nos._exit(0)\n",
        "the file ended the process",
    ),
    "the processor's limit": (HEAD + "    os.kill(os.getpid(), 24)\n", "the file ended the process (exit status -24)"),
    "50 GiB": (HEAD + "    np.zeros(50 * 2**27)\n", "MemoryError at line 8: Unable to allocate 50.0 GiB"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_file_ends_in_a_traceback(ending, verdict_of):
    text, words = ENDINGS[ending]
    verdict = verdict_of(text)
    assert words in verdict.problem
    assert "\n" not in verdict.problem
    assert "Traceback" not in verdict.printed


def test_numbers_that_differ_late_are_shown_in_full(verdict_of):
    verdict = verdict_of(HEAD + "    return (dout.astype(np.float32) * cache.passed).astype(dout.dtype)\n")
    wrong = next(check.wrong for check in verdict.checks if check.wrong)
    yours, right = wrong.split("yours ")[1].split(";")[0].split(", right ")
    assert yours != right


def test_control_characters_do_not_reach_the_terminal(verdict_of):
    printed = verdict_text.text(verdict_of(HEAD + "    print('\\x1b[2J')\n" + RIGHT))
    assert "  | ?[2J" in printed
    assert "\x1b" not in printed


@pytest.mark.skipif(os.name != "posix", reason="process groups are of POSIX")
def test_what_the_file_starts_ends_with_it(verdict_of, tmp_path):
    start = "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nprint(child.pid)\n"
    verdict = verdict_of(start + HEAD + RIGHT)
    assert verdict.passed
    pid = int(verdict.printed)
    until_gone = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < until_gone:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout


def test_a_file_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["check", "fold"]) == 2
    assert capsys.readouterr().err == (
        "python -m numpynet.learn check: there is no file fold.py; `python -m numpynet.learn start fold` writes one\n"
    )
    assert main(["check"]) == 2
    said = capsys.readouterr().err
    assert f"there is no exercise in {tmp_path}; go to the folder in which you typed `start`" in said


def test_every_command_line_that_is_suggested_names_the_folder(tmp_path, capsys):
    folder = tmp_path / "my files"
    folder.mkdir()
    where = f"--dir '{folder}'"
    assert main(["check", "relu_backward", "--dir", str(folder)]) == 2
    assert f"`python -m numpynet.learn start relu_backward {where}` writes one" in capsys.readouterr().err
    assert main(["start", "relu_backward", "--dir", str(folder)]) == 0
    assert f"\n  python -m numpynet.learn check relu_backward {where}\n" in capsys.readouterr().out
    assert main(["show", "relu_backward", "--dir", str(folder)]) == 1
    assert f"`python -m numpynet.learn check relu_backward {where}` says where." in capsys.readouterr().out
    (folder / "relu_backward.py").write_text(HEAD + RIGHT, "utf-8")
    assert main(["check", "relu_backward", "--dir", str(folder)]) == 0
    assert f"numpynet's own: python -m numpynet.learn show relu_backward {where}\n" in capsys.readouterr().out
    other = (folder / "relu_backward.py").rename(folder / "mine.py")
    assert main(["check", "relu_backward", str(other)]) == 0
    assert f"numpynet's own: python -m numpynet.learn show relu_backward '{other}'\n" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["check", "show", "watch"])
def test_a_file_and_a_folder_are_one_too_many(command, capsys):
    assert main([command, "fold", "fold.py", "--dir", "."]) == 2
    assert "give a file or --dir, not both" in capsys.readouterr().err


def test_an_unknown_name_gets_the_nearest(capsys):
    for command in ("start", "check", "hint", "show", "watch"):
        assert main([command, "con2d_backwards"]) == 2
        assert capsys.readouterr().err.endswith(
            "there is no exercise 'con2d_backwards'; did you mean conv2d_backward?\n"
        )


def test_a_file_that_is_there_already_stays(tmp_path, capsys):
    (tmp_path / "fold.py").write_text("mine", "utf-8")
    assert main(["start", "fold", "--dir", str(tmp_path)]) == 2
    assert "is there already and stays as it is" in capsys.readouterr().err
    assert (tmp_path / "fold.py").read_text("utf-8") == "mine"


def test_a_hint_of_no_such_number(capsys):
    assert main(["hint", "fold", "4"]) == 2
    assert "fold has hints 1 to 3, not 4" in capsys.readouterr().err


def test_watch_checks_again_when_the_file_changes_and_ends_with_ctrl_c(tmp_path):
    path = tmp_path / "relu_backward.py"
    path.write_text(HEAD + "    return dout\n", "utf-8")
    command = [sys.executable, "-m", "numpynet.learn", "watch", "relu_backward", str(path)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=hear_ctrl_c
    )
    try:
        seen = until(child, "Watching")
        assert "WRONG" in seen
        path.write_text(HEAD + RIGHT, "utf-8")
        assert "All 6 checks are right" in until(child, "Watching")
        child.send_signal(signal.SIGINT)
        rest, _ = child.communicate(timeout=20)
    finally:
        child.kill()
    assert "Traceback" not in rest
    assert child.returncode == 0


def hear_ctrl_c():
    """A shell starts what it runs in the background deaf to Ctrl-C, and processes hand this on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(child, word):
    """What the process prints up to the line that holds this word."""
    lines = []
    for line in child.stdout:
        lines.append(line)
        if word in line:
            break
    return "".join(lines)
