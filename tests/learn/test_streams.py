"""The commands with a full disk, without outputs, in ASCII, and interrupted: one line, no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="/dev/full, closed descriptors and signals are of POSIX")


def learn(*words, **options):
    command = [sys.executable, "-m", "numpynet.learn", *words]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **options
    )


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["list"], ["one-point"]])
def test_a_full_disk_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        done = learn(*words, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "python -m numpynet.learn: No space left on device\n"


@posix
def test_without_an_output_there_is_no_traceback():
    done = learn("one-point", preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_whose_name_the_terminal_cannot_show(tmp_path):
    folder = tmp_path / "\u00fcbung"
    folder.mkdir()
    done = learn("start", "fold", "--dir", str(folder), stdout=subprocess.PIPE, env=os.environ | ASCII)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\xfcbung" in done.stdout
    assert (folder / "fold.py").is_file()


ASCII = {"PYTHONIOENCODING": "ascii"}


@posix
def test_ctrl_c_is_no_traceback():
    command = [sys.executable, "-m", "numpynet.learn", "settle", "--steps", "10000"]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=20)
    finally:
        child.kill()
    assert (child.returncode, said) == (130, "\n")


@posix
def test_ctrl_c_ends_what_is_judged(tmp_path):
    loop = "import pathlib\npathlib.Path({!r}).touch()\nwhile True: pass\n"
    begun = [tmp_path / "one.begun", tmp_path / "two.begun"]
    for name, mark in zip(("fold", "unfold"), begun, strict=True):
        (tmp_path / f"{name}.py").write_text(loop.format(str(mark)), "utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "numpynet.learn", "check", "--dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        until = time.monotonic() + 20
        while not all(mark.exists() for mark in begun) and time.monotonic() < until:
            time.sleep(0.02)
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, said = child.communicate(timeout=20)
    finally:
        child.kill()
    assert (child.returncode, out, said) == (130, "", "\n")
    assert time.monotonic() - sent < 5  # the two loops would go on for 8 seconds


@posix
@pytest.mark.parametrize("command", ["check", "graduate"])
def test_what_is_judged_ends_when_the_command_is_killed(command, tmp_path):
    number = tmp_path / "number"
    loop = f"import os\nopen({str(number)!r}, 'w').write(str(os.getpid()))\nwhile True: pass\n"
    (tmp_path / "fold.py").write_text(loop, "utf-8")
    child = subprocess.Popen(
        [sys.executable, "-m", "numpynet.learn", command, "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: number.exists() and number.read_text())
    finally:
        child.kill()
    wait_for(lambda: not is_alive(int(number.read_text())))


def wait_for(condition):
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@posix
def test_ctrl_c_before_the_command_begins_is_no_traceback():
    """The process that begins anew with one thread holds it back until the command can end with it."""
    program = (
        "import os, signal, sys; from numpynet.learn import __main__ as m; os.execve = started; m.with_one_thread()"
    )
    started = "def started(*a): os.kill(os.getpid(), signal.SIGINT); sys.exit(m.main(['settle']))\n"
    done = subprocess.run(
        [sys.executable, "-c", f"import os, signal, sys\n{started}{program}"],
        capture_output=True, text=True, timeout=60, check=False, env={"OPENBLAS_NUM_THREADS": "1"} | PATHS,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\n")


PATHS = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}


def test_the_judge_leaves_no_file_open(tmp_path):
    """With -W error, a pipe that nobody closed is a traceback."""
    (tmp_path / "relu_backward.py").write_text("def relu_backward(dout, cache):\n    return dout * cache.passed\n")
    command = [sys.executable, "-W", "error", "-m", "numpynet.learn", "check", "relu_backward"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
