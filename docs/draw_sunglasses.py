"""Draws fkp_app/assets/sunglasses.png: `python docs/draw_sunglasses.py`.

Drawn four times as large and shrunk, which smooths the edges. The wearer's eyes lie at (168, 112) and (432, 112).
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH, HEIGHT, ZOOM = 600, 220, 4
TARGET = Path(__file__).parent.parent / "fkp_app" / "assets" / "sunglasses.png"

# One lens, of the wearer's right eye: a rounded wayfarer shape, in pixels of the finished picture.
LENS = [(52, 62), (110, 46), (200, 48), (258, 62), (262, 92), (244, 142), (204, 168), (128, 170), (82, 150), (56, 104)]


def smooth(points: list[tuple[float, float]], steps: int = 24) -> list[tuple[float, float]]:
    """A closed Catmull-Rom curve through the points."""
    p = np.array(points, float)
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    a, b, c, d = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    curve = [
        0.5
        * (
            2 * b[i]
            + (c[i] - a[i]) * t
            + (2 * a[i] - 5 * b[i] + 4 * c[i] - d[i]) * t**2
            + (3 * b[i] - a[i] - 3 * c[i] + d[i]) * t**3
        )
        for i in range(len(p))
    ]
    return [tuple(ZOOM * point) for point in np.concatenate(curve)]


def mask(polygons: list[list[tuple[float, float]]]) -> Image.Image:
    """White inside the polygons."""
    picture = Image.new("L", (WIDTH * ZOOM, HEIGHT * ZOOM))
    for polygon in polygons:
        ImageDraw.Draw(picture).polygon(polygon, fill=255)
    return picture


def grown(picture: Image.Image, pixels: float) -> Image.Image:
    """The white part, wider by so many pixels of the finished picture."""
    soft = picture.filter(ImageFilter.GaussianBlur(pixels * ZOOM))
    return soft.point(lambda level: 255 if level > 8 else 0)


def main() -> None:
    right = smooth(LENS)
    mirrored = [(WIDTH * ZOOM - x, y) for x, y in right]
    lenses = mask([right, mirrored])
    frame = grown(lenses, 5)
    bridge = mask(
        [[(x * ZOOM, y * ZOOM) for x, y in ((255, 62), (300, 54), (345, 62), (342, 84), (300, 76), (258, 84))]]
    )
    hinges = [[(58, 52), (8, 44), (4, 66), (54, 88)]]
    hinges += [[(WIDTH - x, y) for x, y in hinges[0]]]
    hinge = mask([[(x * ZOOM, y * ZOOM) for x, y in polygon] for polygon in hinges])
    frame = ImageChops.lighter(ImageChops.lighter(frame, bridge), hinge)

    rows = np.linspace(0, 1, HEIGHT * ZOOM)[:, None]
    columns = np.linspace(0, 1, WIDTH * ZOOM)[None, :]
    glass = np.zeros((HEIGHT * ZOOM, WIDTH * ZOOM, 4))
    glass[:, :, 0] = 14 + 46 * rows
    glass[:, :, 1] = 18 + 30 * rows
    glass[:, :, 2] = 30 + 34 * rows
    glass[:, :, 3] = 245 - 50 * rows  # a little of the eyes shows at the lower rim
    glint = np.exp(-((((columns * WIDTH - 0.55 * rows * HEIGHT) % (WIDTH / 2) - 78) / 15) ** 2))
    glass[:, :, :3] += 95 * (glint * (1 - rows) ** 1.5)[:, :, None]

    shell = np.zeros_like(glass)
    shell[:, :, :3] = (26 + 70 * np.exp(-(((rows * HEIGHT - 50) / 16) ** 2)))[:, :, None] * np.array([1.0, 0.96, 0.93])
    shell[:, :, 3] = 255

    inside = np.asarray(lenses)[:, :, None] > 127
    rgba = np.where(inside, glass, shell)
    rgba[:, :, 3] *= np.asarray(frame) / 255
    picture = Image.fromarray(np.clip(rgba, 0, 255).astype(np.uint8), "RGBA")
    premultiplied = picture.convert("RGBa")  # so that shrinking does not mix in the colour of what is transparent
    premultiplied.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).convert("RGBA").save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
