"""Weights files from strangers: each is loaded, or refused in one line before memory is allocated for it."""

import json
import os
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from numpynet import CheckpointError, HourglassNet, KeypointNet, WeightsCard, load_net, load_weights, save_weights
from numpynet.checkpoint import load_tensors, save_tensors
from numpynet.small_floats import SMALL_FLOATS
from tests.hostile import spoiled

TINY = {"size": 24, "channels": [2, 3], "hidden": [5], "padding": 1, "dropout": 0.2}
CARD = WeightsCard(TINY, 24, {"crop": {"scale": 1.3}, "unit": 6.0})
TABLE = json.loads(CARD.to_metadata()["numpynet"])
MEMORY = 40e6
"""Bytes that reading a file of a few kilobytes may take, whatever its card says."""


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(path, KeypointNet(**TINY, rng=1).state_dict(), CARD)
    return path


@pytest.fixture
def ml_dtypes():
    return pytest.importorskip("ml_dtypes", reason="the package ml_dtypes is not installed (the extra `onnx`)")


def rewrite(path, card=None, **tensors):
    """Rewrite the file as another program would: with this text as its card, and some other tensors."""
    state, own = load_tensors(path)[0], load_weights(path)[1]
    text = own.to_metadata()["numpynet"] if card is None else card
    save_file(state | tensors, path, {"numpynet": text})


def with_field(name, value):
    return json.dumps(TABLE | {name: value})


def refused(path):
    """The error for a file, which must be one line."""
    with pytest.raises(CheckpointError) as caught:
        load_net(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < 500
    return message


FIELDS: dict[str, list[Any]] = {
    "input_size": [0, -1, 5000, 2**40, 24.0, True, "24", None, [24], float("nan"), 10**400],
    "training": [None, [], "free", 3],
    "architecture": [None, 3, [], "K" * 100],
    "format_version": ["1", None, True, 0, -1, 1.5, [1]],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in FIELDS.items() for value in values])
def test_a_field_of_the_card_that_cannot_be(name, value, weights):
    rewrite(weights, with_field(name, value))
    message = refused(weights)
    assert name in message or "number of" in message


ARGUMENTS: dict[str, list[Any]] = {
    "size": [0, 2**40, 24.5, "24", True, None],
    "channels": [[2**40, 3], [2, 3.0], [0, 3], [-2, 3], "23", 3, None, [[2], [3]], [2] * 40, [True, 3], [5000, 3]],
    "hidden": [[10**9], [5.5], "5", None, [0], {"0": 5}],
    "padding": [-1, 1000, "1", [1, 1], None, 1.0],
    "dropout": [1.0, -0.1, "0.2", None, float("nan"), 10**400],
    "stages": [3],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ARGUMENTS.items() for value in values])
def test_an_argument_of_the_network_that_cannot_be(name, value, weights):
    rewrite(weights, with_field("arguments", TINY | {name: value}))
    message = refused(weights)
    assert name in message or "number of" in message or "more weights" in message


def test_no_memory_is_taken_for_weights_that_the_file_does_not_hold(weights):
    """The limits alone would allow each layer, but the file has only a few hundred numbers."""
    state, _ = load_tensors(weights)
    for arguments in (
        TINY | {"channels": [4096, 4096]},
        TINY | {"hidden": [65_536, 65_536]},
        TINY | {"size": 1024, "channels": [3]},
    ):
        save_file(state, weights, {"numpynet": with_field("arguments", arguments)})
        tracemalloc.start()
        try:
            refused(weights)
            assert tracemalloc.get_traced_memory()[1] < MEMORY
        finally:
            tracemalloc.stop()


def test_a_convolution_whose_output_would_fill_the_memory_is_refused(tmp_path):
    """The file is small and holds all weights that its card describes."""
    arguments = {"size": 1024, "channels": [1024, *[1] * 8], "hidden": [], "padding": 1, "dropout": 0.0}
    net, path = KeypointNet(**arguments, rng=0), tmp_path / "wide.safetensors"
    card = WeightsCard(arguments, 1024)
    save_weights(path, net.state_dict(), card)
    assert path.stat().st_size < 200_000
    assert "1024 filters of 1024 x 1024 pixels are too many" in refused(path)


CARDS = {
    "nested 1,000 deep": with_field("training", {}).replace('"training": {}', '"training": ' + "[" * 1000 + "]" * 1000),
    "nested 100,000 deep": with_field("training", {}).replace("{}", "[" * 100_000 + "]" * 100_000),
    "nested 40 deep": with_field("training", {}).replace("{}", '{"a":' * 40 + "1" + "}" * 40),
    "a number of 5,000 digits": with_field("training", {"epoch": 1}).replace(": 1}", f": {'7' * 5000}}}"),
    "a number of 100,000 digits": with_field("input_size", 7).replace(": 7,", f": {'7' * 100_000},"),
    "a key twice": with_field("input_size", 24)[:-1] + ', "input_size": 24}',
    "a list": json.dumps([TABLE]),
    "a word": '"card"',
    "a field missing": json.dumps({name: value for name, value in TABLE.items() if name != "input_size"}),
    "two sizes": with_field("input_size", 32),
}


@pytest.mark.parametrize("kind", CARDS)
def test_a_card_that_is_no_card(kind, weights):
    rewrite(weights, CARDS[kind])
    refused(weights)


def test_what_older_versions_wrote_still_loads(weights):
    """Without a checksum, and with the NaN that Python writes for a missing score."""
    rewrite(weights, with_field("training", {"epoch": 3, "validation": {"nme": float("nan"), "mse": float("inf")}}))
    net, card = load_net(weights)
    assert card.training["epoch"] == 3
    np.testing.assert_array_equal(
        net.state_dict()["conv1.weight"], KeypointNet(**TINY, rng=1).state_dict()["conv1.weight"]
    )


def header_of(path, change):
    """Rewrite the file with a changed header (a table); the tensors' bytes stay."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    text = change(header) or json.dumps(header)
    path.write_bytes(struct.pack("<Q", len(text.encode())) + text.encode() + data[8 + length :])


def set_entry(**fields):
    return lambda header: header["fc1.bias"].update(fields)


HEADERS = {
    "2,000 axes": set_entry(shape=[1] * 1999 + [5]),
    "huge axes": set_entry(shape=[2**62, 2**62]),
    "an axis too many for 64 bits": set_entry(shape=[10**30]),
    "a negative axis": set_entry(shape=[-5]),
    "an axis that is no number": set_entry(shape=["5"]),
    "no axis list": set_entry(shape=5),
    "an unknown type": set_entry(dtype="F4096"),
    "no type": set_entry(dtype=None),
    "another type": set_entry(dtype="I32"),
    "places outside": set_entry(data_offsets=[0, 2**50]),
    "places that are no list": set_entry(data_offsets=20),
    "places of three": set_entry(data_offsets=[0, 1, 2]),
    "an entry that is no table": lambda header: header.update({"fc1.bias": 3}),
    "metadata that are no texts": lambda header: header.update({"__metadata__": {"numpynet": {}}}),
    "metadata that are a list": lambda header: header.update({"__metadata__": []}),
    "no table": lambda header: "[" + json.dumps(header) + "]",
    "nested deep": lambda header: '{"a":' * 2000 + "1" + "}" * 2000,
    "a key twice": lambda header: json.dumps(header)[:-1] + ', "fc1.bias": ' + json.dumps(header["fc1.bias"]) + "}",
    "of five megabytes": lambda header: "{" + " " * 5_000_000 + json.dumps(header)[1:],
    "no text": lambda header: '{"\udcff": 1}'.encode("utf-8", "surrogateescape").decode("latin-1"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_cannot_be(kind, weights):
    header_of(weights, HEADERS[kind])
    refused(weights)


def test_tensors_of_no_numbers_are_read_and_do_not_fit(weights):
    rewrite(weights, **{"fc1.bias": np.empty((0, 5), np.float32)})
    assert "fc1.bias must have shape (5,), got (0, 5)" in refused(weights)


@pytest.mark.parametrize(
    ("name", "bits", "value"),
    [
        *(("BF16", 0x3F80, 1.0), ("BF16", 0xC2F7, -123.5), ("BF16", 0x0001, 2.0**-133), ("BF16", 0xFF80, -np.inf)),
        *(("F8_E4M3", 0x38, 1.0), ("F8_E4M3", 0x7E, 448.0), ("F8_E4M3", 0x81, -(2.0**-9)), ("F8_E4M3", 0xFF, np.nan)),
        *(
            ("F8_E5M2", 0x3C, 1.0),
            ("F8_E5M2", 0x7B, 57344.0),
            ("F8_E5M2", 0x81, -(2.0**-16)),
            ("F8_E5M2", 0xFC, -np.inf),
        ),
    ],
)
def test_known_values_of_the_short_types(name, bits, value):
    kind = np.uint16 if name == "BF16" else np.uint8
    np.testing.assert_array_equal(SMALL_FLOATS[name](np.array([bits], kind)), np.float32([value]))


@pytest.mark.parametrize(
    ("name", "theirs"), [("BF16", "bfloat16"), ("F8_E5M2", "float8_e5m2"), ("F8_E4M3", "float8_e4m3fn")]
)
def test_every_value_of_the_short_types_is_read_exactly(name, theirs, ml_dtypes):
    kind = np.dtype(getattr(ml_dtypes, theirs))
    bits = np.arange(1 << 8 * kind.itemsize, dtype=f"u{kind.itemsize}")
    np.testing.assert_array_equal(SMALL_FLOATS[name](bits), bits.view(kind).astype(np.float32))


@pytest.mark.parametrize("theirs", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float16", "float64"])
def test_other_types_of_floats_load_into_float32(theirs, weights, ml_dtypes):
    """With the original's metadata, including its checksum, as converters write it."""
    kind = np.dtype(theirs) if hasattr(np, theirs) else np.dtype(getattr(ml_dtypes, theirs))
    state, _ = load_tensors(weights)
    data = weights.read_bytes()
    metadata = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])["__metadata__"]
    assert metadata.keys() == {"numpynet", "crc32"}
    save_file(
        {key: array.astype(kind) if array.dtype.kind == "f" else array for key, array in state.items()},
        weights,
        metadata,
    )
    loaded = load_net(weights)[0].state_dict()
    for key, array in state.items():
        assert loaded[key].dtype == array.dtype
        np.testing.assert_array_equal(loaded[key], array.astype(kind).astype(array.dtype), err_msg=key)


def test_a_type_that_is_not_read_is_named(weights, ml_dtypes):
    rewrite(weights, **{"fc1.bias": np.zeros(5, ml_dtypes.float8_e8m0fnu)})
    assert "F8_E8M0" in refused(weights)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(value, weights):
    state = load_tensors(weights)[0]
    state["fc1.weight"][1, 1] = value
    save_weights(weights, state, CARD)
    assert "fc1.weight holds NaN or infinity" in refused(weights)


@pytest.mark.parametrize("block", [1, 4096])
def test_a_flipped_bit_or_a_zeroed_block_is_noticed_wherever_it_is(block, tmp_path):
    path, net = tmp_path / "a.safetensors", HourglassNet(32, [4], [8, 8], rng=0)
    card = WeightsCard(net.arguments, 32, architecture="HourglassNet")
    save_weights(path, net.state_dict(), card)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    begin = 8 + struct.unpack("<Q", whole[:8])[0]
    for place in rng.integers(begin, len(whole) - block, 300):
        damaged = bytearray(whole)
        if block == 1:
            damaged[place] ^= 1 << int(rng.integers(8))
        else:
            damaged[place : place + block] = bytes(block)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="is damaged"):
            load_net(path)


def test_each_flipped_bit_of_a_header_is_noticed_in_a_file_that_must_be_as_it_was_written(tmp_path):
    """A changed name of a tensor, or of the checksum, could otherwise be the work of another program."""
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": np.arange(3), "rng.b": np.arange(4, dtype=np.uint8)}, {"note": '{"seed": 1}'})
    whole, accepted = path.read_bytes(), []
    for place in range(8 + struct.unpack("<Q", whole[:8])[0]):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            try:
                load_tensors(path, sealed=True)
            except CheckpointError:
                continue
            accepted.append((place, bit))
    assert accepted == []
    save_file({"a": np.arange(3)}, path, {"note": "x"})
    assert load_tensors(path)[1] == {"note": "x"}
    with pytest.raises(CheckpointError, match="is damaged"):
        load_tensors(path, sealed=True)


def test_a_changed_card_is_noticed(weights):
    """A scale of 1.3 in its text becomes 1.2, which no other check would find."""
    weights.write_bytes(weights.read_bytes().replace(b'\\"scale\\": 1.3', b'\\"scale\\": 1.2'))
    assert "is damaged" in refused(weights)


def test_the_checksum_stays_between_the_files(tmp_path):
    """Weights that are loaded and saved again get a new checksum, also from arrays in another byte or memory order."""
    for arrays in ({"a": np.arange(6.0).reshape(2, 3).T}, {"a": np.arange(3, dtype=">i4"), "b": np.float32(2)}, {}):
        save_tensors(tmp_path / "a", arrays, {"note": "x"})
        tensors, metadata = load_tensors(tmp_path / "a")
        assert metadata == {"note": "x"}
        save_tensors(tmp_path / "b", tensors, metadata)
        for key, array in load_tensors(tmp_path / "b")[0].items():
            np.testing.assert_array_equal(array, arrays[key])


def test_equal_weights_are_equal_files(weights):
    """Byte for byte, since people compare hashes; the card may have letters of any language."""
    state, _ = load_tensors(weights)
    card = WeightsCard(TINY, 24, training={"recipe": "größe\n\x7f\u2028\t/"})
    files = set()
    for _ in range(12):
        save_weights(weights, state, card)
        files.add(weights.read_bytes())
    assert len(files) == 1
    save_tensors(weights, state, {"é\n\x01\x7f\u2028": '"\\/\b\f', "b": "", "a": "x"})
    assert load_tensors(weights)[1] == {"é\n\x01\x7f\u2028": '"\\/\b\f', "b": "", "a": "x"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_or_a_device_is_never_opened(tmp_path):
    """Reading it would never end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "link"):
        assert "is a pipe, not a file" in refused(path)
    assert "is a device, not a file" in refused("/dev/zero")
    assert "no such file" in refused(tmp_path / "pipe" / "weights.safetensors")


def test_spoiled_cards_are_loaded_or_refused_in_one_line(weights):
    rng, loaded, refusals = np.random.default_rng(0), 0, []
    original = TABLE | {"training": {"epoch": 3, "settings": {"recipe": "compact"}}}
    state = load_tensors(weights)[0]
    tracemalloc.start()
    try:
        for _ in range(700):
            save_file(state, weights, {"numpynet": spoiled(original, rng)})
            try:
                net, card = load_net(weights)
            except CheckpointError as error:
                refusals.append(str(error))
            else:
                loaded += 1
                WeightsCard.from_metadata(card.to_metadata(), weights)
                assert net(np.zeros((1, 1, 24, 24), np.float32)).shape == (1, 136)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
    assert all(line.startswith(f"{weights}: ") and "\n" not in line for line in refusals)
    assert 50 < loaded < 500


def test_spoiled_headers_are_loaded_or_refused_in_one_line(weights):
    data, rng = weights.read_bytes(), np.random.default_rng(1)
    (length,) = struct.unpack("<Q", data[:8])
    header, refusals = json.loads(data[8 : 8 + length]), []
    for _ in range(700):
        text = spoiled(header, rng).encode()
        weights.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
        for load in (load_net, load_tensors):
            try:
                load(weights)
            except CheckpointError as error:
                refusals.append(str(error))
    assert not any("\n" in line for line in refusals)
    assert 700 < len(refusals) < 1400
