"""What pyproject.toml claims is what is tested: Pythons, and the oldest version of every library."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

import numpynet

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
EXTRAS = ("torch", "video", "web", "onnx", "cluster", "mpi")
"""Extras that users install; the others are for those who change the project."""


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def needed(project):
    """Every library that a user may get, and the least version of it."""
    extras = project["optional-dependencies"]
    entries = project["dependencies"] + [entry for name in EXTRAS for entry in extras[name]]
    return dict(re.match(r"([\w-]+)[>=]=([\d.]+)", entry).groups() for entry in entries)


def test_the_oldest_versions_are_those_that_are_tested(project):
    lines = (ROOT / "tests" / "oldest.txt").read_text("utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    claimed = needed(project)
    assert pinned.pop("opencv-python-headless") == pinned["opencv-python"]  # the same without windows
    assert pinned.keys() == claimed.keys()
    for name, least in claimed.items():
        assert f"{pinned[name]}.".startswith(f"{least}."), f"{name}: >={least} is claimed, {pinned[name]} is tested"


def test_the_pythons_that_are_claimed_have_a_classifier_each(project):
    least, end = (int(one) for one in re.match(r">=3\.(\d+),<3\.(\d+)$", project["requires-python"]).groups())
    named = {one.rpartition("::")[2].strip() for one in project["classifiers"] if " :: Python :: 3." in one}
    assert named == {f"3.{minor}" for minor in range(least, end)}
    assert least <= sys.version_info.minor < end  # this one, too


def test_the_pythons_that_are_claimed_are_tested(project):
    named = {one.rpartition("::")[2].strip() for one in project["classifiers"] if " :: Python :: 3." in one}
    tested = re.search(r"python: \[(.*)\]", WORKFLOW.read_text("utf-8"))
    assert set(re.findall(r'"([\d.]+)"', tested[1])) == named


def test_workflows_use_pinned_actions_and_targets_that_exist():
    text = WORKFLOW.read_text("utf-8")
    actions = re.findall(r"uses: (.*)", text)
    assert actions
    assert [one for one in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one)] == []
    targets = re.findall(r"run: make (\S+)", text)
    assert targets
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [one for one in targets if f"\n{one}:" not in makefile] == []


def test_the_version_is_the_same_in_each_place(project):
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    assert project["version"] == numpynet.__version__ == cited[1]
