"""The colours of numbers in all pictures: blue is positive, orange is negative, a deeper colour is a larger number.

Whoever cannot tell red from green can tell these two, and no gradient is mistaken for a negative number: the figures
write gradients in red. Figures and tables use the two colours as tints, pictures of many numbers the whole palette.
"""

import numpy as np

from numpynet.typing import AnyArray

POSITIVE, NEGATIVE = (5, 80, 174), (188, 76, 0)
"""Red, green and blue, 0 .. 255, of the largest absolute value."""
POSITIVE_ON_DARK, NEGATIVE_ON_DARK = (33, 139, 255), (251, 143, 68)
"""The same for tints on a dark page."""


def palette(steps: int) -> AnyArray:
    """The colours (2 steps + 1, 3) uint8: from NEGATIVE over white for 0 to POSITIVE, each once."""
    share = (np.arange(1, steps + 1) / steps)[:, None] ** 0.7  # so that small numbers can be seen
    negative, positive = (255 + (np.array(end) - 255) * share for end in (NEGATIVE, POSITIVE))
    return np.rint(np.concatenate([negative[::-1], [[255, 255, 255]], positive])).astype(np.uint8)


def filled_in(page: str) -> str:
    """A page, or a style sheet, with each @POSITIVE@, @NEGATIVE_ON_DARK@ and so on replaced by red,green,blue."""
    for name in ("POSITIVE", "NEGATIVE", "POSITIVE_ON_DARK", "NEGATIVE_ON_DARK"):
        page = page.replace(f"@{name}@", ",".join(map(str, globals()[name])))
    return page
