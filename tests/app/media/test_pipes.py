"""Sources from a pipe: standard input, and the pipe that a shell opens for <(command)."""

import io
import json
import os
import pty
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from fkp_app.errors import FkpError
from fkp_app.media import spool
from fkp_app.media.images import read_image
from tests.free_pictures import hopper
from tests.videos import write_avi

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes are POSIX")


def jpeg():
    file = io.BytesIO()
    Image.fromarray(hopper()[60:360, 115:415]).save(file, "JPEG")
    return file.getvalue()


def fed(content, *arguments, cwd=None, **options):
    """Runs `fkp` with this standard input; returns exit code, output and errors."""
    command = [sys.executable, "-m", "fkp_app", *map(str, arguments)]
    how = {"input": content} if isinstance(content, bytes) else {"stdin": content}
    done = subprocess.run(command, capture_output=True, timeout=120, cwd=cwd, **how, **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_an_image_from_standard_input(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    out = tmp_path / "out"
    code, said, errors = fed(jpeg(), "detect", name, "--json", tmp_path / "a.json", "--out", out)
    assert (code, said, errors) == (0, f"{name}: 1 face found -> {out}/stdin.png\n", "")
    (result,) = json.loads((tmp_path / "a.json").read_text())
    assert (result["image"], result["width"]) == (name, 300)
    assert read_image(out / "stdin.png").shape == (300, 300, 3)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_video_from_standard_input_beside_files(tmp_path):
    video = write_avi(tmp_path / "a.avi", [np.full((48, 64, 3), 90, np.uint8)] * 5)
    (tmp_path / "b.jpg").write_bytes(jpeg())
    content = video.read_bytes()
    code, said, errors = fed(content, "filter", tmp_path / "b.jpg", "-", "--out", tmp_path / "out", "--workers", 2)
    assert (code, errors) == (0, "")
    assert said.splitlines()[1].startswith("-: faces in 0 of 5 frames, ")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.jpg.png", "stdin.mp4"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "standard input: is empty"),
        (b"words, not a picture\n" * 20, "-: is not an image that can be read"),
        (jpeg()[:1000], "-: is truncated or damaged ("),
        (subprocess.DEVNULL, "standard input: is empty"),
    ],
    ids=["nothing", "words", "half", "/dev/null"],
)
def test_bad_standard_input_is_one_line(content, said, tmp_path):
    code, out, errors = fed(content, "detect", "-", "--json", tmp_path / "a.json")
    assert (code, out) == (1, "")
    assert errors.startswith(f"fkp: {said}")
    assert errors.count("\n") == 1
    assert not (tmp_path / "a.json").exists()


def test_a_terminal_is_not_waited_for():
    ours, theirs = pty.openpty()
    code, _, errors = fed(theirs, "detect", "-")
    os.close(ours)
    os.close(theirs)
    assert code == 1
    assert errors == "fkp: standard input: is not connected to a file or a pipe; use: fkp COMMAND - < FILE\n"


def test_standard_input_is_read_once(tmp_path):
    code, said, errors = fed(jpeg(), "detect", "-", "/dev/stdin")
    assert (code, errors) == (1, "fkp: standard input: can be read once; name it once\n")
    assert said.startswith("-: 1 face found\n")


def test_a_file_called_dash_is_named_by_its_folder(tmp_path):
    (tmp_path / "-").write_bytes(jpeg())
    code, said, _ = fed(b"", "detect", "./-", cwd=tmp_path)
    assert (code, said) == (0, "-: 1 face found\n")


def test_a_pipe_that_the_shell_opens(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    command = f"{sys.executable} -m fkp_app detect <(cat a.jpg) <(printf words) --out out --workers 2"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].endswith(": 1 face found -> out/pipe-63.png")
    assert done.stderr == "fkp: /dev/fd/62: is not an image that can be read\n"


def test_a_pipe_without_an_end_is_left_after_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "MAX_BYTES", 5 << 20)
    monkeypatch.setattr(spool, "PIECE", 1 << 16)
    reads, writes = os.pipe()

    def pour():
        try:
            while True:
                os.write(writes, bytes(1 << 16))
        except OSError:
            os.close(writes)

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    with pytest.raises(FkpError, match=rf"^/dev/fd/{reads}: holds more than "):
        spool.spooled(f"/dev/fd/{reads}", tmp_path)
    os.close(reads)
    thread.join(20)
    assert not thread.is_alive()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5 << 20


def test_no_room_for_what_a_pipe_holds_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool, "_copy", full)
    reads, writes = os.pipe()
    os.close(writes)
    with pytest.raises(FkpError, match=r"cannot be read \(No space left on device\)$"):
        spool.spooled(f"/dev/fd/{reads}", tmp_path)
    os.close(reads)
