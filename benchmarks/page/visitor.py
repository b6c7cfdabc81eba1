"""A visitor of the page, who sends what a browser sends: a photo, a choice, and then listens for the answer."""

import http.client
import json
import re
import secrets
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from benchmarks.page.server import HOST

UPLOAD, JOIN = "/gradio_api/upload", "/gradio_api/queue/join"
BOUNDARY = "the-next-photo"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON = {"Content-Type": "application/json"}
NONE: Mapping[str, str] = {}
PATIENCE = 120.0
"""Seconds that a visitor waits for the server's next sign of life."""
PLACE = re.compile(r"(\w+) photos? (?:is|are) before yours(?:: about (\w+) second)?")


class LimitedError(Exception):
    """The server refused a request because there were too many. wait: the seconds that it asks for."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"too many requests; wait {wait} seconds")
        self.wait = wait


class UnansweredError(Exception):
    """A request failed, or the page answered with an error."""


@dataclass
class Answer:
    """What the page shows for a photo.

    line: the words below the picture; numbers: the JSON that can be downloaded; seconds: from the choice to the answer;
    promises: (seconds since the choice, seconds that the page said it would still take), while the photo waited.
    """

    line: str
    numbers: list[dict[str, Any]]
    seconds: float
    promises: list[tuple[float, float]] = field(default_factory=list)


class Visitor:
    """Somebody with the page open, who closes it at the end of the `with` block.

    address: the one that the proxy in front of the page has seen.
    """

    def __init__(self, port: int, address: str) -> None:
        self._port, self._headers = port, {"X-Forwarded-For": address}
        self.session = secrets.token_hex(5)

    def __enter__(self) -> Self:
        config = json.loads(self.request("GET", "/config"))
        (self.number,) = (event["id"] for event in config["dependencies"] if len(event["inputs"]) == 5)
        self._open = self._connection()
        try:
            self._open.request("GET", f"/gradio_api/heartbeat/{self.session}", headers=self._headers)
            self._open.getresponse().readline()
        except (OSError, http.client.HTTPException) as error:
            self._open.close()
            raise UnansweredError(f"the page was not kept open: {type(error).__name__}: {error}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def look(self, photo: bytes, name: str, style: str = "none") -> Answer:
        """Send a photo and wait for its answer. LimitedError, UnansweredError."""
        return self.choose(self.upload(photo, name), name, style)

    def upload(self, photo: bytes, name: str) -> str:
        """Send a photo; its place at the server."""
        (path,) = json.loads(self.request("POST", UPLOAD, form(photo, name), FORM))
        return str(path)

    def choose(self, path: str, name: str, style: str = "none") -> Answer:
        """Ask for the points of a photo that was sent."""
        begin = time.perf_counter()
        self.join(path, name, style)
        promises = []
        for message in self.messages():
            if message.get("msg") == "progress":
                place = PLACE.search(str(message["progress_data"][-1]["desc"]))
                if place and place[2]:
                    promises.append((time.perf_counter() - begin, float(place[2])))
            elif message.get("msg") == "process_completed":
                if not message["success"]:
                    raise UnansweredError(f"{name}: {message['output']}")
                _, line, _, numbers, _ = message["output"]["data"]
                seconds = time.perf_counter() - begin
                if numbers["value"] is None:
                    raise UnansweredError(line)
                file = "/gradio_api/file=" + urllib.parse.quote(numbers["value"]["path"])
                return Answer(line, json.loads(self.request("GET", file)), seconds, promises)
        raise UnansweredError(f"{name}: the page ended its messages without an answer")

    def join(self, path: str, name: str, style: str = "none") -> None:
        """Send a choice, as the page does whenever its visitor changes something."""
        photo = {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        event = {
            "fn_index": self.number,
            "session_hash": self.session,
            "data": [photo, "numpy", style, ["points"], "fast"],
            "trigger_id": None,
        }
        self.request("POST", JOIN, json.dumps(event).encode(), JSON)

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server says about this visitor's photos, until it has no more to say."""
        connection = self._connection()
        try:
            connection.request("GET", f"/gradio_api/queue/data?session_hash={self.session}", headers=self._headers)
            for line in connection.getresponse():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except (OSError, http.client.HTTPException) as error:
            raise UnansweredError(f"{type(error).__name__}: {error}") from None
        finally:
            connection.close()

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NONE) -> bytes:
        """The body of a response. LimitedError or UnansweredError if its status is not 200."""
        connection = self._connection()
        try:
            connection.request(method, path, body, {**headers, **self._headers})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnansweredError(f"{method} {path}: {type(error).__name__}: {error}") from None
        finally:
            connection.close()
        if response.status == 429:
            raise LimitedError(float(response.headers["Retry-After"]))
        if response.status != 200:
            raise UnansweredError(
                f"{method} {path}: {response.status} {content[:200].decode(errors='replace').strip()}"
            )
        return content

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(HOST, self._port, timeout=PATIENCE)


def form(photo: bytes, name: str) -> bytes:
    """The body with which a browser sends a file."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    return head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()
