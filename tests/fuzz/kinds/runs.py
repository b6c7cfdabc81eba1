"""Run directories, as `fkp train --resume` and `fkp train-finder --resume` find them."""

import json
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from fkp_app.errors import FkpError
from fkp_app.training.checkpoints import DESCRIPTION
from numpynet.checkpoint import CheckpointError
from numpynet.training import StepEvent
from tests.fuzz.changes import changed_json, mapped, rebuilt
from tests.fuzz.reader import Case, Reader
from tests.fuzz.tensor_files import (
    moved_entries,
    spoiled_header,
    spoiled_json_tensor,
    spoiled_metadata,
    spoiled_tensors,
)

CONFIG, CHECKPOINT, WEIGHTS = "config.json", "checkpoint.safetensors", "weights.safetensors"
RECIPE = """
[network]
architecture = "KeypointNet"
arguments = { size = 16, channels = [2], hidden = [4], padding = 1, dropout = 0.2 }
[framing]
kind = "face"
size = 16
scale = 1.3
[augmentation]
[training]
epochs = 2
batch_size = 4
average = 0.9
optimizer = { name = "adamw", lr = 0.01 }
schedule = { name = "one_cycle" }
"""
KEPT = tempfile.TemporaryDirectory(prefix="fuzz-")
"""Holds the drawn faces as long as this process lives; config.json names them by their path."""


@cache
def _data() -> Path:
    from tests.drawn import write_dataset

    return write_dataset(Path(KEPT.name) / "faces", frames=2)


@cache
def _seeds() -> list[Case]:
    """A run of one epoch of two, and the same a step later."""
    from fkp_app.training.recipe import load_recipe
    from fkp_app.training.run import TrainingRun
    from fkp_app.training.run_files import Settings

    with tempfile.TemporaryDirectory() as folder:
        recipe, directory = Path(folder) / "small.toml", Path(folder) / "run"
        recipe.write_text(RECIPE)
        settings = Settings(str(_data()), "small.toml", "numpy", seed=1, threads=None, ops="readable")
        return _stages(TrainingRun.start(settings, load_recipe(str(recipe)), directory), (CONFIG, CHECKPOINT, WEIGHTS))


def _stages(run: Any, names: Sequence[str]) -> list[Case]:
    """The files of a run after its first epoch, and after the first step of the second."""
    found: list[Case] = []
    for event in run.fit():
        if run.history.epochs_done:
            if isinstance(event, StepEvent):
                run.save()
            found.append({name: (run.directory / name).read_bytes() for name in names})
        if len(found) == 2:
            break
    return found


def _without_config() -> list[Case]:
    """The same runs, and one whose settings are those in the checkpoint."""
    cases = _seeds()
    return [*cases, {name: content for name, content in cases[0].items() if name != CONFIG}]


def _of_config(case: Case) -> st.SearchStrategy[Case]:
    return mapped(case, CONFIG, changed_json(json.loads(case[CONFIG])))


def _of_checkpoint(case: Case) -> st.SearchStrategy[Case]:
    data = case[CHECKPOINT]
    builds = [spoiled_header(data), moved_entries(data), spoiled_tensors(data), spoiled_metadata(data, DESCRIPTION)]
    builds += [spoiled_json_tensor(data, key) for key in _generators(data)]
    return st.one_of([rebuilt(case, CHECKPOINT, build) for build in builds])


def _generators(data: bytes) -> list[str]:
    """The keys of the tensors that hold the states of generators."""
    from tests.fuzz.tensor_files import header_of

    header, content = header_of(data)
    found = []
    for key, entry in header.items():
        if key != "__metadata__" and entry["dtype"] == "U8":
            begin, end = entry["data_offsets"]
            found += [key] if content[begin : begin + 1] == b"{" and end > begin else []
    return found


def _resume(path: Path) -> None:
    from fkp_app.training.run import TrainingRun

    TrainingRun.resume(path.parent, {}, {})


def _finder_config() -> list[Case]:
    from dataclasses import asdict

    from fkp_app.training.finder.recipe import SHIPPED_RECIPE, load_finder_recipe
    from fkp_app.training.finder.run import FinderConfig

    config = FinderConfig(str(_data()), 0, load_finder_recipe(SHIPPED_RECIPE))
    return [{CONFIG: json.dumps(asdict(config), indent=2).encode()}]


def _read_finder_config(path: Path) -> None:
    from fkp_app.training.finder.run import FinderConfig
    from fkp_app.training.run_files import read_config

    read_config(FinderConfig, path.parent, []).recipe.check(path)


@cache
def _finder_run() -> Any:
    """A small run of the finder, with few pictures to validate on."""
    from dataclasses import replace

    from fkp_app.training.finder import run as module
    from fkp_app.training.finder.recipe import SHIPPED_RECIPE, Network, load_finder_recipe

    recipe = load_finder_recipe(SHIPPED_RECIPE)
    training = replace(recipe.training, epochs=2, steps=3, batch_size=2)
    small = replace(recipe, network=Network(64, (2, 2, 3), (4,)), training=training)
    with patch.object(module, "VALIDATION_SCENES", 2):
        return module.FinderRun(module.FinderConfig(str(_data()), 1, small), Path(KEPT.name) / "finder")


@cache
def _finder_seeds() -> list[Case]:
    run = _finder_run()
    run.prepare_directory()
    with patch("fkp_app.training.finder.run.VALIDATION_SCENES", 2):
        return _stages(run, (CHECKPOINT,))


def _take(path: Path) -> None:
    from fkp_app.training.checkpoints import load_checkpoint

    load_checkpoint(path.parent, _finder_run().take, [])


ERRORS = (FkpError, CheckpointError)
READERS = [
    Reader("run, config.json", _seeds, CONFIG, _resume, ERRORS, structure=_of_config, memory=400),
    Reader("run, checkpoint", _without_config, CHECKPOINT, _resume, ERRORS, structure=_of_checkpoint, memory=400),
    Reader("finder run, config.json", _finder_config, CONFIG, _read_finder_config, ERRORS, structure=_of_config),
    Reader("finder run, checkpoint", _finder_seeds, CHECKPOINT, _take, ERRORS, structure=_of_checkpoint, memory=400),
]
