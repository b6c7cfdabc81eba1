"""`fkp export`: write the network as an ONNX file, which other programs can run, or with float16 weights."""

from pathlib import Path
from typing import Annotated

import typer

from fkp_app.errors import FkpError, UsageError


def export(
    onnx_file: Annotated[
        Path | None, typer.Option("--onnx", help="The file to write; its name ends in .onnx.", show_default=False)
    ] = None,
    half_file: Annotated[
        Path | None,
        typer.Option("--half", help="The file to write; its name ends in .safetensors.", show_default=False),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="A .safetensors file.", show_default="the shipped one")] = None,
) -> None:
    """Write a network as ONNX, for --backend onnx, OpenCV, ONNX Runtime and others; or in half the size.

    --onnx: Input: "crops", (N, 1, S, S) float32, gray levels 0 to 1. Output: "keypoints", (N, 136), x and y in turn.
    The file's metadata hold S and the rule that turns outputs into pixels, as in a weights file. Before the file gets
    its name, OpenCV and numpynet both run it on random crops; if they differ, it is deleted.

    --half: a weights file with float16 numbers. Networks are computed in float32 all the same.
    """
    from fkp_app.backends.onnx.card import is_onnx
    from fkp_app.backends.predictor import SHIPPED_WEIGHTS
    from fkp_app.pipeline.outputs import check_file

    path = SHIPPED_WEIGHTS if weights is None else weights
    wanted = [
        (option, file, ending, write)
        for option, file, ending, write in (
            ("--onnx", onnx_file, ".onnx", _write_onnx),
            ("--half", half_file, ".safetensors", _write_half),
        )
        if file is not None
    ]
    if len(wanted) != 1:
        raise UsageError("name one file to write: --onnx FILE.onnx or --half FILE.safetensors")
    ((option, file, ending, write),) = wanted
    if file.suffix.lower() != ending:
        raise UsageError(f"{option} {file}: end the name in {ending}")
    check_file(option, file)
    if is_onnx(path):
        raise UsageError(f"--weights {path}: is an ONNX file already; name a .safetensors file")
    if file.resolve() == path.resolve():
        raise UsageError(f"{option} {file}: would take the place of --weights; choose another name")
    try:
        typer.echo(write(file, path))
    except OSError as error:
        raise FkpError(f"{option} {file}: cannot be written ({error.strerror or error})") from None


def _write_onnx(file: Path, weights: Path) -> str:
    """Write the network as ONNX and return a line about the file. OSError if it cannot be written."""
    from fkp_app.backends.onnx.check import LIMIT, largest_difference
    from fkp_app.backends.onnx.export import import_onnx, to_onnx
    from fkp_app.geometry.crop_card import CropCard
    from numpynet.checkpoint import CheckpointError, load_net
    from numpynet.files import atomic

    import_onnx()
    net, read = load_net(weights)
    card = CropCard.of(read, weights)
    data = to_onnx(net, card)
    with atomic(file) as temporary:
        temporary.write_bytes(data)
        try:
            difference = largest_difference(temporary, net)
        except CheckpointError as error:
            raise FkpError(f"{file}: not written ({str(error).removeprefix(f'{temporary}: ')})") from None
        if not difference <= LIMIT:
            raise FkpError(
                f"{file}: not written, as OpenCV differs from numpynet by {difference:.2g} pixels of the crop "
                f"(at most {LIMIT} are allowed); try another version of onnx or OpenCV"
            )
    side, size = card.input_size, len(data) / 1e6
    return (
        f"{file}: {size:.1f} MB, {card.architecture}, crops (N, 1, {side}, {side}) -> keypoints (N, 136); "
        f"OpenCV and numpynet differ by at most {difference:.1g} pixels of the crop"
    )


def _write_half(file: Path, weights: Path) -> str:
    """Write the weights in float16 and return a line about the file. OSError if it cannot be written."""
    from fkp_app.backends.agreement import largest_distance
    from fkp_app.geometry.crop_card import CropCard
    from numpynet.checkpoint import halved, load_net, save_weights
    from numpynet.fuse import fuse

    net, read = load_net(weights)
    card = CropCard.of(read, weights)
    try:
        state = halved(net.state_dict())
    except ValueError as error:
        raise FkpError(f"{weights}: {error}; keep the file as it is") from None
    save_weights(file, state, read)
    difference = largest_distance(fuse(net), fuse(load_net(file)[0]), card)
    return (
        f"{file}: {file.stat().st_size / 1e6:.1f} MB, {card.architecture}, weights in float16; "
        f"on random crops its points differ by at most {difference:.1g} pixels of the crop"
    )
