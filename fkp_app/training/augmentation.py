"""The random changes of training crops, which `fkp train` makes before the network learns from a picture.

A change is a small dataclass: its fields are the settings of a recipe, and calling it maps (uint8 image, rng) to a
uint8 image, gray or RGB. It moves no pixels, so the keypoints stay. It never modifies the image that it is given.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

import cv2
import numpy as np

from fkp_app.data.transforms import Sample
from fkp_app.tables import Range, Share, Within
from numpynet.typing import AnyArray, Seed


class Change(Protocol):
    """A change that is made to each picture with this probability."""

    @property
    def probability(self) -> float: ...

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray: ...


@dataclass(frozen=True)
class Patches:
    """Rectangles over the picture, each flat or noisy (with a standard deviation of 40 grey levels about its level).

    count: the most rectangles. side: the range of a rectangle's sides, as shares of the picture's.
    """

    probability: Share = 0.0
    count: Annotated[int, Within(1, 100)] = 2
    side: Annotated[Range, Within(0, 1)] = (0.08, 0.35)

    NOISE: ClassVar[float] = 40.0

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        image = image.copy()
        for _ in range(rng.integers(1, self.count + 1)):
            shape = [max(1, round(length * rng.uniform(*self.side))) for length in image.shape[:2]]
            top, left = (int(rng.integers(room - side + 1)) for room, side in zip(image.shape, shape, strict=False))
            part = image[top : top + shape[0], left : left + shape[1]]
            level = rng.uniform(0, 255, image.shape[2:])  # one per channel
            noisy = rng.random() < 0.5
            part[...] = np.clip(level + self.NOISE * rng.standard_normal(part.shape), 0, 255) if noisy else level
        return image


@dataclass(frozen=True)
class Light:
    """A gamma curve with an exponent within exp(± gamma), then times a factor `gain`, then plus an `offset`.

    gain and offset are ranges; an offset is a share of the full scale.
    """

    probability: Share = 0.0
    gamma: Annotated[float, Within(0, 3)] = 0.5
    gain: Annotated[Range, Within(0, 10)] = (0.6, 1.4)
    offset: Annotated[Range, Within(-1, 1)] = (-0.2, 0.2)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        levels = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-self.gamma, self.gamma))
        levels = levels * rng.uniform(*self.gain) + rng.uniform(*self.offset)
        return cv2.LUT(image, np.round(255 * np.clip(levels, 0, 1)).astype(np.uint8))


@dataclass(frozen=True)
class Shade:
    """A shadow: on one side of a line through the picture, levels are multiplied by a factor `gain`.

    edge: the range of the width of the shadow's edge, as a share of the picture's longer side.
    """

    probability: Share = 0.0
    gain: Annotated[Range, Within(0, 1)] = (0.2, 0.7)
    edge: Annotated[Range, Within(0, 1)] = (0.01, 0.3)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        height, width = image.shape[:2]
        turn, gain = rng.uniform(0, 2 * np.pi), rng.uniform(*self.gain)
        x, y = rng.uniform(0.2, 0.8, 2) * (width, height)
        across = np.cos(turn) * (np.arange(width) - x) + np.sin(turn) * (np.arange(height) - y)[:, None]
        wide = max(1.0, max(height, width) * rng.uniform(*self.edge))
        light = (gain + (1 - gain) * np.clip(across / wide + 0.5, 0, 1)).astype(np.float32)  # (H, W)
        shaded = image * (light if image.ndim == 2 else light[:, :, None])
        return np.rint(shaded).astype(np.uint8)


@dataclass(frozen=True)
class Blur:
    """Gaussian blur. sigma: the range of its standard deviation, in pixels."""

    probability: Share = 0.0
    sigma: Annotated[Range, Within(0.05, 50)] = (0.4, 1.5)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(*self.sigma))


@dataclass(frozen=True)
class LowResolution:
    """Shrink the picture by a random factor, then stretch it back."""

    probability: Share = 0.0
    factor: Annotated[Range, Within(0.01, 1)] = (0.3, 0.7)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        height, width = image.shape[:2]
        factor = rng.uniform(*self.factor)
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)


@dataclass(frozen=True)
class Noise:
    """Sensor noise: normal, independent for each pixel and channel.

    sigma: the range of its standard deviation, in grey levels of 255.
    """

    probability: Share = 0.0
    sigma: Annotated[Range, Within(0, 255)] = (2.0, 12.0)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        noise = np.float32(rng.uniform(*self.sigma)) * rng.standard_normal(image.shape, np.float32)
        return cv2.add(image, noise, dtype=cv2.CV_8U)


@dataclass(frozen=True)
class Jpeg:
    """Write the picture as JPEG and read it back. quality: a range from 0, the worst, to 100."""

    probability: Share = 0.0
    quality: Annotated[Range, Within(0, 100)] = (15.0, 60.0)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(rng.uniform(*self.quality))]
        gray = image.ndim == 2
        _, data = cv2.imencode(".jpg", image if gray else cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)
        decoded = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
        assert decoded is not None
        return decoded if gray else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@dataclass(frozen=True)
class Augmentation:
    """All settings of a recipe's changes, in the order in which they are made.

    rotate, scale, shift and flip are those of `transforms.FaceCrop`.
    """

    rotate: Annotated[float, Within(0, 180)] = 0.0
    scale: Share = 0.0
    shift: Share = 0.0
    flip: bool = False
    patches: Patches = Patches()
    shade: Shade = Shade()
    light: Light = Light()
    blur: Blur = Blur()
    low_resolution: LowResolution = LowResolution()
    noise: Noise = Noise()
    jpeg: Jpeg = Jpeg()

    def changes(self) -> tuple[Change, ...]:
        """The changes of a picture after it is cropped: those of the scene, of lens and sensor, of storage."""
        return self.patches, self.shade, self.light, self.blur, self.low_resolution, self.noise, self.jpeg


class RandomChanges:
    """Make each change in turn to a sample's uint8 image with its probability, by random numbers from `rng`."""

    def __init__(self, changes: tuple[Change, ...], rng: Seed = None) -> None:
        self.changes = [change for change in changes if change.probability > 0]
        self.rng = np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = sample["image"]
        for change in self.changes:
            if self.rng.random() < change.probability:
                image = change(image, self.rng)
        return {**sample, "image": image}
