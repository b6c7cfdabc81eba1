"""Photos that the page reads: the work they cost, the formats it refuses, and memory that is returned."""

import platform
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fkp_app.errors import FkpError

pytest.importorskip("pebble", reason="Gradio is not installed (the extra `web`)")


@pytest.fixture(scope="module")
def reader():
    from fkp_app.web.reader import PhotoReader

    with PhotoReader() as found:
        yield found


def test_the_scans_of_a_jpeg_count_as_work(reader, tmp_path):
    photo, kinds = Image.fromarray(np.zeros((40, 60, 3), np.uint8)), {"a": {}, "b": {"progressive": True}}
    found = {}
    for name, options in kinds.items():
        photo.save(tmp_path / f"{name}.jpg", **options)
        found[name] = reader.work(tmp_path / f"{name}.jpg")
    assert found["a"] == (2400, 2400)
    assert found["b"][0] == 2400
    assert found["b"][1] >= 6 * 2400
    (tmp_path / "c.jpg").write_bytes(b"words")
    assert reader.work(tmp_path / "c.jpg") == (0, 0)


@pytest.mark.parametrize(
    ("kind", "pillow", "refused"),
    [
        ("TIFF", "12.3.0", True),
        ("JPEG2000", "12.9", True),
        ("TIFF", "13.0.0", False),
        ("JPEG2000", "14.1.dev0", False),
        ("JPEG", "12.3.0", False),
        ("PNG", "12.3.0", False),
        (None, "12.3.0", False),
        ("TIFF", "unknown", True),
    ],
)
def test_which_formats_an_older_pillow_is_not_given(kind, pillow, refused):
    from fkp_app.web.reader import is_refused

    assert is_refused(kind, pillow) == refused


@pytest.mark.parametrize(("suffix", "kind", "name"), [("tif", "TIFF", "TIFF"), ("jp2", "JPEG2000", "JPEG 2000")])
def test_a_format_that_is_not_read_is_one_line(suffix, kind, name, reader, tmp_path):
    import PIL

    from fkp_app.web.reader import is_refused

    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(path)
    if not is_refused(kind, PIL.__version__):
        assert reader.read(path, [], 10**6).shape == (40, 60, 3)
        return
    with pytest.raises(FkpError, match=f"a.{suffix}: is {name}, which this page does not read; save it as JPEG or PNG"):
        reader.read(path, [], 10**6)


MEMORY = """
from fkp_app.web.server import give_memory_back
if {asked}:
    give_memory_back()
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
for _ in range(3):  # the first ones freed teach glibc to keep the next
    bytearray(16 << 20)
blocks = []
for index in range(20):
    blocks += [bytes([1]) * (16 << 20), bytearray(200_000)]  # what stays above holds down what is freed below it
full = held()
del blocks[::2]
print(full - held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc")
def test_memory_of_photos_that_are_gone_is_given_back():
    given = {}
    for asked in (False, True):
        ran = subprocess.run([sys.executable, "-c", MEMORY.format(asked=asked)], capture_output=True, text=True)
        given[asked] = int(ran.stdout)
    assert given[True] >= 300 > given[False]  # of 320 MB
