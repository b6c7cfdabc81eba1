"""The page without a browser: what it accepts and refuses, and that it keeps running."""

import contextlib
import http.client
import io
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fkp_app import detect
from fkp_app.media.images import read_image, write_image
from tests.app.web.conftest import start
from tests.free_pictures import hopper

PNG_TYPE = "multipart/form-data; boundary=XX"
JSON = {"Content-Type": "application/json"}
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"


def form(content, name="photo.png", field="files"):
    """A form with one file."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--XX--\r\n"


def ask(page, method, path, body=None, headers=None):
    """A response's status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def send(page, content, name="photo.png"):
    """Upload a photo; return its place."""
    status, _, body = ask(page, "POST", UPLOAD, form(content, name), {"Content-Type": PNG_TYPE})
    assert status == 200, body
    (path,) = json.loads(body)
    return path


@pytest.fixture(autouse=True)
def quiet(page):
    """Checks that a test causes no console output and that the page keeps running."""
    before = page.log.read_text()
    yield
    assert page.log.read_text() == before
    assert ask(page, "GET", "/")[0] == 200


@pytest.fixture(scope="module")
def number(page):
    """The number of the page's event that takes five values."""
    config = json.loads(ask(page, "GET", "/config")[2])
    (number,) = [event["id"] for event in config["dependencies"] if len(event["inputs"]) == 5]
    return number


def event(number, data, **more):
    return json.dumps(
        {"fn_index": number, "session_hash": "abcdefghij", "data": data, "trigger_id": None} | more
    ).encode()


def run(page, number, data, session="abcdefghij"):
    """The five outputs that the page receives after a choice, or None if the server reports a failure."""
    status, _, body = ask(page, "POST", JOIN, event(number, data, session_hash=session), JSON)
    assert status == 200, body
    with urllib.request.urlopen(f"{page.url}gradio_api/queue/data?session_hash={session}", timeout=120) as stream:
        for line in stream:
            message = json.loads(line[6:]) if line.startswith(b"data: ") else {}
            if message.get("msg") == "process_completed":
                return message["output"]["data"] if message["success"] else None
    pytest.fail("the stream ended early")


def look(page, number, content, name, backend="numpy", style="none", overlays=(), quality="fast", session="abcdefghij"):
    """The outputs for a photo: picture, line, PNG, JSON, table."""
    file = {"path": send(page, content, name), "orig_name": name, "meta": {"_type": "gradio.FileData"}}
    outputs = run(page, number, [file, backend, style, list(overlays), quality], session)
    assert outputs is not None
    return outputs


def fetched(page, output):
    """A file that an output names."""
    file = output.get("value", output)
    status, headers, body = ask(page, "GET", "/gradio_api/file=" + urllib.parse.quote(file["path"]))
    assert status == 200
    assert headers["cache-control"] == "no-store"
    return body


def test_a_photo_goes_in_and_its_keypoints_come_out(page, number, photo):
    picture, line, png, numbers, table = look(page, number, photo.read_bytes(), "my photo.png")
    assert "1 face found." in line
    (result,) = json.loads(fetched(page, numbers))
    (face,) = detect(photo)
    assert (result["image"], result["width"], result["height"]) == ("my photo.png", 512, 600)
    assert result["faces"][0]["box"] == list(face.box)
    np.testing.assert_allclose(result["faces"][0]["keypoints"], face.keypoints, atol=0.001)
    assert table.count("<tr>") == 69
    assert png["value"]["path"] == picture["path"]
    assert png["value"]["orig_name"] == "my photo-keypoints.png"
    (page.temporary / "got.png").write_bytes(fetched(page, png))
    np.testing.assert_array_equal(read_image(page.temporary / "got.png"), hopper())  # with nothing drawn on it
    (page.temporary / "got.png").unlink()


def png_of(array):
    data = io.BytesIO()
    Image.fromarray(array).save(data, "PNG")
    return data.getvalue()


def bomb(width, height):
    """A small PNG that claims many pixels."""

    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)) + chunk(b"IEND", b"")
    )


WHOLE = png_of(np.zeros((40, 40, 3), np.uint8))
BAD_PHOTOS = {
    "words.png": (b"these are words\n" * 50, "words.png: is not an image that can be read"),
    "empty.png": (b"", "empty.png: is empty"),
    "cut.png": (WHOLE[: len(WHOLE) // 2], "cut.png: is truncated or damaged"),
    "bomb.png": (bomb(9000, 9000), "bomb.png: has 9000 x 9000 pixels, more than 50 million; make it smaller"),
    "bigger.png": (bomb(30000, 30000), "bigger.png: has far more than 50 million pixels; make it smaller"),
    "<b>&.png": (b"words", "b&amp;.png: is not an image"),
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_a_bad_file_is_one_line(page, number, name):
    content, words = BAD_PHOTOS[name]
    picture, line, png, numbers, _ = look(page, number, content, name)
    assert picture is None
    assert f'class="bad">{words}' in line
    assert str(page.temporary) not in line
    assert png["value"] is None is numbers["value"]


def test_unusual_photos_are_read_by_our_own_reader(page, number, tmp_path):
    gray = np.asarray(Image.fromarray(hopper()).convert("L")).astype(np.uint16) * 257
    Image.fromarray(gray).save(tmp_path / "16bit.png")
    turned = Image.fromarray(np.rot90(hopper(), -1).copy())
    exif = Image.Exif()
    exif[0x0112] = 8  # viewers turn it by 90 degrees
    turned.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    first = Image.fromarray(hopper())
    first.save(tmp_path / "moving.gif", save_all=True, append_images=[first.rotate(90)], duration=100)
    for path in sorted(tmp_path.iterdir()):
        _, line, _, numbers, _ = look(page, number, path.read_bytes(), path.name)
        assert "1 face found." in line, path.name
        assert ("is an animation of 2 frames" in line) == (path.suffix == ".gif")
        (result,) = json.loads(fetched(page, numbers))
        assert (result["width"], result["height"]) == (512, 600)


def test_large_photos_are_shown_smaller_and_downloaded_whole(page, number, tmp_path):
    large = np.asarray(Image.fromarray(hopper()).resize((1536, 1800)))
    write_image(tmp_path / "a.jpg", large)
    picture, _, png, _, _ = look(page, number, (tmp_path / "a.jpg").read_bytes(), "a.jpg", overlays=["points"])
    (tmp_path / "shown.png").write_bytes(fetched(page, picture))
    (tmp_path / "whole.png").write_bytes(fetched(page, png))
    assert read_image(tmp_path / "shown.png").shape == (1600, 1365, 3)
    assert read_image(tmp_path / "whole.png").shape == (1800, 1536, 3)


def test_bodies_that_are_too_large_are_refused(page, number, photo):
    over = b"x" * (20 * 1024 * 1024 + 20_000)
    assert ask(page, "POST", UPLOAD, form(over), {"Content-Type": PNG_TYPE})[0] == 413
    assert ask(page, "POST", UPLOAD, iter([over]), {"Content-Type": PNG_TYPE})[0] == 413  # chunked, without a length
    assert ask(page, "POST", JOIN, event(number, [None, "x" * 70_000, "none", [], "fast"]), JSON)[0] == 413
    claims = {"Content-Type": PNG_TYPE, "Content-Length": str(10**15)}
    assert ask(page, "POST", UPLOAD, b"", claims)[0] == 413  # refused at once, before any byte of the body
    with contextlib.suppress(ConnectionError):  # the server may close the connection to a far too large body
        assert ask(page, "POST", UPLOAD, iter([over] * 5), {"Content-Type": PNG_TYPE})[0] == 413
    send(page, over[: 20 * 1024 * 1024])
    assert "1 face found." in look(page, number, photo.read_bytes(), "a.png")[1]


BAD_REQUESTS = {
    "no JSON": (JOIN, b"{", JSON, 400),
    "deep JSON": (JOIN, b"[" * 60_000, JSON, 400),
    "not UTF-8": (JOIN, b"\xff\xfe\xff", JSON, 400),
    "a list": (JOIN, b"[]", JSON, 400),
    "an empty object": (JOIN, b"{}", JSON, 404),
    "nothing": (JOIN, b"", JSON, 400),
    "another type": (JOIN, b"{}", {"Content-Type": "text/plain"}, 415),
    "no type": (JOIN, b"{}", {}, 415),
    "a form that is none": (UPLOAD, b"words", {"Content-Type": PNG_TYPE}, 400),
    "a form without a boundary": (UPLOAD, form(b"a"), {"Content-Type": "multipart/form-data"}, 400),
    "a form cut short": (UPLOAD, form(b"a" * 99)[:60], {"Content-Type": PNG_TYPE}, 400),
    "another field": (UPLOAD, form(b"a", field="other"), {"Content-Type": PNG_TYPE}, 400),
    "two files": (UPLOAD, form(b"a")[:-6] + b"\r\n" + form(b"b"), {"Content-Type": PNG_TYPE}, 400),
    "JSON for a form": (UPLOAD, b"{}", JSON, 415),
    "another site": (UPLOAD, form(b"a"), {"Content-Type": PNG_TYPE, "Origin": "http://elsewhere.example"}, 403),
    "another name": (UPLOAD, form(b"a"), {"Content-Type": PNG_TYPE, "Host": "elsewhere.example"}, 421),
    "the predict route": ("/gradio_api/run/look", b"{}", JSON, 404),
    "the call route": ("/gradio_api/call/look", b"{}", JSON, 404),
    "server functions": ("/gradio_api/component_server", b"{}", JSON, 404),
    "no such route": ("/gradio_api/vibe-edit", b"{}", JSON, 404),
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_a_malformed_request_is_a_4xx(page, kind):
    path, body, headers, wanted = BAD_REQUESTS[kind]
    before = page.files()
    status, _, text = ask(page, "POST", path, body, headers)
    assert status == wanted
    assert text.count(b"\n") == 1
    assert page.files() == before


@pytest.mark.parametrize(
    ("data", "more", "wanted"),
    [
        ([None, "numpy", "none"], {}, 400),
        ("words", {}, 400),
        ([None, "numpy", "none", "points", "fast"], {}, 400),
        ([None, "numpy", "none", [1], "fast"], {}, 400),
        ([None, {}, "none", [], "fast"], {}, 400),
        ([None, "numpy", "none", [], ["fast"]], {}, 400),
        ([None, "numpy", "none", []], {}, 400),
        (["/etc/passwd", "numpy", "none", [], "fast"], {}, 400),
        ([{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "numpy", "none", [], "fast"], {}, 403),
        (
            [{"path": "http://127.0.0.1:9/a.png", "meta": {"_type": "gradio.FileData"}}, "numpy", "none", [], "fast"],
            {},
            403,
        ),
        ([{"path": "FOLDER/../../etc/passwd"}, "numpy", "none", [], "fast"], {}, 403),
        ([{"path": "FOLDER/a/\0"}, "numpy", "none", [], "fast"], {}, 403),
        ([None, "numpy", "none", [], "fast"], {"fn_index": 999}, 404),
        ([None, "numpy", "none", [], "fast"], {"fn_index": -1}, 404),
        ([None, "numpy", "none", [], "fast"], {"fn_index": True}, 404),
        ([None, "numpy", "none", [], "fast"], {"session_hash": None}, 400),
        ([None, "numpy", "none", [], "fast"], {"session_hash": "../../etc"}, 400),
        ([None, "numpy", "none", [], "fast"], {"trigger_id": "x"}, 400),
    ],
)
def test_an_event_that_the_page_would_not_send_is_a_4xx(page, number, data, more, wanted):
    (folder,) = page.temporary.glob("fkp-web-*")
    body = event(number, data, **more).replace(b"FOLDER", str(folder).encode())
    assert ask(page, "POST", JOIN, body, JSON)[0] == wanted


@pytest.mark.parametrize(
    "choice",
    [{"backend": "jax"}, {"style": "../x"}, {"overlays": ["hats"]}, {"quality": "better"}],
    ids=lambda choice: next(iter(choice)),
)
def test_a_choice_that_the_page_does_not_offer_is_one_line(page, number, photo, choice):
    outputs = look(page, number, photo.read_bytes(), "a.png", **choice)
    assert 'class="bad">this page has no such' in outputs[1]


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=FOLDER/../../../../../../etc/passwd",
        "/gradio_api/file=FOLDER/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/gradio_api/file=README.md",
        "/gradio_api/file=http://127.0.0.1:9/",
        "/gradio_api/file=FOLDER",
        "/static/../../../../../../etc/passwd",
        "/assets/..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:9/",
        "/gradio_api/monitoring",
        "/gradio_api/runs",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_file_but_the_pages_own_can_be_fetched(page, path):
    (folder,) = page.temporary.glob("fkp-web-*")
    status, _, body = ask(page, "GET", path.replace("FOLDER", str(folder)))
    assert status in (400, 403, 404)
    assert b"root:" not in body


def raw(page, *words):
    """Send these bytes and nothing more; return the answer."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
        for part in words:
            connection.sendall(part)
        return connection.recv(1000)


def test_requests_that_are_no_http_or_break_off(page):
    head = f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {PNG_TYPE}\r\n".encode()
    assert raw(page, b"\0\1\2\3\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(page, head + b"Content-Length: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(page, head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(page, head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n").startswith(b"HTTP/1.1 400 ")
    before = page.files()
    with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
        connection.sendall(head + b"Content-Length: 5000\r\n\r\n" + form(b"a")[:30])
    assert ask(page, "DELETE", "/")[0] == 405
    assert page.files() == before


def test_the_browser_is_told_to_fetch_nothing_from_elsewhere(page):
    _, headers, body = ask(page, "GET", "/")
    rule = headers["content-security-policy"]
    assert rule.startswith("default-src 'self' ")
    assert "http" not in rule
    assert "*" not in rule
    assert json.loads(ask(page, "GET", "/config")[2])["analytics_enabled"] is False
    assert b"fonts.googleapis.com" not in body + ask(page, "GET", "/theme.css")[2]


def test_the_command_loads_gradio_only_when_it_serves():
    program = "import sys, fkp_app.commands.web, fkp_app.web.server; print({'gradio', 'torch', 'cv2'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


def test_all_files_of_a_visitor_who_leaves_are_removed(page, number, photo):
    """A visitor's last photo and results are kept until the visitor leaves; earlier ones are removed at once."""
    before = set(page.files())
    stream = urllib.request.urlopen(f"{page.url}gradio_api/heartbeat/somebody1", timeout=20)
    stream.readline()
    for name in ("one.png", "two.png"):
        look(page, number, photo.read_bytes(), name, session="somebody1")
        names = {path.name for path in set(page.files()) - before}
        assert names == {name, f"{name[:3]}-keypoints.png", f"{name[:3]}-keypoints.json"}
    stream.close()
    end = time.monotonic() + 30
    while set(page.files()) - before and time.monotonic() < end:
        time.sleep(0.1)
    assert set(page.files()) == before


def test_a_photo_that_was_removed_is_one_line(page, number, photo):
    path = send(page, photo.read_bytes())
    Path(path).unlink()
    file = {"path": path, "orig_name": "photo.png", "meta": {"_type": "gradio.FileData"}}
    assert "photo.png: is no longer here; choose it again" in run(page, number, [file, "numpy", "none", [], "fast"])[1]


def test_a_busy_port_a_strange_host_and_gradio_that_is_missing_are_one_line(page, monkeypatch, capfd, tmp_path):
    from fkp_app.cli import main

    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def said(*options):
        code = main(["web", *options])
        return code, capfd.readouterr().err

    assert said("--port", str(page.port)) == (
        2,
        f"fkp: --port {page.port}: is in use; choose another, or 0 for any free one\n",
    )
    assert said("--host", "no.such.host.invalid")[0] == 2
    assert said("--host", "192.0.2.1", "--port", "0") == (
        2,
        "fkp: --host 192.0.2.1: is not an address of this machine; choose 127.0.0.1\n",
    )
    assert said("--port", "70000")[0] == 2
    program = (
        "import sys; sys.modules['gradio'] = None; from fkp_app.cli import main; sys.exit(main(['web', '--port', '0']))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "fkp: `fkp web` needs Gradio: pip install 'numpynet-fkp[web]'\n"
    assert list(tmp_path.iterdir()) == []


def test_only_this_machine_is_answered_unless_asked_for(page):
    from fkp_app.web.server import is_local

    assert [is_local(host) for host in ("127.0.0.1", "localhost", "::1", "127.9.9.9")] == [True] * 4
    assert [is_local(host) for host in ("0.0.0.0", "::", "192.168.1.2", "example.org")] == [False] * 4
    listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True).stdout
    addresses = [line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"]
    assert f"0100007F:{page.port:04X}" in addresses
    assert f"00000000:{page.port:04X}" not in addresses


def test_another_host_comes_with_a_warning_and_sigterm_in_the_middle_of_work_leaves_nothing(tmp_path, photo):
    running = start(tmp_path, "--host", "0.0.0.0")
    assert running.url.startswith("http://127.0.0.1:")
    config = json.loads(ask(running, "GET", "/config", headers={"Host": "any.example"})[2])
    number = next(event["id"] for event in config["dependencies"] if len(event["inputs"]) == 5)
    file = {"path": send(running, photo.read_bytes()), "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}
    assert ask(running, "POST", JOIN, event(number, [file, "numpy", "none", [], "fast"]), JSON)[0] == 200
    assert running.end(signal.SIGTERM) == 143
    warning = "fkp: everybody who can reach this machine can use the page; it asks for no password\n"
    assert running.log.read_text() == warning
    assert list(running.temporary.iterdir()) == []
