"""`fkp demo`: find, place and draw on a photo that is already installed."""

import importlib.util
from pathlib import Path
from typing import Annotated

import typer

from fkp_app.commands.options import Backend
from fkp_app.errors import FkpError

PHOTO = ("matplotlib", "mpl-data", "sample_data", "grace_hopper.jpg")


def demo(
    backend: Backend = "numpy",
    out: Annotated[Path, typer.Option(help="Folder for the results; made if missing.")] = Path("demo"),
) -> None:
    """Show the whole chain on a photo of Grace Hopper that comes with matplotlib (public domain)."""
    from fkp_app.faces.drawing import draw_faces
    from fkp_app.faces.finder import load_finder
    from fkp_app.media.images import read_image, write_image
    from fkp_app.pipeline.outputs import make_folder
    from fkp_app.pipeline.results import ImageResult, to_json, write_result
    from fkp_app.styles.library import load_style
    from fkp_app.styles.wear import wear

    photo = sample_photo()
    finder = load_finder(backend)
    make_folder(out)
    image = read_image(photo)
    faces = finder(image)
    write_image(out / "keypoints.png", draw_faces(image, faces))
    write_image(out / "sunglasses.png", wear(image, faces, load_style("sunglasses")))
    result = ImageResult(photo.name, image.shape[1], image.shape[0], faces)
    write_result(out / "faces.json", to_json([result]))
    typer.echo(f"{result.summary()}; see keypoints.png, sunglasses.png and faces.json in {out}")


def sample_photo() -> Path:
    """Path of the photo in matplotlib's data, found without importing matplotlib. FkpError if it is missing."""
    package, *rest = PHOTO
    spec = importlib.util.find_spec(package)
    photo = Path(spec.origin).parent.joinpath(*rest) if spec is not None and spec.origin else None
    if photo is None or not photo.is_file():
        raise FkpError("the demo's photo is missing: pip install matplotlib, or run `fkp detect` on a photo of yours")
    return photo
