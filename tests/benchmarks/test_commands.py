"""`python -m benchmarks`: the list of commands, their options, and the report made of the stored results."""

import argparse
import json

import pytest

from benchmarks import options
from benchmarks.__main__ import COMMANDS, GROUPS, main
from benchmarks.report import ROOT


def test_without_a_command_all_are_listed_by_group(capsys):
    assert main([]) == 2
    printed = capsys.readouterr().out
    places = [printed.index(f"\n{title}:\n") for title in GROUPS]
    assert places == sorted(places)
    assert all(f"\n  {name} " in printed for name in COMMANDS)


def test_an_unknown_command_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as error:
        main(["trains"])
    assert error.value.code == 2
    assert "'trains'" in capsys.readouterr().err


@pytest.mark.torch
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_its_options(name, capsys):
    with pytest.raises(SystemExit) as error:
        main([name, "--help"])
    assert error.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(f"usage: python -m benchmarks {name} ")
    assert f"python -m benchmarks {name}`: " in printed  # the first paragraph of the module's docstring


@pytest.mark.torch
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--batch-size", "1"], "--batch-size: must be at least 2, got 1 (batch norm needs two images)"),
        (["train", "--steps", "0"], "--steps: must be at least 1, got 0"),
        (["train", "--steps", "few"], "--steps: invalid integer value: 'few'"),
        (["video", "--frames", "39"], "--frames: must be at least 40, got 39"),
        (["epoch"], "required: --data"),
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_usage_errors(arguments, words, capsys):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert words in capsys.readouterr().err


def test_a_least_number_is_let_pass():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=options.at_least(2))
    assert parser.parse_args(["--steps", "2"]).steps == 2


@pytest.fixture
def report(tmp_path):
    """Copies of the README and of nothing else: the report of these results, as (docs/benchmarks.md, README.md)."""

    def make(results=ROOT / "benchmarks" / "results"):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        readme = tmp_path / "README.md"
        readme.write_bytes((ROOT / "README.md").read_bytes())
        arguments = ["--results", str(results), "--docs", str(tmp_path), "--readme", str(readme)]
        assert main(["report", *arguments]) == 0
        return (tmp_path / "benchmarks.md").read_text("utf-8"), readme.read_text("utf-8")

    return make


def test_the_report_of_the_stored_results_is_the_one_in_the_docs(report):
    page, readme = report()
    assert page == (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    assert readme == (ROOT / "README.md").read_text("utf-8")


def test_a_report_of_one_result_has_its_section_alone(report, tmp_path):
    machine = {"processor": "Abacus", "instructions": "", "cores": 8, "cores_usable": 2}
    machine |= {"python": "3", "numpy": "2", "torch": "1"}
    sides = {"numpynet, fast": 0.002, "torch": 0.003}
    latency = {"machine": machine, "settings": {}, "image": sides, "net": sides, "cold": {"numpy": 0.5, "torch": 2.0}}
    (tmp_path / "results" / "abacus-2-cores").mkdir(parents=True)
    (tmp_path / "results" / "abacus-2-cores" / "latency.json").write_text(json.dumps(latency))
    page, _ = report(tmp_path / "results")
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# Benchmarks",
        "## Abacus, 2 of 8 cores",
        "### One face",
    ]
    assert "| full network alone | 2.0 | 3.0 |" in page
    assert "takes 0.50 s, with PyTorch 2.00 s (ratio 0.25)" in page


AMD = ROOT / "benchmarks" / "results" / "amd-epyc-family-26-model-2-2-cores"
INTEL = "Intel(R) Xeon(R) (family 6, model 106)"


@pytest.fixture
def two_machines(tmp_path):
    """The stored results, and some of them once more as if measured on an Intel processor."""
    folder = tmp_path / "results"
    (folder / "intel-xeon-family-6-model-106-4-cores").mkdir(parents=True)
    (folder / AMD.name).mkdir()
    for path in AMD.glob("*.json"):
        (folder / AMD.name / path.name).write_bytes(path.read_bytes())
    found = json.loads((AMD / "train-compact-32.json").read_text())
    found["machine"] |= {"processor": INTEL, "cores": 4, "cores_usable": 4, "instructions": "AVX2"}
    for name in ("train-compact-32", "train-hourglass-32"):
        found["settings"]["model"] = name.split("-")[1]
        (folder / "intel-xeon-family-6-model-106-4-cores" / f"{name}.json").write_text(json.dumps(found))
    return folder


def test_two_machines_stand_side_by_side(report, two_machines):
    page, readme = report(two_machines)
    stored, _, _ = (ROOT / "docs" / "benchmarks.md").read_text("utf-8").partition("\n## Intel")
    assert page.startswith(stored)  # nothing of the first machine is lost
    added = page.removeprefix(stored)
    assert f"## {INTEL}, 4 cores, AVX2" in added
    assert "### hourglass, batch 32" in added
    assert "AMD" not in added
    block = readme.partition(f"{INTEL}, 4 cores, AVX2:")[2]
    assert "| a training step, ms | compact network, batch 32 | hourglass, batch 32 |" in block
    assert "AMD EPYC (family 26, model 2), 2 cores, AVX-512:" in readme


def test_a_file_in_another_machines_folder_is_refused(report, two_machines):
    wrong = two_machines / AMD.name / "train-hourglass-32.json"
    (two_machines / "intel-xeon-family-6-model-106-4-cores" / "train-hourglass-32.json").rename(wrong)
    with pytest.raises(SystemExit, match=r"lies in a wrong folder; move it to .*intel-xeon-family-6-model-106-4-cores"):
        report(two_machines)


@pytest.mark.torch
def test_results_of_another_machine_are_kept(tmp_path, capsys):
    from benchmarks.machine import write_results

    first, second = ({"processor": name, "cores_usable": 2} for name in ("Abacus", "Slide rule"))
    file = tmp_path / "abacus-2-cores" / "train.json"
    write_results(file, first, {}, {"step": 1})
    write_results(file, second, {}, {"step": 2})
    write_results(file, first, {}, {"step": 3})
    assert json.loads(file.read_text())["step"] == 3
    assert json.loads((tmp_path / "slide-rule-2-cores" / "train.json").read_text())["step"] == 2
    assert "another machine" in capsys.readouterr().out
