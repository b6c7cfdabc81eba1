"""Requests to the page: HTTP as it arrives, for events and for uploads."""

import asyncio
import json
import tempfile
from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzz.changes import ODD, rebuilt
from tests.fuzz.reader import Case, Reader
from tests.hostile import spoiled

FILE = "request"
FOLDER = Path("/visitors")
"""The folder that events name; they are checked, but no file in it is opened."""
EVENT = 3
"""The number of the event that the page sends when a visitor has chosen."""
JOIN, UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"
HEADERS = [
    "Host: localhost",
    "Host: evil.example",
    "Origin: http://evil.example",
    "Origin: null",
    "Content-Type: application/json",
    "Content-Type: multipart/form-data; boundary=",
    "Content-Type: multipart/form-data; boundary=XX; charset=utf-7",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Content-Encoding: gzip",
    "Expect: 100-continue",
    "Cookie: " + "a" * 5000,
]
PARTS = [
    "; filename*=utf-8''%00",
    '; filename="../../x"',
    '; name="other"',
    "\r\nContent-Transfer-Encoding: base64",
    "\r\nX: " + "y" * 9000,
]
"""What a part of a form may have further."""


def _request(path: str, kind: str, body: bytes, more: list[str] | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *(more or []), "", ""]).encode("latin-1", "replace") + body


def _tree() -> dict[str, Any]:
    photo = {"path": str(FOLDER / "abc" / "photo.png"), "orig_name": "photo.png", "meta": {"_type": "gradio.FileData"}}
    data = [photo, "numpy", "sunglasses", ["boxes"], "fast"]
    return {"fn_index": EVENT, "session_hash": "abcdefghij", "data": data, "trigger_id": None}


def _event(text: str, more: list[str] | None = None) -> bytes:
    return _request(JOIN, "application/json", text.encode("utf-8", "surrogatepass"), more)


def _form(content: bytes, part: str = "", more: list[str] | None = None) -> bytes:
    head = f'--XX\r\nContent-Disposition: form-data; name="files"; filename="photo.png"{part}\r\n\r\n'
    return _request(UPLOAD, "multipart/form-data; boundary=XX", head.encode() + content + b"\r\n--XX--\r\n", more)


def _photo() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.arange(24 * 32 * 3, dtype=np.uint8).reshape(24, 32, 3)).save(file, "PNG")
    return file.getvalue()


def _seeds() -> list[Case]:
    return [{FILE: _event(json.dumps(_tree()))}, {FILE: _form(_photo())}]


def _structure(case: Case) -> st.SearchStrategy[Case]:
    photo = _photo()

    def build(rng: np.random.Generator) -> bytes:
        more = [str(line) for line in rng.choice(HEADERS, int(rng.integers(0, 3)))]
        if b"application/json" in case[FILE][:200]:
            return _event(spoiled(_tree(), rng), more)
        content = photo * int(rng.choice([0, 1, 1, 50, 20_000]))
        request = _form(content, str(rng.choice(["", *PARTS])), more)
        if rng.random() < 0.3:
            number = str(int(rng.choice(ODD)) % (1 << 63))
            request = request.replace(b"Content-Length: ", f"Content-Length: {number}".encode(), 1)
        return request

    return rebuilt(case, FILE, build)


class _AnsweredError(Exception):
    """A refusal of the page: a 4xx status and its one line."""


def _read(path: Path) -> None:
    """Give the request to the gate as the server would, and read the photo that an upload brings."""
    data = path.read_bytes()
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(_answered(data, FOLDER if JOIN.encode() in data[:100] else Path(place)))


async def _answered(data: bytes, folder: Path) -> None:
    import h11
    from fastapi import FastAPI

    from fkp_app.web.gate import Gate
    from fkp_app.web.page import VALUES
    from fkp_app.web.reader import _read as read_photo
    from fkp_app.web.reader import _work as work_of
    from fkp_app.web.uploads import add_uploads
    from fkp_app.web.visits import Visits

    scope, parts = _scope(h11.Connection(h11.SERVER), data)
    visits, server = Visits(folder), FastAPI()
    add_uploads(server, visits)

    @server.post(JOIN)
    async def join(event: dict[str, Any]) -> dict[str, Any]:
        assert event.keys() == {"fn_index", "session_hash", "data", "trigger_id"}
        return event

    async def receive() -> MutableMapping[str, Any]:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    status, answer = 0, b""

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await Gate(server, frozenset({"localhost"}), {EVENT: VALUES}, visits)(scope, receive, send)
    assert status < 500 or status == 507, f"{status}: {answer[:300]!r}"
    if status >= 400:
        raise _AnsweredError(answer.decode().rstrip("\n"))
    if status == 200 and scope["path"] == UPLOAD:
        (photo,) = map(Path, json.loads(answer))
        assert photo.parent.parent == folder
        work_of(photo)
        read_photo(photo, 1_000_000)


def _scope(connection: Any, data: bytes) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The request as the server parses it, and the messages of its body; _AnsweredError if the server refuses it."""
    import urllib.parse

    import h11

    try:
        connection.receive_data(data)
        connection.receive_data(b"")  # the visitor sends no more
        request, parts = connection.next_event(), []
        while isinstance(event := connection.next_event(), h11.Data):
            parts.append({"type": "http.request", "body": bytes(event.data), "more_body": True})
    except h11.RemoteProtocolError as error:
        raise _AnsweredError(str(error)) from None
    if not isinstance(request, h11.Request):
        raise _AnsweredError("no request")
    parts.append({"type": "http.request", "body": b"", "more_body": False})
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method.decode(),
        "scheme": "http",
        "path": urllib.parse.unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": ("127.0.0.1", 5),
        "server": ("localhost", 80),
    }, parts


def _errors() -> tuple[type[Exception], ...]:
    from fkp_app.media.images.contents import ImageError

    return _AnsweredError, ImageError


READERS = (
    [Reader("page, request", _seeds, FILE, _read, _errors(), structure=_structure, memory=300, few=40)]
    if find_spec("gradio")
    else []
)
