"""`fkp export`: write the network as an ONNX file, which other programs can run."""

from pathlib import Path
from typing import Annotated

import typer

from fkp_app.errors import FkpError, UsageError


def export(
    onnx_file: Annotated[
        Path, typer.Option("--onnx", help="The file to write; its name ends in .onnx.", show_default=False)
    ],
    weights: Annotated[Path | None, typer.Option(help="A .safetensors file.", show_default="the shipped one")] = None,
) -> None:
    """Write a network as ONNX, for --backend onnx, OpenCV, ONNX Runtime and others.

    Input: "crops", (N, 1, S, S) float32, gray levels 0 to 1. Output: "keypoints", (N, 136), x and y in turn. The file's
    metadata hold S and the rule that turns outputs into pixels, as in a weights file. Before the file gets its name,
    OpenCV and numpynet both run it on random crops; if they differ, it is deleted.
    """
    from fkp_app.backends.onnx.card import is_onnx
    from fkp_app.backends.onnx.check import LIMIT, largest_difference
    from fkp_app.backends.onnx.export import import_onnx, to_onnx
    from fkp_app.backends.predictor import SHIPPED_WEIGHTS
    from fkp_app.geometry.crop_card import CropCard
    from fkp_app.pipeline.outputs import check_file
    from numpynet.checkpoint import CheckpointError, load_net
    from numpynet.files import atomic

    path = SHIPPED_WEIGHTS if weights is None else weights
    if onnx_file.suffix.lower() != ".onnx":
        raise UsageError(f"--onnx {onnx_file}: end the name in .onnx")
    check_file("--onnx", onnx_file)
    if is_onnx(path):
        raise UsageError(f"--weights {path}: is an ONNX file already; name a .safetensors file")
    if onnx_file.resolve() == path.resolve():
        raise UsageError(f"--onnx {onnx_file}: would take the place of --weights; choose another name")
    import_onnx()
    net, read = load_net(path)
    card = CropCard.of(read, path)
    data = to_onnx(net, card)
    try:
        with atomic(onnx_file) as temporary:
            temporary.write_bytes(data)
            try:
                difference = largest_difference(temporary, net)
            except CheckpointError as error:
                raise FkpError(f"{onnx_file}: not written ({str(error).removeprefix(f'{temporary}: ')})") from None
            if not difference <= LIMIT:
                raise FkpError(
                    f"{onnx_file}: not written, as OpenCV differs from numpynet by {difference:.2g} pixels of the crop "
                    f"(at most {LIMIT} are allowed); try another version of onnx or OpenCV"
                )
    except OSError as error:
        raise FkpError(f"--onnx {onnx_file}: cannot be written ({error.strerror or error})") from None
    side, size = card.input_size, len(data) / 1e6
    typer.echo(
        f"{onnx_file}: {size:.1f} MB, {card.architecture}, crops (N, 1, {side}, {side}) -> keypoints (N, 136); "
        f"OpenCV and numpynet differ by at most {difference:.1g} pixels of the crop"
    )
