"""The download of a file of known size: it never takes more bytes, and it ends if the server stalls."""

import time
from pathlib import Path
from typing import Any

from fkp_app.errors import FkpError

CHUNK = 1 << 18  # bytes
PATIENCE = 30.0
"""Seconds for the server to answer, and then for every further SLOWEST bytes."""
SLOWEST = 1 << 15  # bytes


def fetch(url: str, size: int, target: Path, bar: Any = False) -> None:
    """Fetch `url`, which must give `size` bytes, into the file `target`, whole or not at all.

    bar: shows progress, an object like tqdm's. FkpError if it cannot be fetched, OSError if it cannot be written.
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
        except OSError as error:  # such as a missing file of certificates that the environment names
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
        # The hash of the archive was never published. The manifest's hashes are checked after unpacking, file by file.
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
    """Write the answer to the file `target`, up to one chunk beyond `size` bytes; return the number of bytes.

    TimeoutError if fewer than SLOWEST bytes come in PATIENCE seconds.
    """
    read = getattr(raw, "read1", raw.read)  # old releases of urllib3 have only read, which waits for a full chunk
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
