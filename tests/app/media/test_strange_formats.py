"""Which formats are read, whatever a file is called; no program or plugin is started for any other."""

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fkp_app.media.images import SUFFIXES, ImageError, read_image
from tests.app.media.strange_files import check, long, picture, refused, saved, short, tiff

PROGRAMS = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n%%EOF\n",
    "EPS with a preview": b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 32, 90, 0, 0, 0, 0) + bytes(60),
    "PDF": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n%%EOF\n",
}


@pytest.mark.parametrize("name", ["a.eps", "a.ps", "a.jpg", "a.png", "a.pdf", "a"])
@pytest.mark.parametrize("case", PROGRAMS)
def test_no_program_is_ever_started(case, name, tmp_path):
    tools, marker = tmp_path / "bin", tmp_path / "started"
    tools.mkdir()
    for tool in ("gs", "gswin64c", "djpeg", "xv", "convert"):
        (tools / tool).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (tools / tool).chmod(0o755)
    path = tmp_path / name
    path.write_bytes(PROGRAMS[case])
    code = (
        "import sys\nfrom fkp_app import detect\nfrom fkp_app.errors import FkpError\n"
        "from fkp_app.styles.picture import read_overlay\nfrom pathlib import Path\n"
        "for use in (detect, read_overlay):\n    try:\n        use(Path(sys.argv[1]))\n"
        "    except FkpError as error:\n        print(error)\n"
        "print('PIL.EpsImagePlugin' in sys.modules)\n"
    )
    environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.run(
        [sys.executable, "-c", code, path], env=environment, capture_output=True, text=True, check=True
    )
    lines = run.stdout.splitlines()
    assert len(lines) == 3
    assert all("which is not an image that can be read; " in line for line in lines[:2])
    assert lines[2] == "False"
    assert not marker.exists()


OTHERS = ["BLP", "DDS", "DIB", "ICO", "ICNS", "IM", "MSP", "PCX", "QOI", "SGI", "SPIDER", "TGA", "XBM"]


@pytest.mark.parametrize("kind", OTHERS)
def test_formats_that_the_docs_do_not_name_are_not_opened(kind, tmp_path, monkeypatch):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this Pillow does not write {kind}")
    mode = {"MSP": "1", "XBM": "1", "SPIDER": "F", "BLP": "P"}.get(kind, "RGB")
    monkeypatch.setattr(Image, "EXTENSION", dict(Image.EXTENSION))  # SPIDER registers the suffixes of saved files here
    file = io.BytesIO()
    Image.fromarray(picture()).convert(mode).resize((64, 64)).save(file, kind)
    (tmp_path / "a.png").write_bytes(file.getvalue())
    with pytest.raises(ImageError, match=r"a\.png: is (an icon, which is )?not an image that can be read"):
        read_image(tmp_path / "a.png")


def test_a_plugin_of_somebody_else_is_not_asked(monkeypatch):
    def accept(prefix):
        raise AssertionError("asked")

    Image.preinit()
    monkeypatch.setitem(Image.OPEN, "OTHER", (accept, accept))
    monkeypatch.setattr(Image, "ID", ["OTHER", *Image.ID])
    check(saved(picture(), "PNG"), picture())
    assert "is not an image" in refused(b"nothing that anybody knows" * 9)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60), "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(60), "HEIC"),
        (b"\xff\x0a" + bytes(60), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "JPEG XL"),
        (b"8BPS\0\1" + bytes(60), "a Photoshop file"),
    ],
)
def test_files_that_people_mistake_for_images_are_named(data, name):
    assert refused(data) == f"is {name}, which is not an image that can be read; convert it to JPEG or PNG"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_reading_waits_for_no_pipe_or_device(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"a\.jpg: is no regular file"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="/dev/null: is no regular file"):
        read_image("/dev/null")
    with pytest.raises(ImageError, match="no such file"):
        read_image(str(tmp_path / "a") + "\0.jpg")


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_of_a_format_that_is_read(suffix, tmp_path):
    Image.init()
    kind = Image.EXTENSION.get(suffix, "PPM")
    Image.fromarray(picture()).save(tmp_path / "a", "JPEG2000" if kind == "JPEG2000" else kind)
    (tmp_path / "a").rename(tmp_path / f"a{suffix}")
    assert read_image(tmp_path / f"a{suffix}").shape == picture().shape


def test_a_tiff_of_separate_16_bit_colours_is_refused():
    """Pillow would read each of its bytes as a level."""
    tags = [(258, 3, short(16, 16, 16)), (284, 3, short(2)), (273, 4, long(8, 8, 8)), (279, 4, long(100, 100, 100))]
    assert "in more than 8 bits, which is not read" in refused(tiff((picture(), *tags)))
