"""`save_tensors` writes the same bytes as the safetensors library, through a single locked temporary file."""

import json
import os
import sys
import tracemalloc

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file, save, save_file

from numpynet.checkpoint import load_tensors, save_tensors
from numpynet.files import remove_leftovers
from numpynet.tensors import NAMES, ORDER

KEYS = ["a", "b.c", "größe", "海", '"\\', "Z", "", "0", "\x01", "x" * 200, "a ", "q", "w"]


def by_the_library(path, tensors, metadata):
    """The file as the library writes it, but with the metadata in the given order; the library's order is random."""
    save_file(tensors, path, metadata)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return content[:8] + text.ljust(length) + content[8 + length :]


def known_to(library, kind):
    """Whether the installed safetensors knows a dtype; old versions know no complex ones."""
    try:
        library({"a": np.zeros(1, kind)})
    except SafetensorError:
        return False
    return True


@pytest.mark.parametrize("seed", range(20))
def test_the_file_is_the_librarys(seed, tmp_path):
    """Every dtype, scalars and empty arrays, in any order, under any name."""
    rng = np.random.default_rng(seed)
    kinds = [kind for kind in NAMES if known_to(save, kind)]
    tensors = {
        key: np.asarray(rng.integers(0, 2, rng.integers(0, 4, rng.integers(0, 4)))).astype(kind)
        for key, kind in zip(rng.permutation(KEYS)[: len(KEYS) - seed % 3], rng.permutation(kinds), strict=False)
    }
    save_tensors(tmp_path / "ours", tensors, {"note": "é\n\u2028", "a": ""})
    content = (tmp_path / "ours").read_bytes()
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    assert content == by_the_library(tmp_path / "theirs", tensors, metadata)
    for found in (load_file(tmp_path / "ours"), load_tensors(tmp_path / "ours")[0]):
        assert found.keys() == tensors.keys()
        for key, array in tensors.items():
            assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(found[key], array)


def test_every_type_has_its_place():
    assert sorted(ORDER) == sorted(NAMES.values())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither flock nor a umask to speak of")
def test_the_file_on_its_way_is_held_and_the_only_one(tmp_path, monkeypatch):
    """A later process must remove what a killed one left, but never the file of a living one."""
    seen = []
    sync = os.fsync

    def look(handle):
        seen.append([path.name[:10] for path in tmp_path.iterdir()])
        assert remove_leftovers(tmp_path) == 0
        sync(handle)

    monkeypatch.setattr("numpynet.files.os.fsync", look)
    save_tensors(tmp_path / "a.safetensors", {"a": np.ones(100_000)}, {})
    assert seen[0] == [".numpynet-"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_others_may_read_what_the_umask_lets_them(tmp_path):
    mask = os.umask(0o027)
    try:
        save_tensors(tmp_path / "a.safetensors", {"a": np.ones(3)}, {})
    finally:
        os.umask(mask)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640


def test_numbers_that_the_format_lacks_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"a\.safetensors: cannot hold b, which is complex128"):
        save_tensors(tmp_path / "a.safetensors", {"a": np.ones(3), "b": np.ones(3, complex)}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580, 0x3C20])
def test_a_header_whose_length_begins_as_another_kind_of_file(length, tmp_path):
    """The length's first bytes are those of a pickle or of a page of HTML."""
    path = tmp_path / "a.safetensors"
    for letters in range(length - 300, length):
        save_tensors(path, {"a": np.ones(3)}, {"note": "x" * letters})
        if (reached := int.from_bytes(path.read_bytes()[:8], "little")) >= length:
            break
    assert reached == length
    assert load_tensors(path)[0]["a"].tolist() == [1, 1, 1]


def test_writing_needs_no_second_copy_in_memory(tmp_path):
    """A checkpoint of the full network has 1.8 GB."""
    tensors = {name: np.ones((1000, 1000), np.float32) for name in "abcd"}
    tracemalloc.start()
    try:
        save_tensors(tmp_path / "a.safetensors", tensors, {})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < tensors["a"].nbytes / 10
