"""A file of a known size from an address: no more bytes than it has, and an end where the server stalls."""

import time
from pathlib import Path
from typing import Any

from fkp_app.errors import FkpError

CHUNK = 1 << 18
PATIENCE = 30.0
"""Seconds for the server to answer, and to send each further SLOWEST bytes."""
SLOWEST = 1 << 15


def fetch(url: str, size: int, target: Path, bar: Any = False) -> None:
    """Fetch `url`, which must give `size` bytes, with pooch as the file `target`, all or nothing.

    bar: shows progress, an object like tqdm's. FkpError where it cannot be fetched; OSError where it cannot be written.
    """
    import pooch
    import requests
    import urllib3

    def download(address: str, file: Any, _: Any) -> None:
        headers = {"Accept-Encoding": "identity"}
        try:
            answer = requests.get(address, stream=True, timeout=PATIENCE, headers=headers)
        except requests.RequestException:
            raise
        except OSError as error:  # such as certificates that are not where the environment says
            raise FkpError(f"{url}: cannot be fetched ({str(error).splitlines()[0]})") from None
        with answer as response:
            response.raise_for_status()
            if bar:
                bar.total = size
            got = _receive(response.raw, size, Path(file), bar)
        if bar:
            bar.close()
        if got != size:
            sent = f"more than {size} bytes" if got > size else f"{got} bytes instead of {size}"
            raise FkpError(f"{url}: gave {sent}; try again, or look whether the address has changed")

    pooch.get_logger().setLevel("ERROR")
    try:
        # The manifest's hashes are checked file by file once unpacked; the archive's own was never published.
        pooch.retrieve(url, known_hash=None, fname=target.name, path=target.parent, downloader=download)
    except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError) as error:
        answer = getattr(error, "response", None)
        reason = type(error).__name__ if answer is None else f"HTTP status {answer.status_code}"
        raise FkpError(f"{url}: cannot be fetched ({reason}); check the network and try again") from None
    except TimeoutError:
        raise FkpError(
            f"{url}: cannot be fetched (less than {SLOWEST} bytes in {PATIENCE:.0f} seconds); try again later"
        ) from None


def _receive(raw: Any, size: int, target: Path, bar: Any) -> int:
    """Write what comes to the file `target`, at most one piece beyond `size` bytes; how many bytes came.

    TimeoutError where less than SLOWEST bytes come in PATIENCE seconds.
    """
    read = getattr(raw, "read1", raw.read)  # old releases of urllib3 have no read1, and wait until a chunk is full
    got, marked, since = 0, 0, time.monotonic()
    with target.open("wb") as file:
        while got <= size and (piece := read(CHUNK)):
            file.write(piece)
            got += len(piece)
            if bar:
                bar.update(len(piece))
            if got - marked >= SLOWEST:
                marked, since = got, time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise TimeoutError
    return got
