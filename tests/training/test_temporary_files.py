"""`atomic` leaves no temporary files behind, also with the longest names and after processes were killed."""

import subprocess
import sys

import pytest

from numpynet.files import PREFIX, atomic, remove_leftovers

HOLDS = """
import sys, time
from numpynet.files import atomic
with atomic(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print(temporary.name, flush=True)
    sys.stdin.read()
    temporary.write_bytes(b"whole")
"""


def holder(path):
    """A process that writes a file until its standard input ends, and the name of its temporary file."""
    process = subprocess.Popen([sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, process.stdout.readline().decode().strip()


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


NAMES = [
    *("a" * 251 + ".png", "a" * 255, "." + "a" * 254, "x." + "s" * 253),
    *("é" * 125 + ".json", "海" * 83 + ".csv", "🙂" * 62 + ".jpeg"),  # 255, 253 and 253 bytes
]


@pytest.mark.parametrize("name", NAMES, ids=[f"{len(name)} letters, {len(name.encode())} bytes" for name in NAMES])
def test_a_file_may_have_the_longest_name(name, tmp_path):
    assert 250 <= len(name.encode()) <= 255
    with atomic(tmp_path / name) as temporary:
        assert temporary.parent == tmp_path
        assert len(temporary.name.encode()) < 100
        temporary.write_bytes(b"x")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"x")]


def test_a_format_is_still_told_by_the_suffix(tmp_path):
    with atomic(tmp_path / "a.b.safetensors") as temporary:
        assert temporary.suffix == ".safetensors"
        assert temporary.name.startswith(PREFIX)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / ".hidden").write_text("kept")
    (tmp_path / f"{PREFIX}folder").mkdir()
    killed, left = holder(tmp_path / "a.png")
    living, held = holder(tmp_path / "b.png")
    killed.kill()
    killed.wait()
    assert names_in(tmp_path) == sorted([".hidden", f"{PREFIX}folder", left, held])
    assert remove_leftovers(tmp_path) == 1
    assert names_in(tmp_path) == sorted([".hidden", f"{PREFIX}folder", held])
    living.communicate(b"")
    assert living.returncode == 0
    assert (tmp_path / "b.png").read_bytes() == b"whole"
    assert remove_leftovers(tmp_path) == 0
    assert remove_leftovers(tmp_path / "nowhere") == 0


def test_ones_own_file_is_no_leftover(tmp_path):
    with atomic(tmp_path / "a.png") as temporary:
        assert remove_leftovers(tmp_path) == 0
        temporary.write_bytes(b"x")
    assert (tmp_path / "a.png").read_bytes() == b"x"
