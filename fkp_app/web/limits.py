"""Checks of requests: addresses, origins, bodies. RefusedError for any request that the page would not send."""

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

ValueKind = Literal["file", "word", "words"]

MAX_UPLOAD = 20 * 1024 * 1024
"""Bytes of one photo."""
MAX_JSON = 64 * 1024
"""Bytes of one event."""
READ_FACTOR = 4
"""A body up to this many times its limit is read and discarded: many clients read no answer before they have sent
everything."""
SECONDS = 60.0
"""Seconds within which a body must have arrived."""
SHARES = 4
"""One address gets at most 1 / SHARES of what there is for all; this machine itself may take all."""
UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
BODIES = {UPLOAD: (MAX_UPLOAD + 16 * 1024, "multipart/form-data"), JOIN: (MAX_JSON, "application/json")}
"""Paths that accept a body: its most bytes (an upload needs some around the photo) and its type."""
READABLE = re.compile(
    r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)?|/(assets|static|svelte)/.+"
    r"|/gradio_api/(info|startup-events|upload_progress|queue/data|heartbeat/\w+|file=.+)"
)
SESSION = re.compile(r"[A-Za-z0-9_]{4,64}")


class RefusedError(Exception):
    """A request is refused: an HTTP status, and the reason in one line.

    wait: seconds after which it may be sent again, if that is known.
    """

    def __init__(self, status: int, why: str, wait: int | None = None) -> None:
        super().__init__(why)
        self.status, self.wait = status, wait


def check_address(scope: Scope, hosts: frozenset[str] | None) -> None:
    """RefusedError if the page would not send such a request, or if another site sent it."""
    host = header(scope, b"host")
    # Another site can point its own name at this machine, and would then read the pages of its visitors.
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
    """The bytes to reserve for a request's body. RefusedError if its type is wrong or its stated size far too large."""
    most, kind = BODIES[scope["path"]]
    if header(scope, b"content-type").partition(";")[0].strip().lower() != kind:
        raise RefusedError(415, f"the body must be {kind}")
    length = header(scope, b"content-length")
    claimed = int(length[:20]) if length.isdecimal() else most
    if claimed > READ_FACTOR * most:
        raise RefusedError(413, f"the body is larger than {most} bytes")
    return min(claimed, most)


async def read_body(scope: Scope, receive: Receive, kept: bool = True) -> bytes:
    """The whole body of a request; empty if it is not to be kept. RefusedError if it is too slow or too large."""
    most, _ = BODIES[scope["path"]]
    body, arrived, more = bytearray(), 0, True
    try:
        async with asyncio.timeout(SECONDS):
            while more and arrived <= READ_FACTOR * most:
                message = await receive()
                if message["type"] != "http.request":
                    raise ConnectionResetError
                arrived += len(message.get("body", b""))
                if kept and arrived <= most:
                    body += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError:
        raise RefusedError(408, f"the body took more than {SECONDS:.0f} seconds") from None
    if arrived > most:
        raise RefusedError(413, f"the body is larger than {most} bytes")
    return bytes(body)


def check_event(event: object, events: Mapping[int, Sequence[ValueKind]], folder: Path) -> dict[str, Any]:
    """The event that the page sends when a visitor chooses something, reduced to the fields that are needed.

    events: for each event's number, the kinds of its values. A file must lie in `folder`. RefusedError for any other
    content.
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


def check_value(value: object, kind: ValueKind, folder: Path) -> object:
    """A value of an event, checked: a word, a list of words, an uploaded file as {path, orig_name}, or None."""
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
    # Each upload lies in a folder of its own; see fkp_app.web.uploads.
    if path.parent.parent != folder or {"..", "\0"} & {*path.parts, *value["path"]}:
        raise RefusedError(403, "the file was not uploaded here")
    name = name if isinstance(name, str) else path.name
    return {"path": str(path), "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def header(scope: Scope, name: bytes) -> str:
    """The first value of a header; empty if the header is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def is_this_machine(address: str) -> bool:
    """Whether an address is a loopback address of this machine."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(known, "ipv4_mapped", None) or known).is_loopback


def _name(address: str) -> str | None:
    """The host name of a URL; None if it has none, or if it is no URL."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
