"""Photos that visitors send, and what `fkp detect` says of each."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.quality.scenes import Scene, portrait, rows_of_people
from fkp_app.media.images import write_image


@dataclass(frozen=True)
class Photo:
    """A photo as a file's content, and its entry in the JSON of `fkp detect`."""

    name: str
    content: bytes
    expected: dict[str, Any]


def photos(folder: Path, large: bool) -> list[Photo]:
    """One face each, a group, one without a face; and, if `large`, a group in 12.2 megapixels, as a phone takes it.

    They are written into `folder`.
    """
    scenes: dict[str, Scene] = {
        "hopper.png": portrait("hopper"),
        "collins.jpg": portrait("astronaut"),
        "group.jpg": rows_of_people(1280, 720, 4, 2, 200.0),
        "wall.jpg": rows_of_people(640, 480, 0, 0, 1.0),
    }
    if large:
        scenes["phone.jpg"] = rows_of_people(4032, 3024, 3, 2, 700.0)
    for name, scene in scenes.items():
        write_image(folder / name, scene.image)
    answers = folder / "answers.json"
    command = [sys.executable, "-m", "fkp_app", "detect", "--quiet", "--json", str(answers)]
    subprocess.run([*command, *(str(folder / name) for name in scenes)], check=True)
    found = {Path(entry["image"]).name: entry for entry in json.loads(answers.read_text("utf-8"))}
    for name, scene in scenes.items():
        assert len(found[name]["faces"]) == len(scene.faces), f"{name}: {len(found[name]['faces'])} faces"
    return [Photo(name, (folder / name).read_bytes(), found[name]) for name in scenes]


def is_right(numbers: list[dict[str, Any]], photo: Photo) -> bool:
    """Whether the page's numbers for a photo are those of `fkp detect`, digit by digit."""
    (entry,) = numbers
    return entry | {"image": ""} == photo.expected | {"image": ""}
