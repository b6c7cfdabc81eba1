"""Downloads from harmful or broken servers end, and read no more bytes than the archive has."""

import socket
import threading

import pytest

from fkp_app.data import fetching
from fkp_app.data.fetching import fetch
from fkp_app.errors import FkpError
from fkp_app.locks import locked
from tests.app.data.test_archive import bad_archive, files, holds, manifest, packed, published, serve  # noqa: F401


class RawServer:
    """A server that sends the pieces that `answer` yields to each request, and counts the bytes."""

    def __init__(self, answer):
        self.sent, self.answer = 0, answer
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/a.zip"
        self.over = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                try:
                    for piece in self.answer(self.over):
                        client.sendall(piece)
                        self.sent += len(piece)
                except OSError:
                    pass  # the client has closed the connection


@pytest.fixture
def raw(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(answer):
        servers.append(RawServer(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.over.set()
        server.socket.close()


def endless(over):
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\n\r\n"
    while not over.is_set():
        yield bytes(65536)


def endless_in_chunks(over):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    while not over.is_set():
        yield b"10000\r\n" + bytes(65536) + b"\r\n"


def a_terabyte(over):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    while not over.is_set():
        yield bytes(65536)


def gzipped(over):
    import gzip

    body = gzip.compress(bytes(50_000_000))
    yield b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize("answer", [endless, endless_in_chunks, a_terabyte, gzipped])
def test_no_more_than_the_published_bytes_are_read(answer, raw, tmp_path):
    server = raw(answer)
    with pytest.raises(FkpError, match=r"gave (more than )?\d+ bytes") as error:
        fetch(server.url, 1_000_000, tmp_path / "archive.zip")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
    server.over.set()
    assert server.sent < 20_000_000  # no more than the sockets' buffers hold


def silent(over):
    over.wait(60)
    yield b""


def stalled(over):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(10)
    over.wait(60)


def dripping(over):
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    while not over.wait(0.02):
        yield b"x"


@pytest.mark.parametrize("answer", [silent, stalled, dripping])
def test_a_server_that_stalls_is_left(answer, raw, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "PATIENCE", 0.3)
    with pytest.raises(FkpError, match="cannot be fetched") as error:
        fetch(raw(answer).url, 1_000_000, tmp_path / "archive.zip")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def again_and_again(over):
    yield b"HTTP/1.1 302 Found\r\nLocation: /a.zip\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def nonsense(over):
    yield b"SSH-2.0-OpenSSH_9.6\r\n"


def nonsense_in_chunks(over):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"


@pytest.mark.parametrize("answer", [again_and_again, nonsense, nonsense_in_chunks])
def test_an_invalid_answer_is_one_line(answer, raw, tmp_path):
    server = raw(answer)
    with pytest.raises(FkpError, match=f"{server.url}: cannot be fetched") as error:
        fetch(server.url, 1000, tmp_path / "archive.zip")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/a.zip", "http://[::1/", "http://.a/", "http://" + "a" * 300]
)
def test_an_address_of_another_kind_is_one_line(url, tmp_path):
    with pytest.raises(FkpError, match="cannot be fetched") as error:
        fetch(url, 1000, tmp_path / "archive.zip")
    assert "\n" not in str(error.value)


def test_missing_certificates_are_not_blamed_on_the_directory(tmp_path, monkeypatch, fkp):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent/bundle.pem")
    ended = fkp("data", "download", tmp_path / "data", "--url", "https://127.0.0.1:9/a.zip")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "fkp: https://127.0.0.1:9/a.zip: cannot be fetched (" in ended.err
    assert "/nonexistent/bundle.pem" in ended.err


def test_a_download_that_fails_leaves_no_directory(tmp_path, fkp):
    ended = fkp("data", "download", tmp_path / "a" / "b", "--url", "http://127.0.0.1:9/a.zip")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    fkp("data", "download", tmp_path / "mine", "--url", "http://127.0.0.1:9/a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert not list((tmp_path / "mine").iterdir())


def test_two_downloads_into_one_directory(published, manifest, serve, tmp_path, fkp):  # noqa: F811
    server = serve(packed(tmp_path / "a.zip", published.items()))
    with locked(tmp_path / "data" / ".download", "fkp data download"):
        ended = fkp("data", "download", tmp_path / "data", "--url", server.url)
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        assert "another fkp data download is at work there" in ended.err
    assert server.requests == 0
