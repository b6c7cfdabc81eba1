"""Recipes: the shipped ones are complete, and an error in one is a line that names file, key and remedy."""

import json
import re
import tomllib
from dataclasses import asdict, replace

import numpy as np
import pytest

from fkp_app.errors import FkpError, UsageError
from fkp_app.geometry.framing import Framing
from fkp_app.training.augmentation import Shade
from fkp_app.training.learning import AdamW, Constant, Cosine, OneCycle, SmoothL1, Wing
from fkp_app.training.recipe import DIRECTORY, LOSSES, NAMES, Network, Recipe, Training, load_recipe, training_transform
from fkp_app.training.trainers import get_criterion, get_trainer
from tests.drawn import draw_face

SMALL = """
[network]
architecture = "KeypointNet"
arguments = { size = 32, channels = [4, 8], hidden = [16], padding = 1, dropout = 0.0 }

[framing]
kind = "face"
size = 32
scale = 1.3

[augmentation]
rotate = 10
flip = true
blur = { probability = 0.5, sigma = [1, 2] }

[training]
epochs = 3
batch_size = 4
loss = { name = "smooth_l1", beta = 0.2 }
optimizer = { name = "adamw", lr = 0.01 }
schedule = { name = "one_cycle", warmup = 0.5 }
"""


@pytest.fixture
def small(tmp_path):
    """Write the small recipe with one line replaced; return the file."""

    def write(old="", new=""):
        assert old in SMALL
        (tmp_path / "small.toml").write_text(SMALL.replace(old, new, 1), encoding="utf-8")
        return tmp_path / "small.toml"

    return write


def test_the_shipped_recipes():
    assert NAMES == ("compact", "hourglass", "hourglass-finish", "net", "net-good")
    for name in NAMES:
        tables = tomllib.loads((DIRECTORY / f"{name}.toml").read_text("utf-8"))
        assert set(tables) == {"network", "framing", "augmentation", "training"}
        assert load_recipe(name).card({}).input_size == tables["framing"]["size"]


def test_the_course_recipe_has_the_settings_of_the_course_project():
    recipe, good = load_recipe("net"), load_recipe("net-good")
    assert recipe.training == Training(epochs=1, batch_size=10)
    assert recipe.training.loss == SmoothL1(beta=1.0)
    assert asdict(recipe.training.optimizer) == {"name": "adam", "lr": 1e-3}
    assert recipe.framing.kind == "frame"
    assert not any(change.probability for change in recipe.augmentation.changes())
    image, keypoints = draw_face(np.random.default_rng(0), size=(280, 260))
    sample = training_transform(recipe, 0)({"image": image, "keypoints": keypoints.astype(np.float32)})
    assert sample["image"].shape == (1, 224, 224)
    card = recipe.card({"epoch": 7})
    assert (card.keypoint_offset, card.keypoint_scale, card.input_size) == (100.0, 50.0, 224)
    assert card.training == {"epoch": 7}
    assert good.network == recipe.network
    assert good.framing.kind == "face"
    assert all(change.probability for change in good.augmentation.changes() if not isinstance(change, Shade))


def test_a_file_is_read_and_what_it_leaves_out_has_defaults(small):
    recipe = load_recipe(str(small()))
    assert recipe.network == Network("KeypointNet", tomllib.loads(SMALL)["network"]["arguments"])
    assert recipe.framing == Framing("face", 32, 1.3)
    assert (recipe.augmentation.rotate, recipe.augmentation.scale, recipe.augmentation.flip) == (10.0, 0.0, True)
    assert isinstance(recipe.augmentation.rotate, float)
    assert recipe.augmentation.blur.sigma == (1.0, 2.0)
    assert recipe.augmentation.noise.probability == 0
    assert recipe.training.optimizer == AdamW(lr=0.01, weight_decay=0.01)
    assert recipe.training.schedule == OneCycle(warmup=0.5, div_factor=25.0, final_div_factor=1e4)
    assert (recipe.training.validate_every, recipe.training.patience, recipe.training.average) == (1, 0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_json_keeps_a_recipe_whole(name):
    recipe = load_recipe(name)
    assert Recipe.from_tables(json.loads(json.dumps(asdict(recipe))), "config.json") == recipe


SLIPS = {
    "an unknown table": (
        "[augmentation]",
        "[augmentations]",
        "augmentations is not a known key",
        "network, framing, augm",
    ),
    "a table left out": ('[framing]\nkind = "face"\nsize = 32\nscale = 1.3\n', "", "framing is missing", "a table"),
    "a value for a table": ("[augmentation]", "augmentation = 3\n[x]", "x is not a known key"),
    "no table": ("[training]\n", "", "augmentation.epochs is not a known key", "rotate, scale"),
    "an unknown key": (
        "rotate = 10",
        "rotation = 10",
        "augmentation.rotation is not a known key",
        "rotate, scale, shift",
    ),
    "a key left out": ("epochs = 3\n", "", "training.epochs is missing", "a whole number, at least 1"),
    "a text for a number": (
        "rotate = 10",
        'rotate = "10"',
        "augmentation.rotate must be a number in 0 .. 180, got '10'",
    ),
    "a fraction for a whole number": (
        "epochs = 3",
        "epochs = 3.0",
        "training.epochs must be a whole number",
        "got 3.0",
    ),
    "a truth for a number": ("epochs = 3", "epochs = true", "training.epochs must be a whole number", "got True"),
    "a number for a truth": ("flip = true", "flip = 1", "augmentation.flip must be true or false, got 1"),
    "too large": ("rotate = 10", "rotate = 181", "augmentation.rotate must be a number in 0 .. 180, got 181"),
    "too small": (
        "batch_size = 4",
        "batch_size = 1",
        "training.batch_size must be a whole number in 2 .. 65536, got 1",
    ),
    "no finite number": ("rotate = 10", "rotate = nan", "augmentation.rotate must be a number"),
    "infinity": ("beta = 0.2", "beta = inf", "training.loss.beta must be a number, at least 0, got inf"),
    "a range upside down": ("[1, 2]", "[2, 1]", "augmentation.blur.sigma must be [low, high] in 0.05 .. 50"),
    "a range too wide": ("[1, 2]", "[1, 60]", "augmentation.blur.sigma must be [low, high] in 0.05 .. 50"),
    "a range of three": ("[1, 2]", "[1, 2, 3]", "augmentation.blur.sigma must be [low, high]", "got [1, 2, 3]"),
    "a range of texts": ("[1, 2]", '["a", "b"]', "augmentation.blur.sigma must be [low, high]"),
    "a number for a range": ("[1, 2]", "1", "augmentation.blur.sigma must be [low, high]", "got 1"),
    "a text for a table": ("blur = {", 'jpeg = "good"\nblur = {', "augmentation.jpeg must be a table, got 'good'"),
    "another loss": (
        '"smooth_l1"',
        '"huber"',
        "training.loss.name must be one of smooth_l1, l1, mse, wing, got 'huber'",
    ),
    "a loss without a name": ('name = "smooth_l1", ', "", "training.loss.name must be one of", "beta"),
    "a loss that is no table": ('{ name = "smooth_l1", beta = 0.2 }', '"l1"', "training.loss.name must be one of"),
    "another loss's argument": ('"smooth_l1"', '"mse"', "training.loss.beta is not a known key", "expected name"),
    "another optimizer's": (
        '{ name = "adamw", ',
        '{ name = "adam", weight_decay = 0, ',
        "optimizer.weight_decay is no",
    ),
    "another framing": ('"face"', '"square"', "framing.kind must be face or frame, got 'square'"),
    "nothing to crop": ("scale = 1.3", "scale = 0", "framing.scale must be a number in 0.1 .. 20, got 0"),
    "sizes that differ": ("\nsize = 32", "\nsize = 48", "framing.size must be network.arguments.size, 32, got 48"),
    "turned frames": ('"face"', '"frame"', "rotate, scale, shift and flip need framing.kind face, got frame"),
    "another architecture": ('"KeypointNet"', '"ResNet"', "network does not work", "KeypointNet", "got ResNet"),
    "an argument too many": ("padding = 1", "pad = 1", "network does not work", "pad"),
    "an impossible network": ("[4, 8]", "[4, 8, 8, 8, 8, 8]", "network does not work", "too small for 6 poolings"),
    "a rate below the least": (
        '"one_cycle", warmup = 0.5',
        '"cosine", min_lr = 0.1',
        "training.schedule.min_lr must be at most",
    ),
    "no TOML": ("[network]", "[network", "cannot be read as TOML"),
    "a key twice": ("epochs = 3", "epochs = 3\nepochs = 4", "cannot be read as TOML"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip, small):
    old, new, *words = SLIPS[slip]
    path = small(old, new)
    with pytest.raises(FkpError) as error:
        load_recipe(str(path))
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 300
    for word in words:
        assert word in message
    assert error.value.exit_code == 1


def test_a_recipe_that_is_not_there(tmp_path):
    for name in ("resnet", str(tmp_path), str(tmp_path / "none.toml"), ""):
        with pytest.raises(
            UsageError, match="--recipe must be compact, hourglass, hourglass-finish, net, net-good or a TOML file"
        ):
            load_recipe(name)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FkpError, match=r"binary\.toml: cannot be read as TOML"):
        load_recipe(str(tmp_path / "binary.toml"))


def test_options_override_the_recipe(small):
    recipe = load_recipe(str(small()))
    assert recipe.with_options() == recipe
    changed = recipe.with_options(epochs=9, batch_size=5, lr=0.5, loss="wing").training
    assert (changed.epochs, changed.batch_size, changed.loss) == (9, 5, Wing())
    assert changed.optimizer == AdamW(lr=0.5, weight_decay=0.01)
    assert changed.schedule == recipe.training.schedule
    assert recipe.with_options(loss="smooth_l1") == recipe, "the recipe's own beta stays"
    with pytest.raises(FkpError, match=r"training\.optimizer\.lr must be a number in 1e-09 \.\. 10, got 11"):
        recipe.with_options(lr=11.0)
    falling = Recipe.from_tables(
        tomllib.loads(SMALL.replace('"one_cycle", warmup = 0.5', '"cosine", min_lr = 1e-3')), "f"
    )
    with pytest.raises(FkpError, match="min_lr must be at most"):
        falling.with_options(lr=1e-4)


@pytest.mark.parametrize("name", LOSSES)
def test_a_losss_name_gives_that_loss(name):
    out, target = np.array([[0.1, 3.0]], np.float32), np.zeros((1, 2), np.float32)
    expected = {
        "smooth_l1": (0.005 + 2.5) / 2,
        "l1": 3.1 / 2,
        "mse": 9.01 / 2,
        "wing": (0.2 * np.log(3) + 3 - 0.2 + 0.2 * np.log(5)) / 2,
    }
    assert get_criterion(LOSSES[name]())(out, target)[0] == pytest.approx(expected[name], rel=1e-5)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("torch", marks=pytest.mark.torch)])
@pytest.mark.parametrize("schedule", [Constant(), OneCycle(warmup=0.5, div_factor=5), Cosine(warmup=0.2)])
def test_a_trainer_learns_as_the_recipe_says(schedule, backend):
    network = Network("KeypointNet", tomllib.loads(SMALL)["network"]["arguments"])
    training = Training(3, 4, SmoothL1(beta=0.5), AdamW(lr=0.01, weight_decay=0.1), schedule, average=0.9)
    trainer = get_trainer(backend, network, training, steps=10, seed=0)
    rng = np.random.default_rng(0)
    images, targets = rng.random((4, 1, 32, 32), np.float32), rng.standard_normal((4, 136), np.float32)
    unaveraged = get_trainer(backend, network, replace(training, average=0.0), steps=10, seed=0)
    out = unaveraged.predict(images)  # in training mode, as in the step
    rates = []
    for i in range(10):
        rates.append(trainer.lr)
        loss = trainer.train_step(images, targets)
        if not i:
            assert loss == pytest.approx(get_criterion(SmoothL1(beta=0.5))(out, targets)[0], rel=1e-5)
    if schedule == Constant():
        assert rates == [0.01] * 10
    else:
        top = int(np.argmax(rates))
        assert 0 < top < 9
        assert rates[0] < rates[top] > 5 * rates[-1]
        assert 0.008 < rates[top] <= 0.01
    state = trainer.state_dict()
    assert any(not np.array_equal(state[f"net.{key}"], array) for key, array in trainer.weights().items())


@pytest.mark.torch
def test_both_backends_take_the_same_steps():
    """The first step shows the same optimizer, decay and schedule. The parity tests cover later steps."""
    network = Network("KeypointNet", tomllib.loads(SMALL)["network"]["arguments"])
    training = Training(3, 4, Wing(), AdamW(lr=0.01, weight_decay=1.0), OneCycle(div_factor=1), average=0.5)
    rng = np.random.default_rng(0)
    images, targets = rng.random((4, 1, 32, 32), np.float32), rng.standard_normal((4, 136), np.float32)
    weights = []
    for backend in ("numpy", "torch"):
        trainer = get_trainer(backend, network, training, steps=10, seed=0)
        trainer.train_step(images, targets)
        weights.append(trainer.weights())
    assert weights[0].keys() == weights[1].keys()
    big = [key for key in weights[0] if re.search(r"fc\d\.weight", key)]
    assert big
    for key in big:
        # Adam moves a weight with a gradient near zero by lr, in a direction that rounding decides.
        assert np.quantile(np.abs(weights[0][key] - weights[1][key]), 0.99) < 1e-5
