"""The gate before the page: lets pass what the page itself would send, and answers the rest with a 4xx and one line."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp_app.web.limits import JOIN, Kind, Message, Receive, RefusedError, Scope, check_address, check_event, read_body

Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADERS = {
    # Nothing is fetched from elsewhere, whatever the framework would like to; nobody shows the page in a frame.
    b"content-security-policy": b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


@dataclass(frozen=True)
class Gate:
    """An ASGI application before another. hosts: names under which the page may be asked for, any where None; events:
    see `check_event`; folder: where uploaded files lie."""

    app: App
    hosts: frozenset[str] | None
    events: Mapping[int, Sequence[Kind]]
    folder: Path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
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
                    added[b"cache-control"] = b"no-store"  # a browser shall keep no photo either
                message["headers"] = [*(pair for pair in message["headers"] if pair[0] not in added), *added.items()]
            await send(message)

        try:
            check_address(scope, self.hosts)
            passed_on = receive
            if scope["method"] == "POST":
                passed_on = replay(self._checked(scope["path"], await read_body(scope, receive)), receive)
            await self.app(scope, passed_on, send_with_headers)
        except RefusedError as refused:
            await answer(send_with_headers, refused.status, str(refused))
        except ConnectionError:
            return  # the visitor has gone
        except Exception as error:
            if not begun:
                print(f"fkp: {scope['path']}: {type(error).__name__}: {one_line(error)}", file=sys.stderr)
                await answer(send_with_headers, 500, "something went wrong; see the console of fkp web")

    def _checked(self, path: str, body: bytes) -> bytes:
        if path != JOIN:
            return body
        try:
            event = json.loads(body)
        except (ValueError, RecursionError):
            raise RefusedError(400, "the body is no valid JSON") from None
        return json.dumps(check_event(event, self.events, self.folder)).encode()


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives this body first."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def one_line(error: BaseException) -> str:
    """An error's message without line breaks, cut off where it is long."""
    return " ".join(str(error).split())[:300]


async def answer(send: Send, status: int, text: str) -> None:
    """Send one line of text, and close the connection, on which the rest of a body may still be under way."""
    body = f"{text}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
