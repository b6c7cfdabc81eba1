"""Visitors who do not behave: slow and aborted uploads, and far too many requests at once."""

import contextlib
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from benchmarks.page.photos import Photo
from benchmarks.page.server import HOST
from benchmarks.page.visitor import FORM, UPLOAD, LimitedError, UnansweredError, Visitor, form

PAUSE = 0.5
"""Seconds between two bytes of a slow upload, and between two visitors who break off."""
HANDS = 8
"""Requests that the hasty visitor sends at once."""


def slow_upload(port: int, number: int, photo: Photo, end: float) -> str:
    """Send a photo byte by byte until `end`: "cut off by the server", or "still sending"."""
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(_head(f"203.0.113.{number}", len(form(photo.content, photo.name))))
        for byte in form(photo.content, photo.name):
            if time.monotonic() >= end:
                return "still sending"
            try:
                connection.sendall(bytes([byte]))
                connection.settimeout(PAUSE)
                with contextlib.suppress(TimeoutError):
                    return f"cut off by the server: {_status(connection.recv(1000))}"
            except OSError:
                return "cut off by the server"
    return "sent"


def break_off(port: int, photo: Photo, end: float, abandon: bool) -> Counter[str]:
    """Until `end`, one visitor after another who breaks off; how many of each kind.

    One breaks off in the middle of an upload, one leaves as soon as the photo was chosen, and, if `abandon`, one sends
    a photo and never asks for anything.
    """
    done: Counter[str] = Counter()
    kinds = [_in_the_middle, _at_once] + ([_never_asks] if abandon else [])
    number = 0
    while time.monotonic() < end:
        kind = kinds[number % len(kinds)]
        with contextlib.suppress(LimitedError):
            kind(port, f"192.0.2.{number % 250}", photo)
            done[(kind.__doc__ or "").removesuffix(".").lower()] += 1
        number += 1
        time.sleep(PAUSE)
    return done


def hurry(port: int, photo: Photo, requests: int) -> Counter[str]:
    """Send so many choices from one address as fast as the server takes them; how many had which end."""
    ends: Counter[str] = Counter()
    with Visitor(port, "203.0.113.200") as visitor, ThreadPoolExecutor(HANDS) as pool:
        path = visitor.upload(photo.content, photo.name)

        def ask(_: int) -> str:
            try:
                visitor.join(path, photo.name)
            except LimitedError:
                return "refused by the limit"
            except UnansweredError as error:
                return f"failed: {error}"
            return "let through"

        ends.update(pool.map(ask, range(requests)))
        answered = sum(message.get("msg") == "process_completed" for message in visitor.messages())
    ends["answered"] = answered
    return ends


def _in_the_middle(port: int, address: str, photo: Photo) -> None:
    """Broke off in the middle of an upload."""
    body = form(photo.content, photo.name)
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(_head(address, len(body)) + body[: len(body) // 2])


def _at_once(port: int, address: str, photo: Photo) -> None:
    """Left as soon as the photo was chosen."""
    with Visitor(port, address) as visitor:
        visitor.join(visitor.upload(photo.content, photo.name), photo.name)
        next(visitor.messages())


def _never_asks(port: int, address: str, photo: Photo) -> None:
    """Sent a photo and never asked."""
    with Visitor(port, address) as visitor:
        visitor.upload(photo.content, photo.name)


def _head(address: str, length: int) -> bytes:
    lines = [f"POST {UPLOAD} HTTP/1.1", "Host: localhost", f"X-Forwarded-For: {address}", f"Content-Length: {length}"]
    return "\r\n".join([*lines, f"Content-Type: {FORM['Content-Type']}", "", ""]).encode()


def _status(answer: bytes) -> str:
    words = answer.split(None, 2)
    return words[1].decode("ascii", "replace") if len(words) > 1 else "no answer"
