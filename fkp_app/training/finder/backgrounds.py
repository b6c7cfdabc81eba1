"""Gray pictures without a face, as backgrounds: photos that installed packages ship, and drawn patterns."""

import importlib.util
from pathlib import Path

import cv2
import numpy as np

from fkp_app.media.images import read_image
from numpynet.typing import AnyArray

PHOTOS: dict[str, tuple[str, ...]] = {
    "skimage/data": (
        *("brick.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "color.png"),
        *("grass.png", "gravel.png", "horse.png", "hubble_deep_field.jpg", "ihc.png", "logo.png", "moon.png"),
        *("motorcycle_left.png", "page.png", "phantom.png", "retina.jpg", "rocket.jpg", "text.png"),
    ),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
    "gradio/media_assets/images": ("cheetah.jpg", "cheetah1.jpg", "lion.jpg", "tower.jpg"),
}
"""Pictures without a human face, by the folders of the packages that ship them. Those of missing packages are left
out."""


def shipped_photos() -> list[AnyArray]:
    """The PHOTOS of the packages that are installed, gray (H, W) uint8."""
    found = []
    for folder, names in PHOTOS.items():
        package, _, rest = folder.partition("/")
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or []) if spec else []:
            paths = [Path(place) / rest / name for name in names]
            found += [cv2.cvtColor(read_image(path), cv2.COLOR_RGB2GRAY) for path in paths if path.is_file()]
    return found


def pattern(size: int, rng: np.random.Generator) -> AnyArray:
    """A drawn picture (size, size) uint8: clouds, with stripes, shapes or letters mixed in."""
    picture = _clouds(size, rng)
    for draw in rng.choice(np.array([_stripes, _shapes, _letters, _clouds]), rng.integers(0, 3), replace=False):
        share = rng.uniform(0.2, 1)
        picture = (1 - share) * picture + share * draw(size, rng)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _clouds(size: int, rng: np.random.Generator) -> AnyArray:
    """Noise of several sizes, one over the other."""
    picture: AnyArray = np.full((size, size), rng.uniform(20, 235))
    strength = rng.uniform(5, 70)
    for cells in (2, 4, 8, 16, 32, size):
        noise = rng.standard_normal((cells, cells)).astype(np.float32)
        picture += strength * cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
        strength *= rng.uniform(0.3, 1.0)
    return picture


def _stripes(size: int, rng: np.random.Generator) -> AnyArray:
    """Waves in one direction or two: stripes, blinds, a tiled wall."""
    y, x = np.mgrid[:size, :size]
    picture: AnyArray = np.zeros((size, size))
    for _ in range(rng.integers(1, 3)):
        turn, width = rng.uniform(0, np.pi), rng.uniform(4, 40)
        wave = np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / width + rng.uniform(0, 6.3))
        picture += np.sign(wave) if rng.random() < 0.5 else wave
    return 128 + rng.uniform(20, 100) * picture


def _shapes(size: int, rng: np.random.Generator) -> AnyArray:
    """Filled or open circles, boxes and lines."""
    picture: AnyArray = np.full((size, size), rng.uniform(0, 255), np.float32)
    for _ in range(rng.integers(3, 25)):
        level, thick = rng.uniform(0, 255), int(rng.choice([-1, 1, 2, 4]))
        x, y, w, h = (int(number) for number in (*rng.integers(0, size, 2), *rng.integers(2, size // 3, 2)))
        kind = rng.integers(3)
        if kind == 0:
            cv2.ellipse(picture, (x, y), (w, h if rng.random() < 0.5 else w), rng.uniform(0, 180), 0, 360, level, thick)
        elif kind == 1:
            cv2.rectangle(picture, (x, y), (x + w, y + h), level, thick)
        else:
            cv2.line(picture, (x, y), tuple(int(number) for number in rng.integers(0, size, 2)), level, abs(thick))
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2))


def _letters(size: int, rng: np.random.Generator) -> AnyArray:
    """Words of a sign or a page."""
    picture: AnyArray = np.full((size, size), rng.uniform(0, 255), np.float32)
    for _ in range(rng.integers(1, 10)):
        word = "".join(map(chr, rng.integers(33, 123, rng.integers(1, 12))))
        place = (int(rng.integers(-size // 4, size)), int(rng.integers(0, size + 10)))
        height, thick = rng.uniform(0.3, 3), int(rng.integers(1, 6))
        cv2.putText(picture, word, place, int(rng.integers(8)), height, rng.uniform(0, 255), thick, cv2.LINE_AA)
    return picture
