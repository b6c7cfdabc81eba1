"""From a labelled picture to a network's input: the course project's four transforms, and the crop of the face.

A sample is {"image": array, "keypoints": (68, 2) float32}. Until Normalize, the image is uint8, RGB (H, W, 3) or gray
(H, W), and the keypoints are in its pixels. A transform returns a new sample and does not change the given one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from fkp_app.geometry.framing import Framing, apply, crop_matrix, face_square, to_gray, warp
from fkp_app.geometry.keypoint_layout import FLIP_ORDER
from fkp_app.geometry.units import Units
from numpynet.typing import Batch, Seed

Sample = dict[str, Any]
Transform = Callable[[Sample], Sample]


class Compose:
    """Several transforms, one after the other."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = list(transforms)

    @property
    def generators(self) -> list[np.random.Generator]:
        """Those from which the transforms draw their random numbers."""
        found = (getattr(transform, "rng", None) for transform in self.transforms)
        return [rng for rng in found if rng is not None]

    def __call__(self, sample: Sample) -> Sample:
        for transform in self.transforms:
            sample = transform(sample)
        return sample


class Rescale:
    """Resize to (height, width), or, if `size` is one number, so that the shorter side has `size` pixels."""

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.size = size

    def __call__(self, sample: Sample) -> Sample:
        height, width = sample["image"].shape[:2]
        if isinstance(self.size, int):
            ratio = self.size / min(height, width)
            new_height, new_width = round(height * ratio), round(width * ratio)
        else:
            new_height, new_width = self.size
        # In two steps: if INTER_AREA shrinks one axis and stretches the other, it shifts the picture.
        shrunk = (min(new_width, width), min(new_height, height))
        image = cv2.resize(sample["image"], shrunk, interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        factor = np.array([new_width / width, new_height / height], np.float32)
        return {**sample, "image": image, "keypoints": sample["keypoints"] * factor}


class _Crop:
    """A window of (height, width) pixels, or of size x size."""

    def __init__(self, size: int | tuple[int, int]) -> None:
        self.height, self.width = (size, size) if isinstance(size, int) else size

    def window(self, sample: Sample, place: Callable[[int], int]) -> Sample:
        """The window whose top and left are `place(room)`; room is the number of pixels by which it can move."""
        height, width = sample["image"].shape[:2]
        if height < self.height or width < self.width:
            raise ValueError(
                f"{type(self).__name__}: an image of {height} x {width} pixels is smaller than the crop of "
                f"{self.height} x {self.width}; rescale it first"
            )
        top, left = place(height - self.height), place(width - self.width)
        image = sample["image"][top : top + self.height, left : left + self.width]
        return {**sample, "image": image, "keypoints": sample["keypoints"] - np.array([left, top], np.float32)}


class RandomCrop(_Crop):
    """A window at a random place, all places equally likely. ValueError if the image is smaller."""

    def __init__(self, size: int | tuple[int, int], rng: Seed = None) -> None:
        super().__init__(size)
        self.rng = np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        return self.window(sample, lambda room: int(self.rng.integers(room + 1)))


class CenterCrop(_Crop):
    """The window in the middle. ValueError if the image is smaller."""

    def __call__(self, sample: Sample) -> Sample:
        return self.window(sample, lambda room: room // 2)


class FaceCrop:
    """The face, framed as the application frames it; with an `rng`, randomly jittered. The image may be gray.

    rotate: the largest rotation either way, in degrees. scale: the crop grows by a random factor within exp(± scale).
    shift: the largest shift each way, as a share of the crop's side. flip: mirror each crop with probability 1/2.
    """

    def __init__(
        self,
        framing: Framing,
        rng: Seed = None,
        rotate: float = 0.0,
        scale: float = 0.0,
        shift: float = 0.0,
        flip: bool = False,
    ) -> None:
        self.framing = framing
        self.rng = None if rng is None else np.random.default_rng(rng)
        self.rotate, self.scale, self.shift, self.flip = rotate, scale, shift, flip

    def __call__(self, sample: Sample) -> Sample:
        keypoints = sample["keypoints"]
        square = face_square(keypoints)
        flip = False
        if self.rng is None:
            matrix = crop_matrix(square, self.framing)
        else:
            draw = self.rng.uniform
            angle, scale = draw(-self.rotate, self.rotate), float(np.exp(draw(-self.scale, self.scale)))
            shift = (draw(-self.shift, self.shift), draw(-self.shift, self.shift))
            flip = self.flip and self.rng.random() < 0.5
            matrix = crop_matrix(square, self.framing, angle, scale, shift, flip)
        image = warp(sample["image"], matrix, self.framing.size)
        moved = apply(matrix, keypoints.astype(np.float64)).astype(np.float32)
        return {**sample, "image": image, "keypoints": moved[FLIP_ORDER] if flip else moved}


class Gray:
    """An RGB image as gray, still uint8: later transforms have a third of the work. A gray image stays as it is."""

    def __call__(self, sample: Sample) -> Sample:
        image = sample["image"]
        return {**sample, "image": image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)}


class Normalize:
    """The image as grayscale in 0 .. 1, and the keypoints as (keypoint - offset) / scale."""

    def __init__(self, offset: float = 100.0, scale: float = 50.0) -> None:
        self.units = Units(offset, scale)

    def __call__(self, sample: Sample) -> Sample:
        keypoints = self.units.to_units(sample["keypoints"])
        return {**sample, "image": to_gray(sample["image"]), "keypoints": keypoints}


class ToTensor:
    """The image with channels first, (1, H, W) or (3, H, W); image and keypoints as contiguous float32."""

    def __call__(self, sample: Sample) -> Sample:
        image = sample["image"]
        channels_first = image[None] if image.ndim == 2 else image.transpose(2, 0, 1)  # (H, W, C) -> (C, H, W)
        return {
            **sample,
            "image": np.ascontiguousarray(channels_first, np.float32),
            "keypoints": np.ascontiguousarray(sample["keypoints"], np.float32),
        }


def collate(samples: Sequence[Sample]) -> Batch:
    """One batch of the samples of `ToTensor`: images (N, 1, S, S), and the keypoints as targets (N, 136)."""
    images = np.stack([sample["image"] for sample in samples])
    return images, np.stack([np.reshape(sample["keypoints"], -1) for sample in samples])
