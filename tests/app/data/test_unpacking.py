"""Harmful archives: bombs, duplicates and overlaps are refused before they cost time or memory, and removed."""

import stat
import struct
import zipfile

import pytest

from fkp_app.data.archive import download
from fkp_app.data.unpacking import ArchiveError, unpack
from tests.app.data.test_archive import bad_archive, holds, manifest, packed, published, serve  # noqa: F401


def compressed(path, members, kind):
    with zipfile.ZipFile(path, "w", kind) as pack:
        for name, data in members:
            pack.writestr(name, data)
    return path.read_bytes()


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_the_published_archive_does_not_have_is_refused(kind, tmp_path):
    """An LZMA member may ask for 4 GiB to unpack a byte."""
    compressed(tmp_path / "a.zip", [("a.jpg", b"x" * 10)], kind)
    with pytest.raises(ArchiveError, match=r"holds a\.jpg in a compression that the published one does not have"):
        unpack(tmp_path / "a.zip", tmp_path / "out", {"a.jpg": 10})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_both_compressions_are_read_and_their_damage_is_one_line(kind, published, manifest, serve, tmp_path):  # noqa: F811
    """The damaged archive is removed, so the next call fetches a whole one."""
    whole = compressed(tmp_path / "a.zip", published.items(), kind)
    damaged = bytearray(whole)
    with zipfile.ZipFile(tmp_path / "a.zip") as pack:
        for member in pack.infolist():
            begin = member.header_offset + 30 + len(member.orig_filename.encode())
            for place in range(begin + 8, begin + member.compress_size - 4, 61):
                damaged[place] ^= 0x55
    server = serve(bytes(damaged))
    bad_archive(manifest, server, tmp_path / "data", "is damaged")
    server.content = whole
    download(tmp_path / "data", server.url, len(whole), manifest)
    assert holds(tmp_path / "data", published)
    assert server.requests == 2


def test_a_file_twice_is_refused(published, manifest, serve, tmp_path):  # noqa: F811
    name = sorted(published)[0]
    for double in (name, f"./{name}", f"data/{name}"):
        members = [*published.items(), (double, published[name])]
        with pytest.warns(UserWarning, match="Duplicate") if double == name else _nothing():
            server = serve(packed(tmp_path / "a.zip", members))
        bad_archive(manifest, server, tmp_path / "data", f"holds {name} twice")


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_a_hundred_thousand_members_are_not_even_listed(tmp_path, monkeypatch):
    """Listing them would read the archive's whole directory into memory."""
    one = compressed(tmp_path / "a.zip", [("a.jpg", b"x" * 10)], zipfile.ZIP_STORED)
    end = one.rfind(b"PK\x05\x06")
    start = struct.unpack("<I", one[end + 16 : end + 20])[0]
    entry = one[start:end]
    count = 60_000
    bomb = one[:start] + entry * count + one[end : end + 8]
    bomb += struct.pack("<HHIIH", count, count, len(entry) * count, start, 0)
    (tmp_path / "a.zip").write_bytes(bomb)
    assert len(zipfile.ZipFile(tmp_path / "a.zip").infolist()) == count
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(ArchiveError, match="it lists 60000 members"):
        unpack(tmp_path / "a.zip", tmp_path / "out", {"a.jpg": 10})


def test_a_directory_of_64_bits_is_refused(tmp_path, monkeypatch):
    """A 64-bit directory can list any number of members beside the record that was checked."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as pack:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            pack.writestr(name, b"x" * 10)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out", {"a.jpg": 10})


def test_files_that_share_their_bytes_are_refused(tmp_path):
    """Five thousand listed members, each as large as the whole archive, would take hours to read."""
    sizes = {f"{i}.jpg": 1_000_000 for i in range(20)}
    data = compressed(tmp_path / "a.zip", [("0.jpg", bytes(1_000_000))], zipfile.ZIP_STORED)
    end = data.rfind(b"PK\x05\x06")
    start = struct.unpack("<I", data[end + 16 : end + 20])[0]
    entries = b"".join(data[start:end].replace(b"0.jpg", f"{i}.jpg".encode()) for i in range(10))
    record = data[end : end + 8] + struct.pack("<HHIIH", 10, 10, len(entries), start, 0)
    (tmp_path / "a.zip").write_bytes(data[:start] + entries + record)
    with pytest.raises(ArchiveError, match="its files overlap"):
        unpack(tmp_path / "a.zip", tmp_path / "out", sizes)
    assert not (tmp_path / "out").exists()


def test_a_bomb_in_a_listed_file_is_not_unpacked(tmp_path):
    """A member of a gigabyte of zeros whose directory entry states a thousand bytes."""
    data = bytearray(compressed(tmp_path / "a.zip", [("a.jpg", bytes(100_000_000))], zipfile.ZIP_DEFLATED))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.find(signature) + offset
        data[place : place + 4] = struct.pack("<I", 1000)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out", {"a.jpg": 1000})
    assert (tmp_path / "out" / "a.jpg").stat().st_size <= 1000


def test_members_that_the_list_does_not_name_are_left_alone(tmp_path):
    """A bomb among them takes no time or memory."""
    members = [("a.jpg", b"x" * 10), ("bomb.jpg", bytes(200_000_000)), ("training/", b"")]
    compressed(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)
    unpack(tmp_path / "a.zip", tmp_path / "out", {"a.jpg": 10})
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.jpg"]


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_member_marked_as_a_pipe_becomes_a_file(kind, tmp_path):
    member = zipfile.ZipInfo("a.jpg")
    member.create_system, member.external_attr = 3, (kind | 0o777) << 16
    packed(tmp_path / "a.zip", [(member, b"x" * 10)])
    unpack(tmp_path / "a.zip", tmp_path / "out", {"a.jpg": 10})
    assert (tmp_path / "out" / "a.jpg").is_file()


def test_a_directory_in_the_place_of_a_file_is_refused_before_any_is_moved(published, manifest, serve, tmp_path):  # noqa: F811
    from fkp_app.errors import FkpError

    server, last = serve(packed(tmp_path / "a.zip", published.items())), list(manifest)[-1]
    (tmp_path / "data" / last).mkdir(parents=True)
    with pytest.raises(FkpError, match=f"{last}: is a directory where a file must lie"):
        download(tmp_path / "data", server.url, len(server.content), manifest)
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file() and path.name != "archive.zip"]
