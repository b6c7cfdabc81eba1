"""`fkp inspect`: pictures of what the network does with one face, for slides."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fkp_app.commands.options import within
from fkp_app.errors import FkpError, UsageError

if TYPE_CHECKING:
    from fkp_app.faces.keypoints import Face


def inspect_command(
    photo: Annotated[Path, typer.Argument(help="An image with a face.", metavar="PHOTO", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder for the pictures; made if missing.", show_default=False)],
    keypoint: Annotated[int, typer.Option(help="Point whose saliency is drawn, 0 to 67.", callback=within(0, 67))] = 30,
    face: Annotated[
        int | None,
        typer.Option(help="Which face, 1 for the largest.", show_default="the largest", callback=within(1)),
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="A .safetensors file.", show_default="the shipped one")] = None,
) -> None:
    """Draw what each layer of the network does with a face.

    The folder --out receives activations.png and gradients.png (one cell per layer), saliency-N.png (which pixels move
    point N), filters.png (the first layer's, with gradients and updates), updates.png (layer by layer) and, if the
    network has a head of heat maps, heatmaps.png. Files that exist are not written over. A photo has no labels, so the
    points that the network finds in the mirrored face serve as labels for the backward pass.
    """
    from fkp_app.backends.onnx.card import is_onnx
    from fkp_app.backends.predictor import SHIPPED_WEIGHTS
    from fkp_app.faces.finder import load_finder
    from fkp_app.geometry.crop_card import CropCard
    from fkp_app.inspection import sheets, slides
    from fkp_app.inspection.passes import crop_of, inspect
    from fkp_app.media.images import read_image
    from fkp_app.pipeline.outputs import make_folder
    from numpynet.checkpoint import load_net
    from numpynet.models import FinderNet

    path = SHIPPED_WEIGHTS if weights is None else weights
    if is_onnx(path):
        raise UsageError(f"--weights {path}: is an ONNX file, which has no backward pass; name a .safetensors file")
    drawings = {
        "activations.png": sheets.draw_activations,
        "gradients.png": sheets.draw_gradients,
        f"saliency-{keypoint}.png": lambda passes, file: slides.draw_saliency(passes, keypoint, file),
        "filters.png": slides.draw_filters,
        "updates.png": slides.draw_updates,
        "heatmaps.png": lambda passes, file: slides.draw_heat_maps(passes, keypoint, file),
    }
    for name in drawings:
        if (out / name).exists() or (out / name).is_symlink():
            raise UsageError(f"--out {out}: holds {name} already; choose another folder, or move that file")
    image = read_image(photo)
    faces = load_finder(weights=weights)(image)
    chosen = _chosen(photo, faces, face)
    net, read = load_net(path)
    card = CropCard.of(read, path)
    assert not isinstance(net, FinderNet)  # its card would be another
    passes = inspect(net, card, crop_of(image, chosen, card), keypoint)
    make_folder(out)
    written = []
    for name, draw in drawings.items():
        try:
            if draw(passes, out / name) is not False:
                written.append(name)
        except OSError as error:
            raise FkpError(f"--out {out}: {name} cannot be written ({error.strerror or error})") from None
    if face is None and len(faces) > 1:
        typer.echo(f"{photo}: {len(faces)} faces found, the largest one is drawn; --face 2 takes the next")
    typer.echo(f"{out}: {', '.join(written)}")


def _chosen(photo: Path, faces: "list[Face]", number: int | None) -> "Face":
    """The face with this number, or the largest. FkpError if there is none, UsageError if there are fewer."""
    if not faces:
        raise FkpError(
            f"{photo}: no face found, so there is nothing to draw; try a larger face that looks at the camera"
        )
    if number is not None and number > len(faces):
        raise UsageError(f"--face {number}: {photo} has {len(faces)} face{'s' if len(faces) > 1 else ''}")
    return faces[(number or 1) - 1]
