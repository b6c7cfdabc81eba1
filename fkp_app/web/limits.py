"""What may come in from the network: addresses, origins, bodies. RefusedError where the page would not send such."""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

Kind = Literal["file", "word", "words"]

MAX_UPLOAD = 20 * 1024 * 1024
"""Bytes of a photo."""
MAX_JSON = 64 * 1024
LISTENED = 4
"""A body up to so many times too large is heard out, since many senders read no answer before they have ended."""
SECONDS = 60.0
"""A body must have arrived within these."""
SHARES = 4
"""An address gets one part in so many of what there is for all; this machine itself gets all."""
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
BODIES = {UPLOAD: (MAX_UPLOAD + 16 * 1024, "multipart/form-data"), JOIN: (MAX_JSON, "application/json")}
"""Where a body may be sent: how many bytes (an upload has some around the photo), and of what type."""
READABLE = re.compile(
    r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)?|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|startup-events|upload_progress|queue/data|heartbeat/\w+|file=.+)"
)
SESSION = re.compile(r"[A-Za-z0-9_]{4,64}")


class RefusedError(Exception):
    """A request that is not let pass: an HTTP status, and why in one line."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def check_address(scope: Scope, hosts: frozenset[str] | None) -> None:
    """Whether the page would send such a request, and from itself."""
    host = header(scope, b"host")
    # A site can give its own name this machine's address, and read what its visitors' own pages say.
    if hosts is not None and _name(f"//{host}") not in hosts:
        raise RefusedError(421, "this page is here for the machine it runs on alone")
    path, method = scope["path"], scope["method"]
    if method in ("GET", "HEAD"):
        if not READABLE.fullmatch(path):
            raise RefusedError(404, "there is no such page")
    elif method != "POST":
        raise RefusedError(405, f"{method} is not for this page")
    elif path not in BODIES:
        raise RefusedError(404, "there is no such page")
    else:
        origin = header(scope, b"origin")
        if origin and origin.partition("://")[2] != host:
            raise RefusedError(403, "another site's page must not send anything here")


def body_size(scope: Scope) -> int:
    """How many bytes a request's body may take. RefusedError where it is of another type, or says that it is much too
    large."""
    most, kind = BODIES[scope["path"]]
    if header(scope, b"content-type").partition(";")[0].strip().lower() != kind:
        raise RefusedError(415, f"the body must be {kind}")
    length = header(scope, b"content-length")
    claimed = int(length[:20]) if length.isdecimal() else most
    if claimed > LISTENED * most:
        raise RefusedError(413, f"the body is larger than {most} bytes")
    return min(claimed, most)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """A request's body, whole. RefusedError where it is too slow, or too large."""
    most, _ = BODIES[scope["path"]]
    body, arrived, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(SECONDS):
            while more and arrived <= LISTENED * most:
                message = await receive()
                if message["type"] != "http.request":
                    raise ConnectionResetError
                arrived += len(message.get("body", b""))
                if arrived <= most:
                    body += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError:
        raise RefusedError(408, f"the body took more than {SECONDS:.0f} seconds") from None
    if arrived > most:
        raise RefusedError(413, f"the body is larger than {most} bytes")
    return bytes(body)


def check_event(event: object, events: Mapping[int, Sequence[Kind]], folder: Path) -> dict[str, Any]:
    """What the page sends when somebody chose something, cleaned: only what is needed, and no file but in `folder`.

    events: the kinds of the values that go with each event's number. RefusedError where it is anything else.
    """
    if not isinstance(event, dict):
        raise RefusedError(400, "the body must be an object")
    number, session, values, trigger = (event.get(key) for key in ("fn_index", "session_hash", "data", "trigger_id"))
    if type(number) is not int or number not in events:
        raise RefusedError(404, "there is no such fn_index")
    if not isinstance(session, str) or not SESSION.fullmatch(session):
        raise RefusedError(400, "session_hash must be some letters and digits")
    if not isinstance(values, list) or len(values) != len(events[number]):
        raise RefusedError(400, f"data must be a list of {len(events[number])}")
    if trigger is not None and type(trigger) is not int:
        raise RefusedError(400, "trigger_id must be a whole number")
    data = [check_value(value, kind, folder) for value, kind in zip(values, events[number], strict=True)]
    return {"fn_index": number, "session_hash": session, "data": data, "trigger_id": trigger}


def check_value(value: object, kind: Kind, folder: Path) -> object:
    """A value of an event: a word, words, or an uploaded file, as {path, orig_name}, or none."""
    if kind == "file":
        return None if value is None else _check_file(value, folder)
    words = [value] if kind == "word" else value
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return value
    raise RefusedError(400, "data holds something that the page would not send")


def _check_file(value: object, folder: Path) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        raise RefusedError(400, "data holds something that the page would not send")
    path, name = Path(value["path"]), value.get("orig_name")
    # Uploads lie in a folder each; see fkp_app.web.uploads.
    if path.parent.parent != folder or {"..", "\0"} & {*path.parts, *value["path"]}:
        raise RefusedError(403, "the file was not uploaded here")
    name = name if isinstance(name, str) else path.name
    return {"path": str(path), "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def header(scope: Scope, name: bytes) -> str:
    """A header's value, the first of several; empty where there is none."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def is_this_machine(address: str) -> bool:
    """Whether a visitor's address is one of the machine that the page runs on."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(known, "ipv4_mapped", None) or known).is_loopback


def _name(address: str) -> str | None:
    """An address's host name; None where it has none, or is no address."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
