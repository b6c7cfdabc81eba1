"""Where the eyes of Grace Hopper are in her photo, and whether a report finds them there."""

import json

import numpy as np

EYES = ((226, 196), (308, 192))
"""Where Grace Hopper's are in the photo, read off by hand."""


def one_face(report, points):
    """The JSON report names one image with one face whose eyes are at `points`."""
    (result,) = json.loads(report)
    (face,) = result["faces"]
    keypoints = np.array(face["keypoints"])
    assert keypoints.shape == (68, 2)
    found = np.stack([keypoints[36:42].mean(axis=0), keypoints[42:48].mean(axis=0)])
    distance = np.hypot(*(points[1] - points[0]))
    assert np.abs(found - points).max() < 0.2 * distance
    return result
