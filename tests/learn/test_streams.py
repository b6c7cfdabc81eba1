"""The commands with a full disk, without outputs, in ASCII, and interrupted: one line, no traceback."""

import os
import signal
import subprocess
import sys
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
