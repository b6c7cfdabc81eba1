"""Makes the README's pictures of faces with the shipped weights: `python docs/make_pictures.py`.

Run from the project's root with the test extra installed. The photos are public domain and come with matplotlib and
scikit-image.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from fkp_app import detect  # noqa: E402
from fkp_app.drawing import draw_faces, draw_numbers, draw_points  # noqa: E402
from fkp_app.filters import wear  # noqa: E402
from fkp_app.framing import Framing, apply, crop_matrix, face_square, warp  # noqa: E402
from fkp_app.images import write_image  # noqa: E402
from fkp_app.styles.library import load_style  # noqa: E402
from tests.free_pictures import group_picture, hopper  # noqa: E402

OUT = ROOT / "docs" / "pictures"


def main() -> None:
    OUT.mkdir(exist_ok=True)
    photo = hopper()
    faces = detect(photo)
    worn = wear(photo, faces, load_style("sunglasses"))
    write_image(OUT / "grace_hopper.jpg", np.hstack([draw_faces(photo, faces), worn]))

    group, _ = group_picture()
    faces = detect(group)
    write_image(OUT / "faces.jpg", draw_faces(group, faces))
    write_image(OUT / "sunglasses.jpg", wear(group, faces, load_style("sunglasses")))

    (face,) = detect(photo)
    framing = Framing("face", 900, 1.15)
    matrix = crop_matrix(face_square(face.keypoints), framing)
    close, points = warp(photo, matrix, framing.size), apply(matrix, face.keypoints)
    close = cv2.addWeighted(close, 0.6, np.full_like(close, 255), 0.4, 0)  # paler, for the numbers to stand out
    draw_points(close, points, radius=4)
    draw_numbers(close, points, size=13)
    write_image(OUT / "numbered.jpg", close)


if __name__ == "__main__":
    main()
