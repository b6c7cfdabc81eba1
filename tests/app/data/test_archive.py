"""The public archive: each file is checked, all files are fetched or none, and none is written elsewhere."""

import csv
import gzip
import hashlib
import http.server
import stat
import struct
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fkp_app.data import archive
from fkp_app.data.archive import ArchiveError, download, load_manifest, verify
from fkp_app.data.unpacking import unpack
from fkp_app.errors import FkpError
from tests.drawn import write_dataset


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The contents of the published files by name."""
    root = write_dataset(tmp_path_factory.mktemp("published") / "data", people=2, videos=1, frames=2)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def manifest(published):
    return {name: (len(data), hashlib.sha256(data).hexdigest()[:16]) for name, data in published.items()}


def packed(path, members):
    """A zip file of these members, each a name or ZipInfo and its content."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as pack:
        for name, data in members:
            pack.writestr(name, data)
    return path.read_bytes()


class Server:
    """A server of one file on loopback. answer: the reply to the next requests; requests: their number so far."""

    def __init__(self, content):
        self.content, self.answer, self.requests = content, "whole", 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests += 1
                if outer.answer == "missing":
                    self.send_error(404)
                    return
                body = b"<html>moved</html>" if outer.answer == "html" else outer.content
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if outer.answer == "cut" else body)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/train-test-data.zip"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(content):
        servers.append(Server(content))
        return servers[-1]

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def fetch(directory, server, manifest):
    download(directory, server.url, len(server.content), manifest)


def files(directory):
    return {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}


def holds(directory, published):
    found = files(directory)
    return found.keys() == published.keys() and all(found[name].read_bytes() == published[name] for name in published)


@pytest.mark.parametrize("prefix", ["", "data/", "./"])
def test_download_puts_the_published_files_in_place(prefix, published, manifest, serve, tmp_path):
    cruft = [("__MACOSX/training/._a.jpg", b"x"), (f"{prefix}.DS_Store", b"x"), (f"{prefix}training/", b"")]
    members = [*cruft, *((prefix + name, data) for name, data in published.items())]
    server = serve(packed(tmp_path / "a.zip", members))
    fetch(tmp_path / "new" / "place", server, manifest)
    assert holds(tmp_path / "new" / "place", published)
    assert verify(tmp_path / "new" / "place", manifest).ok
    assert [path.name for path in (tmp_path / "new" / "place").iterdir() if path.name.startswith(".")] == []


def test_download_mends_a_directory_and_leaves_other_files(published, manifest, serve, tmp_path):
    server = serve(packed(tmp_path / "a.zip", published.items()))
    target = tmp_path / "data"
    (target / "training").mkdir(parents=True)
    name = next(iter(n for n in published if n.startswith("training/")))
    (target / name).write_bytes(b"damaged")
    (target / "training" / "mine.jpg").write_bytes(b"mine")
    fetch(target, server, manifest)
    assert (target / "training" / "mine.jpg").read_bytes() == b"mine"
    assert holds(target, {**published, "training/mine.jpg": b"mine"})


def test_an_interrupted_download_leaves_nothing_and_starts_again(published, manifest, serve, tmp_path):
    server = serve(packed(tmp_path / "a.zip", published.items()))
    target = tmp_path / "data"
    server.answer = "cut"
    with pytest.raises(FkpError, match=r"127\.0\.0\.1.*cannot be fetched") as error:
        fetch(target, server, manifest)
    assert "\n" not in str(error.value)
    assert not target.exists()
    server.answer = "whole"
    fetch(target, server, manifest)
    assert holds(target, published)


@pytest.mark.parametrize(
    ("answer", "words"), [("missing", "HTTP status 404"), ("html", r"gave 18 bytes instead of \d+; try again")]
)
def test_a_server_without_the_archive(answer, words, published, manifest, serve, tmp_path):
    server = serve(packed(tmp_path / "a.zip", published.items()))
    server.answer = answer
    with pytest.raises(FkpError, match=words):
        fetch(tmp_path / "data", server, manifest)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.zip", "no address", "http://"])
def test_an_address_that_does_not_answer(url, manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(FkpError, match="cannot be fetched") as error:
        download(tmp_path / "data", url, 100, manifest)
    assert "\n" not in str(error.value)


def test_a_complete_archive_is_not_fetched_again(published, manifest, serve, tmp_path, monkeypatch):
    """Stopped while unpacking: no file is moved, leftovers are removed, and the next call uses the archive."""
    server = serve(packed(tmp_path / "a.zip", published.items()))
    target = tmp_path / "data"

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fkp_app.data.unpacking._pieces", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(target, server, manifest)
    assert list(files(target)) == [".download/archive.zip"]
    (target / ".download" / "tmp-of-a-killed-process").write_bytes(b"half")
    (target / ".download" / "half-unpacked").mkdir()
    server.answer = "missing"
    fetch(target, server, manifest)
    assert server.requests == 1
    assert holds(target, published)
    assert not (target / ".download").exists()


def bad_archive(manifest, server, target, words):
    """Such an archive gives a one-line error, moves no file, and is removed."""
    before = {name: path.read_bytes() for name, path in files(target).items()} if target.exists() else {}
    with pytest.raises(ArchiveError, match=words) as error:
        fetch(target, server, manifest)
    assert "\n" not in str(error.value)
    assert server.url in str(error.value)
    assert {name: path.read_bytes() for name, path in files(target).items()} == before


def test_content_with_another_hash_is_refused(published, manifest, serve, tmp_path):
    name = sorted(published)[3]
    changed = {**published, name: published[name][:-1] + bytes([published[name][-1] ^ 1])}
    server = serve(packed(tmp_path / "a.zip", changed.items()))
    target = tmp_path / "data"
    (target / "training").mkdir(parents=True)
    (target / name).parent.mkdir(exist_ok=True)
    (target / name).write_bytes(b"what was there before")
    bad_archive(manifest, server, target, f"1 file is missing or not as published, the first {name}")


def test_an_archive_that_lacks_a_file_is_refused(published, manifest, serve, tmp_path):
    name = sorted(published)[0]
    server = serve(packed(tmp_path / "a.zip", [item for item in published.items() if item[0] != name]))
    bad_archive(manifest, server, tmp_path / "data", f"1 file is missing .* the first {name}")


@pytest.mark.parametrize(
    "evil",
    ["../evil.jpg", "training/../../evil.jpg", "{root}/evil.jpg", "..\\evil.jpg", "C:\\evil.jpg", "\\evil.jpg", ".."],
)
def test_no_member_leaves_the_directory(evil, published, manifest, serve, tmp_path):
    member = zipfile.ZipInfo("placeholder")
    member.filename = evil.format(root=tmp_path)  # set here because the constructor would correct the name
    server = serve(packed(tmp_path / "a.zip", [*published.items(), (member, b"evil")]))
    bad_archive(manifest, server, tmp_path / "data", "would leave the directory; nothing is unpacked")
    assert not list(Path(tmp_path).rglob("*evil*"))


@pytest.mark.parametrize("target", ["/etc/hostname", "../../outside", "training"])
def test_links_are_refused(target, published, manifest, serve, tmp_path):
    name = sorted(published)[2]
    link = zipfile.ZipInfo(name)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    members = [(link, target), *(item for item in published.items() if item[0] != name)]
    server = serve(packed(tmp_path / "a.zip", members))
    bad_archive(manifest, server, tmp_path / "data", f"holds the link {name}; nothing is unpacked")


def flip_bytes(data):
    damaged = bytearray(data)
    for place in range(200, len(data) - 2000, 97):
        damaged[place] ^= 0x55
    return bytes(damaged)


def encrypt(data):
    """Mark each member as encrypted, in both of its headers."""
    damaged = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            damaged[place + offset] |= 1
            place = data.find(signature, place + 4)
    return bytes(damaged)


def point_outside(data):
    """Write a wrong offset of the directory into the end record."""
    place = data.rfind(b"PK\x05\x06")
    return data[: place + 16] + struct.pack("<I", 0xFFFFFF0) + data[place + 20 :]


@pytest.mark.parametrize("damage", [flip_bytes, encrypt, point_outside, lambda data: bytes(len(data))])
def test_a_damaged_archive_is_refused(damage, published, manifest, serve, tmp_path):
    server = serve(damage(packed(tmp_path / "a.zip", published.items())))
    bad_archive(manifest, server, tmp_path / "data", "is damaged")


def test_random_damage_is_an_archive_error_or_none(published, manifest, tmp_path):
    whole, rng = packed(tmp_path / "a.zip", published.items()), np.random.default_rng(0)
    sizes = {name: size for name, (size, _) in manifest.items()}
    refused = 0
    for attempt in range(80):
        data = bytearray(whole)
        for _ in range(3):
            data[-1 - rng.integers(len(data) if attempt % 2 else 1500)] = rng.integers(256)
        (tmp_path / "a.zip").write_bytes(data)
        try:
            unpack(tmp_path / "a.zip", tmp_path / str(attempt), sizes)
        except ArchiveError:
            refused += 1
    assert refused > 20


def test_where_nothing_can_be_written(published, manifest, serve, tmp_path):
    server = serve(packed(tmp_path / "a.zip", published.items()))
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(FkpError, match=f"{target}: cannot be written"):
            fetch(target, server, manifest)
    assert server.requests == 0


def unpacked(directory, published):
    for name, data in published.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def test_verify_tells_what_is_missing_changed_and_more(published, manifest, tmp_path):
    directory = unpacked(tmp_path, published)
    assert verify(directory, manifest).ok
    one, two, three, *rest = sorted(published)
    (directory / one).unlink()
    (directory / two).write_bytes(published[two] + b"x")
    (directory / three).write_bytes(bytes([published[three][0] ^ 1]) + published[three][1:])
    (directory / "test" / "mine.jpg").write_bytes(b"mine")
    (directory / "notes.txt").write_bytes(b"not in the folders of the data set")
    seen = []
    report = verify(directory, manifest, lambda names: seen.extend(names) or names)
    assert (report.missing, report.changed, report.extra) == ([one], [two, three], ["test/mine.jpg"])
    assert report.intact == len(rest)
    assert not report.ok
    assert seen == sorted(published)


def test_verify_of_what_is_not_there_or_unreadable(published, manifest, tmp_path, monkeypatch):
    with pytest.raises(FkpError, match="none: no such directory; `fkp data download"):
        verify(tmp_path / "none", manifest)
    unpacked(tmp_path, published)

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FkpError, match=r"cannot be read \(Permission denied\)"):
        verify(tmp_path, manifest)


def test_the_shipped_list_is_whole_and_small():
    names = load_manifest()
    folders = [name.split("/")[0] for name in names]
    assert (folders.count("training"), folders.count("test"), len(names)) == (3462, 2308, 5772)
    assert {name for name in names if "/" not in name} == {
        "training_frames_keypoints.csv",
        "test_frames_keypoints.csv",
    }
    assert all(size > 1000 and len(digest) == 16 and int(digest, 16) >= 0 for size, digest in names.values())
    assert archive.MANIFEST.stat().st_size < 120_000


def test_a_list_is_read_as_it_is_written(tmp_path):
    with gzip.open(tmp_path / "list.csv.gz", "wt") as file:
        file.write("file,bytes,sha256\ntest/Chloé_00.jpg,12,00ff\n")
    assert load_manifest(tmp_path / "list.csv.gz") == {"test/Chloé_00.jpg": (12, "00ff")}


def test_the_shipped_list_is_the_published_one(real_data):
    path = real_data / "full_manifest.csv"
    if not path.is_file():
        pytest.skip(f"{real_data} has no full_manifest.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert load_manifest() == {row["file"]: (int(row["bytes"]), row["sha256"][:16]) for row in rows}


def test_published_frames_are_intact(real_data):
    raw = real_data / "raw"
    if not raw.is_dir():
        pytest.skip(f"{real_data} has no raw/")
    report = verify(raw, load_manifest())
    frames = [name for name in files(raw) if name.endswith(".jpg")]
    assert report.intact == len(frames) > 20
    assert not [name for name in report.changed if name.endswith(".jpg")]
