"""Gray levels: what is dark or flat is stretched before anything is looked for in it.

A cascade passes by every window whose levels hardly differ, and the keypoint network was trained on well lit faces.
"""

import cv2
import numpy as np

from numpynet.typing import AnyArray

ENOUGH = 128
"""Pictures whose levels span at least so many of the 256 stay as they are."""
LEAST = 4
"""Pictures whose levels span fewer show nothing, and stay as they are too."""
ENDS = (0.5, 99.5)
"""The levels between which a picture's levels lie, in percent of its pixels."""
SAMPLE = 10_000
"""About as many pixels of a picture are looked at."""


def stretched(image: AnyArray, enough: int = ENOUGH) -> AnyArray:
    """An image (H, W[, C]) uint8 with its levels stretched to 0 .. 255 if they span fewer than `enough`, else itself.

    All channels are stretched alike, so that colours keep their hue.
    """
    step = max(1, int(np.sqrt(image.shape[0] * image.shape[1] / SAMPLE)))
    low, high = np.percentile(image[::step, ::step], ENDS)
    if not LEAST <= high - low < enough:
        return image
    table = np.clip(np.rint((np.arange(256) - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
    result: AnyArray = cv2.LUT(image, table)
    return result
