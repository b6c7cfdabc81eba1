"""The gate in front of the page: it passes on the requests that the page itself sends, and refuses all others.

A refusal is a 4xx status and one line.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fkp_app.web.addresses import visitor_of
from fkp_app.web.allowance import Allowance
from fkp_app.web.bodies import Bodies
from fkp_app.web.limits import (
    JOIN,
    Message,
    Receive,
    RefusedError,
    Scope,
    ValueKind,
    body_size,
    check_address,
    check_event,
    read_body,
)
from fkp_app.web.visits import Visits

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEARTBEAT = "/gradio_api/heartbeat/"
"""Start of the path of a request that each open page holds; the path ends in the visitor's name."""
HEADERS = {
    # The browser fetches nothing from elsewhere, whatever Gradio asks for; no other site can show the page in a frame.
    b"content-security-policy": b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


@dataclass(frozen=True)
class Gate:
    """An ASGI application in front of another, `app`.

    hosts: host names under which the page answers; None for any. events: as in `check_event`. proxy: as in
    `visitor_of`.
    """

    app: App
    hosts: frozenset[str] | None
    events: Mapping[int, Sequence[ValueKind]]
    visits: Visits
    proxy: str | None = None
    bodies: Bodies = field(default_factory=Bodies)
    allowance: Allowance = field(default_factory=Allowance)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on to `app`."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            # Whatever looks at the address from here on sees the visitor's.
            await self._http({**scope, "client": (visitor_of(scope, self.proxy), 0)}, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                added = dict(HEADERS)
                if scope["path"].startswith("/gradio_api/file="):
                    added[b"cache-control"] = b"no-store"  # the browser must keep no photo either
                message["headers"] = [*(pair for pair in message["headers"] if pair[0] not in added), *added.items()]
            await send(message)

        try:
            check_address(scope, self.hosts)
            if scope["method"] == "POST":
                size = body_size(scope)
                await self._count(scope, receive)
                async with self.bodies.room(address_of(scope), size):
                    body = self._checked(scope["path"], await read_body(scope, receive))
                    await self.app(scope, replay(body, receive), send_with_headers)
            elif scope["path"].startswith(HEARTBEAT):
                visitor = scope["path"].removeprefix(HEARTBEAT)
                self.visits.arrive(visitor)
                try:
                    await self.app(scope, receive, send_with_headers)
                finally:
                    self.visits.leave(visitor)
            else:
                await self.app(scope, receive, send_with_headers)
        except RefusedError as refused:
            await send_refusal(send_with_headers, scope["path"], refused)
        except ConnectionError:
            return  # the visitor has gone
        except Exception as error:
            if not begun:
                print(f"fkp: {scope['path']}: {type(error).__name__}: {one_line(error)}", file=sys.stderr)
                await send_line(send_with_headers, 500, "something went wrong; see the console of fkp web")

    async def _count(self, scope: Scope, receive: Receive) -> None:
        try:
            self.allowance.take(address_of(scope))
        except RefusedError:
            await read_body(scope, receive, kept=False)  # a browser reads no answer before it has sent everything
            raise

    def _checked(self, path: str, body: bytes) -> bytes:
        if path != JOIN:
            return body
        try:
            event = json.loads(body)
        except (ValueError, RecursionError):
            raise RefusedError(400, "the body is no valid JSON") from None
        clean = check_event(event, self.events, self.visits.folder)
        for value in clean["data"]:
            if isinstance(value, dict):
                # Claim the photo before its turn comes: an unclaimed photo is soon deleted.
                self.visits.claim(Path(value["path"]).parent, clean["session_hash"])
        return json.dumps(clean).encode()


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that first gives this body, which was read already."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def address_of(scope: Scope) -> str:
    """The address of a request's visitor, as the gate has found it."""
    return str(scope["client"][0])


def one_line(error: BaseException) -> str:
    """The first 300 characters of an error's message, without line breaks."""
    return " ".join(str(error).split())[:300]


async def send_refusal(send: Send, path: str, refused: RefusedError) -> None:
    """Send the reason of a refusal in one line. For an event it is the JSON that the page shows to its visitor."""
    headers = [] if refused.wait is None else [(b"retry-after", str(refused.wait).encode())]
    if path == JOIN:
        await send_line(send, refused.status, json.dumps({"detail": str(refused)}), b"application/json", headers)
    else:
        await send_line(send, refused.status, str(refused), more=headers)


async def send_line(
    send: Send,
    status: int,
    text: str,
    kind: bytes = b"text/plain; charset=utf-8",
    more: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    """Send one line of text and close the connection: the rest of a body may still be arriving on it."""
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
