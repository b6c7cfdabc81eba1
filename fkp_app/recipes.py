"""What goes into a network: how its crops are framed, jittered in training, and brought into its units."""

from dataclasses import asdict, dataclass
from typing import Any

from fkp_app.framing import Framing
from fkp_app.transforms import CenterCrop, Compose, FaceCrop, Normalize, RandomCrop, Rescale, ToTensor, Transform
from numpynet.checkpoint import WeightsCard
from numpynet.models import MODELS
from numpynet.typing import Seed

COURSE_SIZE, COURSE_RESCALE = 224, 250
COURSE_OFFSET, COURSE_SCALE = 100.0, 50.0


@dataclass(frozen=True)
class Jitter:
    """How training crops of a face vary; the fields are those of `transforms.FaceCrop`."""

    rotate: float = 0.0
    scale: float = 0.0
    shift: float = 0.0
    flip: bool = False
    light: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """The crops and the defaults of one of the networks that `fkp train` knows by name."""

    arguments: dict[str, Any]
    framing: Framing
    jitter: Jitter
    batch_size: int
    epochs: int

    def card(self, training: dict[str, Any]) -> WeightsCard:
        """The card of weights trained this way. Units are the course project's, (keypoint - 100) / 50 in a crop of
        224 pixels, and the same share of the crop at any other size."""
        zoom = self.framing.size / COURSE_SIZE
        return WeightsCard(
            arguments=self.arguments,
            input_size=self.framing.size,
            framing=self.framing.as_dict(),
            keypoint_offset=COURSE_OFFSET * zoom,
            keypoint_scale=COURSE_SCALE * zoom,
            training={**training, "jitter": asdict(self.jitter)},
        )


RECIPES = {
    "net": Recipe(
        arguments=MODELS["net"],
        framing=Framing(kind="frame", size=COURSE_SIZE, scale=2.04),
        jitter=Jitter(),
        batch_size=10,
        epochs=1,
    ),
    "compact": Recipe(
        arguments=MODELS["compact"],
        framing=Framing(kind="face", size=MODELS["compact"]["size"], scale=1.3),
        jitter=Jitter(rotate=20.0, scale=0.15, shift=0.12, flip=True, light=0.3),
        batch_size=32,
        epochs=40,
    ),
}


def training_transform(card: WeightsCard, jitter: Jitter, rng: Seed) -> Transform:
    """From a labelled frame to a training sample in the card's units; random numbers come from `rng`."""
    framing = Framing.from_dict(card.framing)
    if framing.kind == "frame":
        return Compose([Rescale(_course_rescale(framing)), RandomCrop(framing.size, rng=rng), *_to_input(card)])
    return Compose([FaceCrop(framing, rng=rng, **asdict(jitter)), *_to_input(card)])


def evaluation_transform(card: WeightsCard) -> Transform:
    """From a labelled frame to the crop that the application would make of it, in the card's units."""
    framing = Framing.from_dict(card.framing)
    if framing.kind == "frame":
        return Compose([Rescale(_course_rescale(framing)), CenterCrop(framing.size), *_to_input(card)])
    return Compose([FaceCrop(framing), *_to_input(card)])


def _course_rescale(framing: Framing) -> int:
    return round(framing.size * COURSE_RESCALE / COURSE_SIZE)


def _to_input(card: WeightsCard) -> list[Transform]:
    return [Normalize(card.keypoint_offset, card.keypoint_scale), ToTensor()]
