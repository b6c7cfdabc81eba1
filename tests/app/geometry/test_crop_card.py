"""The crop card, which the application stores in a weights file and checks when it reads one."""

import json

import pytest

from fkp_app.geometry.crop_card import CropCard
from numpynet.checkpoint import CheckpointError, WeightsCard

FRAMING = {"kind": "face", "size": 24, "scale": 1.3}
CARD = CropCard.describe({"size": 24}, 24, FRAMING, 12.0, 6.0, training={"epoch": 3})
FIELDS: dict[str, list[object]] = {
    "keypoint_offset": [float("nan"), float("inf"), 1e30, "12", None, True, [12.0]],
    "keypoint_scale": [0, 0.0, -6.0, float("nan"), float("inf"), 1e30, "6", None, False],
    "framing": [None, [], "face", 3, {}, FRAMING | {"scale": -1}, FRAMING | {"size": 25}],
}


def test_the_text_in_the_file_has_every_field_at_one_level():
    text = CARD.to_metadata()["numpynet"]
    names = [
        "arguments",
        "input_size",
        "framing",
        "keypoint_offset",
        "keypoint_scale",
        "architecture",
        "format_version",
    ]
    assert list(json.loads(text)) == [*names, "training"]
    assert text.startswith('{"arguments": {"size": 24}, "input_size": 24, "framing": {"kind": "face", "size": 24, ')


def test_a_written_card_is_read_back():
    read = CropCard.of(WeightsCard.from_metadata(CARD.to_metadata(), "a file"), "a file")
    assert read == CARD
    assert (read.keypoint_offset, read.keypoint_scale, read.framing["scale"]) == (12.0, 6.0, 1.3)
    assert read.to_metadata() == CARD.to_metadata()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FIELDS.items() for value in values])
def test_a_field_that_cannot_be_is_refused_in_one_line(name, value):
    card = WeightsCard(CARD.arguments, 24, CARD.application | {name: value})
    with pytest.raises(CheckpointError, match=r"^a file: .*(damaged|update it)") as caught:
        CropCard.of(card, "a file")
    assert name in str(caught.value) or "crops of 25" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(name):
    application = {other: value for other, value in CARD.application.items() if other != name}
    with pytest.raises(CheckpointError, match=f"^a file: its description is damaged .{name} is missing"):
        CropCard.of(WeightsCard({}, 24, application), "a file")
