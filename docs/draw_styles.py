"""Draws the pictures of all styles into fkp_app/assets, and prints their anchors: `python docs/draw_styles.py`.

The TOML files beside the pictures are written by hand; their anchors must be those that this prints.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from brush import EYES, Drawing, Points, lit, oval, stroke, union  # noqa: E402
from glasses import aviator, hearts, reading, round_glasses, sunglasses  # noqa: E402

from fkp_app.styles.drawn_face import face_keypoints  # noqa: E402

ASSETS = ROOT / "fkp_app" / "assets"
# The keypoints whose means are the anchors of a picture.
FACE = [[36], [39], [42], [45], [*range(17, 22)], [*range(22, 27)], [31], [33], [35]]
LOWER_FACE = [[36], [39], [42], [45], [31], [35], [48], [54], [51]]
SIDES = [[*range(36, 42)], [*range(42, 48)], [0], [16]]
NOSE = [[27], [30], [31], [35]]


def moustache() -> Drawing:
    drawing = Drawing(-36, 46, 36, 68)
    line: Points = [(-1.5, 53.8), (8.5, 54.6), (17.5, 58.5), (25.5, 60.0), (31.5, 56.5), (33.0, 51.5), (30.3, 49.6)]
    widths = np.array([9.5, 12.5, 10.5, 6.8, 4.0, 2.4, 0.8])
    half = stroke(line, list(widths))
    hair = union(*(drawing.shape(half * [s, 1], smooth=False) for s in (-1, 1)))
    drawing.paint(hair, lit(hair, (78, 50, 32), 4.0, 26, 8))
    rng = np.random.default_rng(0)
    for across in np.linspace(-0.9, 0.9, 46):  # strands along the curve, a little lighter or darker
        shift, shade = across * 0.5 + rng.normal(0, 0.03), rng.choice([-34, -22, 26, 40])
        points: Points = [(x, y + shift * w) for (x, y), w in zip(line, widths, strict=True)]
        strand = stroke(points, [0.3, 0.7, 0.7, 0.5, 0.4, 0.3, 0.2])
        for s in (-1, 1):
            inside = np.minimum(drawing.shape(strand * [s, 1], smooth=False), hair)
            drawing.paint(inside, tuple(np.clip(np.array([78, 50, 32]) + shade, 0, 255)), 0.35)
    return drawing


def clown_nose() -> Drawing:
    drawing = Drawing(-19, 18, 19, 56)
    ball = drawing.shape(oval(0, 37, 17, 17))
    drawing.paint(ball, lit(ball, (222, 22, 32), 17, 0, 20))
    across, down = (drawing.x + 5.5) / 5.5, (drawing.y - 29.5) / 4.0
    drawing.paint(ball - 1, (255, 255, 255), 0.75 * np.exp(-((across + 0.35 * down) ** 2 + down**2)))
    drawing.paint(ball - 0.6, (255, 150, 120), 0.3 * np.exp(-(((drawing.y - 50) / 2.5) ** 2) - (drawing.x / 9) ** 2))
    return drawing


def party_hat() -> Drawing:
    drawing = Drawing(-56, -188, 56, -44)
    apex, rim, half = -170.0, -60.0, 52.0  # the rim is an ellipse, seen a little from below
    cone = drawing.shape(np.concatenate([[(-2, apex), (2, apex)], oval(0, rim, half, 13, 96)[:49]]), smooth=False)
    along = np.clip((drawing.y - apex) / (rim - apex), 0.01, 1.2)
    across = np.clip(drawing.x / (along * half), -1, 1)
    around = drawing.y - 13 * along * np.sqrt(1 - across**2) - apex + 10 * across
    colours = np.array([(40, 158, 178), (250, 200, 62), (234, 82, 96)])
    paper = colours[(around // 17 % 3).astype(int)]
    shade = 0.62 + 0.5 * np.sqrt(np.clip(1 - (0.75 * across + 0.28) ** 2, 0, 1))
    drawing.paint(cone, np.clip(paper * shade[..., None], 0, 255))
    rng = np.random.default_rng(3)
    for i, turn in enumerate(np.linspace(0, 2 * np.pi, 46, endpoint=False)):  # a tuft of wool at the tip
        out = np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(10, 14.5)
        line = [(0.0, apex), (out[0] / 2, apex + out[1] / 2), (out[0], apex + out[1])]
        tuft = drawing.shape(stroke(line, [3, 3.6, 1.4]), smooth=False)
        drawing.paint(tuft, lit(tuft, (250, 246, 236) if i % 2 else (240, 218, 168), 1.5, 10, 8))
    return drawing


STYLES = {
    "sunglasses": (sunglasses, FACE),
    "aviator": (aviator, FACE),
    "round": (round_glasses, FACE),
    "hearts": (hearts, FACE),
    "reading": (reading, FACE),
    "moustache": (moustache, LOWER_FACE),
    "clown-nose": (clown_nose, NOSE),
    "party-hat": (party_hat, SIDES),
}


def main() -> None:
    face = EYES * face_keypoints()
    for name, (draw, anchors) in STYLES.items():
        drawing = draw()
        drawing.save(ASSETS / f"{name}.png", tinted=bool((drawing.tint < 1).any()))
        print(f"{name}: {(ASSETS / f'{name}.png').stat().st_size} bytes")
        for keypoints in anchors:
            x, y = drawing.at(*face[keypoints].mean(axis=0))
            print(f"    {{ keypoints = {keypoints}, at = [{x:.1f}, {y:.1f}] }},")


if __name__ == "__main__":
    main()
