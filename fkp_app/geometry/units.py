"""The one map between the pixels of a crop and the numbers that a network gives for its keypoints."""

from dataclasses import dataclass

from numpynet.typing import Array


@dataclass(frozen=True)
class Units:
    """The units of a network's outputs: a keypoint, in pixels of the crop, is offset + scale * output."""

    offset: float
    scale: float

    def to_pixels(self, values: Array) -> Array:
        """Outputs or targets (N, 136) as keypoints (N, 68, 2) in pixels of the crop, in the dtype of `values`."""
        return values.reshape(-1, 68, 2) * self.scale + self.offset

    def to_units(self, keypoints: Array) -> Array:
        """Keypoints (..., 2) in pixels of the crop as a network should give them: the same shape and dtype."""
        return (keypoints - self.offset) / self.scale
