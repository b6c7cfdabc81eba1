"""Makes docs/learn/figures/14-activations.jpg: `python docs/learn/make_activations.py`.

It is the activations.png that `fkp inspect` draws of the demo's photo, 1,280 pixels wide. The photo
is public domain and comes with matplotlib.
Run from the project's root. It needs the app's libraries, which is why make_figures.py does not make it.
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from fkp_app import detect  # noqa: E402
from fkp_app.backends.predictor import SHIPPED_WEIGHTS  # noqa: E402
from fkp_app.commands.demo import sample_photo  # noqa: E402
from fkp_app.geometry.crop_card import CropCard  # noqa: E402
from fkp_app.inspection.passes import crop_of, inspect  # noqa: E402
from fkp_app.inspection.sheets import draw_activations  # noqa: E402
from fkp_app.media.images import read_image  # noqa: E402
from numpynet import load_net  # noqa: E402

PICTURE = Path(__file__).parent / "figures" / "14-activations.jpg"
WIDTH = 1280


def activations(weights: Path = SHIPPED_WEIGHTS) -> Image.Image:
    """The sheet, drawn now."""
    photo = read_image(sample_photo())
    net, card = load_net(weights)
    crops = CropCard.of(card, weights)
    passes = inspect(net, crops, crop_of(photo, detect(photo)[0], crops), keypoint=30)
    with tempfile.TemporaryDirectory() as folder:
        draw_activations(passes, Path(folder) / "activations.png")
        with Image.open(Path(folder) / "activations.png") as sheet:
            height = round(sheet.height * WIDTH / sheet.width)
            return sheet.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    activations().save(PICTURE, quality=82)
    print(f"{PICTURE.name}  {PICTURE.stat().st_size / 1000:.0f} kB")
