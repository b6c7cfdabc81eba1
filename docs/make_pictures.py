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

from benchmarks.quality.clips import one_face  # noqa: E402
from fkp_app import detect  # noqa: E402
from fkp_app.backends.predictor import get_predictor  # noqa: E402
from fkp_app.faces.detectors import make_detector  # noqa: E402
from fkp_app.faces.drawing import draw_faces, draw_numbers, draw_points  # noqa: E402
from fkp_app.geometry.framing import Framing, apply, crop_matrix, face_square, warp  # noqa: E402
from fkp_app.media.images import write_image  # noqa: E402
from fkp_app.styles.library import load_style  # noqa: E402
from fkp_app.styles.sheet import sheet  # noqa: E402
from fkp_app.styles.wear import wear  # noqa: E402
from fkp_app.tracking.tracker import FaceTracker  # noqa: E402
from numpynet.typing import AnyArray  # noqa: E402
from tests.free_pictures import group_picture, hopper  # noqa: E402

OUT = ROOT / "docs" / "pictures"
MOMENTS = (0, 20, 40, 60)
"""The frames of the clip that are shown."""


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
    write_image(OUT / "numbered.jpg", numbered(photo))
    write_image(OUT / "styles.png", sheet())
    write_image(OUT / "rolled.jpg", beside(rolled(photo, 45), "aviator"))
    write_image(OUT / "edge.jpg", beside(photo[:, 200:].copy(), "hearts"))
    write_image(OUT / "video.jpg", clip())


def numbered(photo: AnyArray) -> AnyArray:
    """An enlarged face with numbered points."""
    (face,) = detect(photo)
    framing = Framing("face", 900, 1.15)
    matrix = crop_matrix(face_square(face.keypoints), framing)
    close, points = warp(photo, matrix, framing.size), apply(matrix, face.keypoints)
    close = cv2.addWeighted(close, 0.6, np.full_like(close, 255), 0.4, 0)  # paler, so that the numbers stand out
    draw_points(close, points, radius=4)
    draw_numbers(close, points, size=13)
    return close


def rolled(photo: AnyArray, angle: float) -> AnyArray:
    """A photo turned clockwise about its middle."""
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle, 1.0)
    turned: AnyArray = cv2.warpAffine(photo, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return turned


def beside(image: AnyArray, style: str) -> AnyArray:
    """An image with the found faces marked, beside the same faces wearing a style."""
    faces = detect(image)
    return np.hstack([draw_faces(image, faces), wear(image, faces, load_style(style))])


def clip() -> AnyArray:
    """Some frames of a tracked clip, side by side."""
    predictor = get_predictor()
    moving = one_face("mix", predictor, frames=max(MOMENTS) + 1)
    tracker, shown = FaceTracker(make_detector(), predictor), []
    for index, image in enumerate(moving.images()):
        faces = tracker.update(image, moving.time(index))
        if index in MOMENTS:
            shown.append(wear(draw_faces(image, faces), faces, load_style("round")))
    return np.hstack([cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image in shown])


if __name__ == "__main__":
    main()
