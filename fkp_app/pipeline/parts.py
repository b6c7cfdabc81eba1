"""Results in parts: a folder of JSON Lines that grows while a run goes on, and from which the next call goes on.

part-000000.jsonl and so on hold the sources that went well, one line each; failed-000000.jsonl and so on those that
went wrong, with the reason; settings.json what the results depend on. Each file is written whole or not at all.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fkp_app.errors import FkpError, UsageError
from fkp_app.locks import LOCK, locked
from fkp_app.media.sources import Source
from fkp_app.pipeline.outputs import make_folder
from fkp_app.pipeline.results import SourceResult, to_object, write_result
from numpynet.files import PREFIX, not_a_file, remove_leftovers
from numpynet.strict_json import read_json

LINES = 1000
"""A part is written when it has this number of lines,"""
SECONDS = 10.0
"""or when this time has passed since the last one was: the most that a kill can cost."""
LONGEST_LINE = 256 << 20
"""In bytes. A video of many hours has the longest."""
SETTINGS = "settings.json"
LONGEST_SETTINGS = 1 << 16
"""In bytes."""
_NAMED = re.compile(rb'\{"(?:image|video)": ("(?:[^"\\]|\\.)*")')
"""How a line begins, with the name as a JSON string. The rest is not parsed: for a million lines it takes minutes."""

Settings = Mapping[str, str | float | bool | None]
"""What the results depend on, by the names of the options."""


class Parts:
    """The parts in one folder. done: the names of the sources whose results are there already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._well, self._failed = list[str](), list[str]()
        paths = sorted(folder.glob("part-*.jsonl"))
        self.done = {name for path in paths for name in _names(path)}
        self._next = {"part": 1 + max((_number(path) for path in paths), default=-1), "failed": 0}
        self._written = time.monotonic()

    def add(self, source: Source, result: SourceResult | None, problem: str | None) -> None:
        """Add what became of a source. FkpError if a part is due and cannot be written."""
        entry: dict[str, Any] = {source.kind: source.name} if result is None else to_object(result)
        if problem is None:
            self._well.append(_line(entry))
        else:
            self._failed.append(_line(entry | {"problem": problem}))
        if len(self._well) + len(self._failed) >= LINES or time.monotonic() - self._written >= SECONDS:
            self.flush()

    def add_problem(self, problem: str) -> None:
        """Add an argument that is no source."""
        self._failed.append(_line({"problem": problem}))

    def flush(self) -> None:
        """Write what has been added since the last part. FkpError if that fails; nothing is lost then."""
        for kind, lines in (("part", self._well), ("failed", self._failed)):
            if lines:
                write_result(self._folder / f"{kind}-{self._next[kind]:06}.jsonl", "".join(lines))
                self._next[kind] += 1
                lines.clear()
        self._written = time.monotonic()


@contextmanager
def opened_parts(folder: Path, settings: Settings) -> Iterator[Parts]:
    """Begin the parts in a folder, or go on with them; at the end, also that of an error, write the rest.

    The sources that went wrong are tried again, so their list begins anew. UsageError if the folder holds something
    else, if another process is at work there, or if its results depend on other settings. FkpError if a part is
    damaged.
    """
    make_folder(folder, "--parts")
    with locked(folder, "fkp detect"):
        _check_settings(folder, settings)
        remove_leftovers(folder)
        parts = Parts(folder)
        for path in folder.glob("failed-*.jsonl"):
            path.unlink()
        try:
            yield parts
        finally:
            parts.flush()


def _check_settings(folder: Path, settings: Settings) -> None:
    path = folder / SETTINGS
    if not path.exists():
        strangers = [one for one in folder.iterdir() if one.name != LOCK and not one.name.startswith(PREFIX)]
        if strangers:
            raise UsageError(f"--parts {folder}: holds other files ({strangers[0].name}); name a new folder")
        write_result(path, json.dumps(dict(settings), indent=1) + "\n")
        return
    before = _read_settings(path)
    for name in settings:
        if before.get(name) != settings[name]:
            old, new = json.dumps(before.get(name)), json.dumps(settings[name])
            raise UsageError(f"--parts {folder}: was begun with {name} {old}, now it is {new}; name a new folder")


def _read_settings(path: Path) -> dict[str, Any]:
    if reason := not_a_file(path):
        raise FkpError(f"{path}: {reason}")
    with path.open("rb") as file:
        text = file.read(LONGEST_SETTINGS + 1)
    try:
        settings = read_json(text.decode())
        if len(text) > LONGEST_SETTINGS or not isinstance(settings, dict):
            raise ValueError("it holds no settings")
    except ValueError as error:
        raise FkpError(f"{path}: cannot be read ({error}); name a new folder") from None
    return settings


def _names(path: Path) -> Iterator[str]:
    """The names of the sources in one part. FkpError if it holds anything but results."""
    if reason := not_a_file(path):
        raise FkpError(f"{path}: {reason}")
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            try:
                match = _NAMED.match(line)
                if match is None or not line.endswith(b"}\n"):
                    raise ValueError
                name: str = json.loads(match[1])
            except ValueError:
                why = f"line {number} is no result"
                raise FkpError(f"{path}: {why}; delete this file, and its sources are done again") from None
            yield name


def _number(path: Path) -> int:
    match = re.fullmatch(r"part-(\d{1,12})", path.stem, re.ASCII)
    return int(match[1]) if match else -1


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
