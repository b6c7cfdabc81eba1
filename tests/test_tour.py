"""The tour in numpynet/README.md is complete and true: its files exist, its commands run, its example prints that."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from numpynet.gradcheck.__main__ import main as gradcheck

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "numpynet"
TOUR = (PACKAGE / "README.md").read_text()
STOPS = re.split(r"^## ", TOUR, flags=re.MULTILINE)[1:]

PATH = sorted(f"functional/{file.name}" for file in (PACKAGE / "functional").glob("*.py") if file.stem != "__init__")
PATH += ["parameter.py", "module.py", "layers.py", "models.py"]
PATH += ["init.py", "losses.py", "optim.py", "schedules.py", "training.py"]
"""Every file that a reader of the path should come by."""

LINKS = re.findall(r"\]\(([^)#]+)\)", TOUR)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TOUR, re.DOTALL) for line in block.splitlines()]


def arguments(command):
    """Those of a `python` command: ["-m", "numpynet.gradcheck", "conv2d", ...]."""
    program, *rest = shlex.split(command)
    assert program == "python"
    return rest


def test_there_are_twelve_stops_in_order():
    assert re.findall(r"^## (\d+)\. ", TOUR, re.MULTILINE) == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize("stop", [stop for stop in STOPS if stop[0].isdigit()], ids=lambda stop: stop.split(":")[0])
def test_each_stop_has_a_file_an_idea_and_a_proof(stop):
    assert re.search(r"^\*\*Read\*\* \[[\w/]+\.py\]\(", stop, re.MULTILINE)
    assert re.search(r"^\*\*The idea\.\*\* ", stop, re.MULTILINE)
    assert re.search(r"^```(sh|python)$", stop, re.MULTILINE)


@pytest.mark.parametrize("file", PATH)
def test_every_file_of_the_path_is_in_the_tour(file):
    assert file in LINKS


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_every_link_leads_to_a_file(link):
    assert (PACKAGE / link).is_file()


def test_every_link_names_its_file():
    for text, link in re.findall(r"\[([^]]+)\]\(([^)#]+)\)", TOUR):
        assert link.removeprefix("../") == text


@pytest.mark.parametrize("command", [c for c in COMMANDS if "numpynet.gradcheck " in c])
def test_gradcheck_commands_find_no_wrong_gradient(command, capsys):
    assert gradcheck(arguments(command)[2:]) == 0
    assert " ok " in capsys.readouterr().out


@pytest.mark.parametrize("command", [c for c in COMMANDS if " -m pytest" in c])
def test_pytest_commands_select_tests_that_pass(command):
    run = subprocess.run([sys.executable, *arguments(command)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout  # 5 if nothing is selected
    assert re.search(r"\d+ passed", run.stdout)


@pytest.mark.parametrize("command", [c for c in COMMANDS if " -c " in c])
def test_one_line_programs_print_something(command):
    run = subprocess.run([sys.executable, *arguments(command)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip()


def test_every_command_is_of_a_kind_that_is_run_here():
    known = ("python -m numpynet.gradcheck", "python -m pytest -q tests/", "python -c ")
    assert COMMANDS
    assert [c for c in COMMANDS if not c.startswith(known)] == []


def test_the_last_example_prints_what_the_tour_shows():
    (program,) = re.findall(r"```python\n(.*?)```", TOUR, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", TOUR, re.DOTALL)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.stdout, run.stderr) == (shown, "")


def test_functional_and_readme_point_to_the_tour():
    assert "numpynet/README.md" in (PACKAGE / "functional" / "__init__.py").read_text()
    assert "numpynet/README.md" in (ROOT / "README.md").read_text()
