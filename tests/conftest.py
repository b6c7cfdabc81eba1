"""What all tests share: drawn data, the real data if it is there, and the mark of tests that need PyTorch."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.drawn import write_dataset


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "torch: needs PyTorch, and is skipped if PyTorch is not installed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need PyTorch if it is not installed."""
    if find_spec("torch") is None:
        for item in items:
            if item.get_closest_marker("torch"):
                item.add_marker(pytest.mark.skip(reason="PyTorch is not installed (the extra `torch`)"))


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set of drawn faces in the published layout. Tests must not change it, since all share it."""
    return write_dataset(tmp_path_factory.mktemp("data") / "drawn")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The directory of the real data set, from the environment variable FKP_DATA; skips the test if there is none."""
    place = os.environ.get("FKP_DATA")
    if not place:
        pytest.skip("FKP_DATA is not set: it names a directory of the real data set")
    directory = Path(place)
    for name in ("training_frames_keypoints.csv", "test_frames_keypoints.csv"):
        if not (directory / name).is_file():
            pytest.skip(f"FKP_DATA={place} holds no {name}")
    return directory
