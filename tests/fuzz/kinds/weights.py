"""Weights files: tensors, and the card that names the network and the meaning of its outputs."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.finder_card import FinderCard
from numpynet.checkpoint import CheckpointError, load_net, load_tensors, load_weights, save_weights
from numpynet.models import FinderNet, HourglassNet, KeypointNet
from tests.fuzz.changes import rebuilt
from tests.fuzz.reader import Case, Reader
from tests.fuzz.tensor_files import moved_entries, spoiled_header, spoiled_metadata, spoiled_tensors

FILE = "weights.safetensors"
KEYPOINTS: dict[str, Any] = {"size": 24, "channels": [2, 3], "hidden": [5], "padding": 1, "dropout": 0.2}
HOURGLASS: dict[str, Any] = {"size": 16, "stem": [2], "levels": [2, 3]}
FINDER: dict[str, Any] = {"size": 32, "stem": [2, 2, 2], "body": [2]}


def crop_card(arguments: dict[str, Any], architecture: str) -> CropCard:
    """A card of a network for crops of faces."""
    size = arguments["size"]
    return CropCard.describe(
        arguments, size, {"kind": "face", "size": size, "scale": 1.5}, size / 2, size / 2, architecture
    )


def _seeds() -> list[Case]:
    import tempfile

    nets = [
        (KeypointNet(**KEYPOINTS, rng=0), crop_card(KEYPOINTS, "KeypointNet")),
        (HourglassNet(**HOURGLASS, rng=0), crop_card(HOURGLASS, "HourglassNet")),
        (FinderNet(**FINDER, rng=0), FinderCard.describe(FINDER, {"epoch": 1})),
    ]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for net, card in nets:
            save_weights(Path(folder) / FILE, net.state_dict(), card)
            found.append({FILE: (Path(folder) / FILE).read_bytes()})
    return found


def _structure(case: Case) -> st.SearchStrategy[Case]:
    data = case[FILE]
    builds = (spoiled_header(data), moved_entries(data), spoiled_metadata(data, "numpynet"), spoiled_tensors(data))
    return st.one_of([rebuilt(case, FILE, build) for build in builds])


def _read(path: Path) -> None:
    """As numpynet reads weights, and as the application reads the cards of keypoints and of a finder."""
    problems = []
    for load in (load_tensors, load_weights):
        try:
            load(path)
        except CheckpointError as error:
            problems.append(error)
    net, card = load_net(path)
    (FinderCard if card.architecture == "FinderNet" else CropCard).of(card, path)
    assert not problems
    import numpy as np

    with np.errstate(all="ignore"):
        net(np.zeros((1, 1, card.input_size, card.input_size), np.float32))


READERS = [Reader("weights", _seeds, FILE, _read, (CheckpointError,), structure=_structure, memory=300)]
