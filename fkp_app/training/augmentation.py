"""How training crops vary: what `fkp train` does to each picture before the network learns from it.

A change is a small dataclass: its settings as a recipe gives them, and the function (uint8 image, rng) -> uint8 image,
gray or RGB. It moves nothing, so keypoints stay. None changes the image that it was given.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Protocol

import cv2
import numpy as np

from fkp_app.data.transforms import Sample
from fkp_app.tables import Range, Share, Within
from numpynet.typing import AnyArray, Seed


class Change(Protocol):
    """Something that is done to every picture with this probability."""

    @property
    def probability(self) -> float: ...

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray: ...


@dataclass(frozen=True)
class Patches:
    """Rectangles laid over the picture, each flat or noisy (by 40 grey levels about a level of its own).

    count: how many, at most; side: of a rectangle, as a share of the picture's.
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
            level = rng.uniform(0, 255, image.shape[2:])  # one a channel
            noisy = rng.random() < 0.5
            part[...] = np.clip(level + self.NOISE * rng.standard_normal(part.shape), 0, 255) if noisy else level
        return image


@dataclass(frozen=True)
class Light:
    """Gamma by a factor within exp(± gamma), then contrast by a factor `gain`, then brightness by `offset`.

    gain and offset are ranges, offset in shares of the full scale.
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
class Blur:
    """Gaussian blur. sigma: in pixels."""

    probability: Share = 0.0
    sigma: Annotated[Range, Within(0.05, 50)] = (0.4, 1.5)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(*self.sigma))


@dataclass(frozen=True)
class LowResolution:
    """Shrunk by a factor, and stretched back."""

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
    """A sensor's: normal, of its own in every pixel and channel. sigma: in grey levels of 255."""

    probability: Share = 0.0
    sigma: Annotated[Range, Within(0, 255)] = (2.0, 12.0)

    def __call__(self, image: AnyArray, rng: np.random.Generator) -> AnyArray:
        noise = np.float32(rng.uniform(*self.sigma)) * rng.standard_normal(image.shape, np.float32)
        return cv2.add(image, noise, dtype=cv2.CV_8U)


@dataclass(frozen=True)
class Jpeg:
    """Written as JPEG and read again. quality: from 0, the worst, to 100."""

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
    """All of it, in the order in which it is done; rotate to flip as in `transforms.FaceCrop`."""

    rotate: Annotated[float, Within(0, 180)] = 0.0
    scale: Share = 0.0
    shift: Share = 0.0
    flip: bool = False
    patches: Patches = Patches()
    light: Light = Light()
    blur: Blur = Blur()
    low_resolution: LowResolution = LowResolution()
    noise: Noise = Noise()
    jpeg: Jpeg = Jpeg()

    def changes(self) -> tuple[Change, ...]:
        """What is done to the picture once it is cropped: what a scene does, then lens and sensor, then storage."""
        return self.patches, self.light, self.blur, self.low_resolution, self.noise, self.jpeg


class RandomChanges:
    """Each of the changes in turn to a sample's uint8 image, with its probability; random numbers come from `rng`."""

    def __init__(self, changes: tuple[Change, ...], rng: Seed = None) -> None:
        self.changes = [change for change in changes if change.probability > 0]
        self.rng = np.random.default_rng(rng)

    def __call__(self, sample: Sample) -> Sample:
        image = sample["image"]
        for change in self.changes:
            if self.rng.random() < change.probability:
                image = change(image, self.rng)
        return {**sample, "image": image}
