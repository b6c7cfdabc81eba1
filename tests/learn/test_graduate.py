"""graduate: the points settle with numpynet's own functions as a reader's, and a planted bug is named."""

import re

import pytest

from numpynet.learn import faces
from numpynet.learn.__main__ import main
from numpynet.learn.exercises import exercises, graduation
from numpynet.learn.exercises.call_by_call import DiffersError
from numpynet.learn.exercises.file_loader import function_of, is_blank
from numpynet.learn.exercises.graduate import USED, _listed
from tests.learn.solved import solved, write_solved


def test_the_points_settle_with_the_readers_functions(tmp_path, capfd):
    for name in [*USED, "dropout_backward"]:
        write_solved(exercises()[name], tmp_path)
    with (tmp_path / "relu_backward.py").open("a", encoding="utf-8") as file:
        file.write("\nprint('noise')\n")
    assert main(["graduate", str(tmp_path)]) == 0
    out = capfd.readouterr().out
    distance = re.search(r"68 points lie (\S+) pixels from their places", out)
    assert distance is not None
    assert float(distance[1]) <= 1
    assert "12 of the 12 functions that did it are yours" in out
    assert "Not used:   dropout_backward" in out
    assert "noise" not in out
    assert "__pycache__" not in [path.name for path in tmp_path.iterdir()]


# The file's right text and the planted one; what is said.
BUGS = {
    "fold": (("] += dunfolded", "] = dunfolded"), "fold: dimage["),
    "conv2d_backward": (("dfilters += dout[n]", "dfilters = dout[n]"), "conv2d_backward: dweight["),
    "batch_norm_backward": (("if not cache.from_batch:", "if True:"), "batch_norm_backward: dx["),
    "linear_backward": (("dout.sum(axis=0)", "dout.mean(axis=0)"), "linear_backward: dbias["),
    "relu_backward": (("dout.dtype.type(0)", "np.float64(0)"), "relu_backward: dx is float64 and must be float32"),
    "adam_update": (("m_hat = m / (1 - beta1**step)", "m_hat = m"), "adam_update: param["),
    "chain_backward": (("reversed(cache)", "cache"), "chain_backward: TypeError: linear_backward: cache must be"),
    "train_step": (("    optimizer.zero_grad()\n", ""), "train_step: "),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_named(name, tmp_path, capfd):
    (right, wrong), words = BUGS[name]
    for other in ("fold", "relu_backward", "linear_backward", name):
        write_solved(exercises()[other], tmp_path)
    text = solved(exercises()[name])
    assert text.count(right) == 1
    (tmp_path / f"{name}.py").write_text(text.replace(right, wrong), "utf-8")
    assert main(["graduate", str(tmp_path)]) == 1
    out = capfd.readouterr().out
    assert f"\n  {words}" in out
    assert f"Begin there: python -m numpynet.learn check {name} --dir {tmp_path}" in out
    assert "Repair it, or take the file away" in out


@pytest.mark.parametrize("crops", [12, 1, 0])
def test_slow_functions_learn_fewer_crops(crops, tmp_path, monkeypatch):
    """With 12 crops they would take too long, or even with one."""
    monkeypatch.setattr(graduation, "STEPS", 5)
    monkeypatch.setattr(graduation, "PATIENCE", 1e6 if crops == 12 else 0)
    monkeypatch.setattr(graduation, "LONGEST", 1e6 if crops else 0)
    exercise = exercises()["relu_backward"]
    function = function_of(exercise, write_solved(exercise, tmp_path))
    batches, lines = [], []

    def counted(dout, cache):
        batches.append(len(dout))
        return function(dout, cache)

    assert not graduation.graduate({exercise.name: (exercise, counted)}, tmp_path, lines.append)
    compared, first = [3] * 12, [1] * 3  # three layers: two steps in two precisions, and one step that is timed
    assert batches == compared + first + [crops] * 15 * (crops > 0)
    said = "\n".join(lines)
    assert ("5 steps with 12 crops would take about" in said) == (crops < 12)
    assert ("So the network learns one crop" in said) == (crops == 1)
    assert ("pixels from their places" in said) == (crops > 0)
    assert ("take the slow file away" in said) == (crops == 0)


def test_a_mistake_that_shows_only_where_windows_overlap_is_none_in_this_network(tmp_path):
    """Its windows of 2 x 2 pixels are 2 pixels apart. Compared call by call in this process, without a training."""
    exercise = exercises()["max_pool2d_backward"]
    text = solved(exercise)
    assert text.count("] += np.where") == 1
    path = tmp_path / exercise.file
    path.write_text(text.replace("] += np.where", "] = np.where"), "utf-8")
    images, points = faces.crops()
    functions = {exercise.name: (exercise, function_of(exercise, path))}
    calls = graduation.compare(functions, images[:3], faces.to_targets(points)[:3])
    assert calls == [exercise.name] * 12  # three layers, two steps, in two precisions
    path.write_text(text.replace("] += np.where", "] -= np.where"), "utf-8")
    functions = {exercise.name: (exercise, function_of(exercise, path))}
    with pytest.raises(DiffersError, match=r"max_pool2d_backward: dx\["):
        graduation.compare(functions, images[:3], faces.to_targets(points)[:3])


def test_a_folder_without_an_exercise(tmp_path, capsys):
    assert main(["graduate", "--dir", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f"there is no exercise that the network uses in {tmp_path}; go to the folder in which you typed" in said
    assert main(["graduate", str(tmp_path / "nowhere")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main(["graduate", "a", "--dir", "b"]) == 2
    assert "give the folder once" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def fold(:\n", "fold.py: line 1: not Python"),
        ("import os\n\n\ndef fold(*arguments):\n    os._exit(0)\n", "One of your files ended the process"),
        ("def fold(*arguments):\n    if arguments:\n        raise NotImplementedError\n", "fold: NotImplementedError"),
    ],
)
def test_a_bad_file(text, words, tmp_path, capfd):
    (tmp_path / "fold.py").write_text(text, "utf-8")
    assert main(["graduate", str(tmp_path)]) == 1
    out = capfd.readouterr().out
    assert words in out
    assert "Repair it, or take the file away" in out or "ended the process" in words


def test_a_file_that_was_only_started_counts_as_absent(tmp_path, capfd):
    assert main(["start", "fold", "--dir", str(tmp_path)]) == 0
    assert main(["graduate", str(tmp_path)]) == 2
    assert "that the network uses is written yet in " in capfd.readouterr().err
    write_solved(exercises()["relu_backward"], tmp_path)
    assert main(["graduate", str(tmp_path)]) == 0
    out = capfd.readouterr().out
    assert "Yours:      relu_backward\n" in out
    assert "\nfold: not written yet, numpynet's is used\n" in out
    assert "1 of the 12 functions that did it are yours" in out


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("def fold(a):\n    'words'\n    raise NotImplementedError\n", True),
        ("def fold(a):\n    b = a\n    raise NotImplementedError()\n", True),
        ("def fold(a):\n    return a\n", False),
        ("def fold(a):\n    if a:\n        raise NotImplementedError\n    return a\n", False),
        ("def other(a):\n    raise NotImplementedError\n", False),
        ("def fold(:\n", False),
        ("\0", False),
    ],
)
def test_which_files_are_blank(text, blank, tmp_path):
    path = tmp_path / "fold.py"
    path.write_text(text, "utf-8")
    assert is_blank(exercises()["fold"], path) is blank
    assert not is_blank(exercises()["fold"], tmp_path / "nowhere.py")


def test_a_file_that_raises_ctrl_c_is_one_line(tmp_path, capfd):
    path = write_solved(exercises()["relu_backward"], tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("\nraise KeyboardInterrupt\n")
    assert main(["graduate", str(tmp_path)]) == 1
    assert "One of your files ended the training: KeyboardInterrupt: without a message" in capfd.readouterr().out


def test_the_lists_of_names_have_no_spaces_at_the_ends_of_lines():
    text = _listed("Yours:", list(USED))
    assert len(text.splitlines()) > 1
    assert text.split() == ["Yours:", *USED]
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
