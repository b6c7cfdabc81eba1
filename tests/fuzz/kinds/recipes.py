"""Recipes of keypoint networks and of finders: TOML files."""

import tomllib
from pathlib import Path

from hypothesis import strategies as st

from fkp_app.errors import FkpError
from tests.fuzz.changes import changed_toml, mapped
from tests.fuzz.reader import Case, Reader

FILE = "recipe.toml"


def _structure(case: Case) -> st.SearchStrategy[Case]:
    return mapped(case, FILE, changed_toml(tomllib.loads(case[FILE].decode())))


def _recipes() -> list[Case]:
    from fkp_app.training.recipe import DIRECTORY

    return [{FILE: path.read_bytes()} for path in sorted(DIRECTORY.glob("*.toml"))]


def _read_recipe(path: Path) -> None:
    from fkp_app.training.recipe import load_recipe, training_transform

    recipe = load_recipe(str(path))
    training_transform(recipe, 0)
    recipe.card({})


def _finders() -> list[Case]:
    from fkp_app.training.finder.recipe import SHIPPED_RECIPE

    return [{FILE: SHIPPED_RECIPE.read_bytes()}]


def _read_finder(path: Path) -> None:
    from fkp_app.training.finder.recipe import load_finder_recipe

    load_finder_recipe(path)


READERS = [
    Reader("recipe", _recipes, FILE, _read_recipe, (FkpError,), structure=_structure),
    Reader("finder recipe", _finders, FILE, _read_finder, (FkpError,), structure=_structure),
]
