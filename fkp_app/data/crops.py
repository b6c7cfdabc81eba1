"""The crop of a labelled frame that a network is given, framed as its weights file says."""

from fkp_app.data.transforms import CenterCrop, Compose, FaceCrop, Normalize, Rescale, ToTensor, Transform
from fkp_app.geometry.crop_card import CropCard
from fkp_app.geometry.framing import Framing

COURSE_SIZE, COURSE_RESCALE = 224, 250
"""The course project rescales a frame's shorter side to 250 pixels and cuts out a window of 224 x 224."""


def evaluation_transform(card: CropCard) -> Transform:
    """From a labelled frame to the crop that the application would cut, with keypoints in the card's units."""
    framing = Framing.from_dict(card.framing)
    if framing.kind == "frame":
        return Compose([Rescale(course_rescale(framing)), CenterCrop(framing.size), *to_input(card)])
    return Compose([FaceCrop(framing), *to_input(card)])


def course_rescale(framing: Framing) -> int:
    """The shorter side, in pixels, to which the course project rescales a frame before it cuts out its window."""
    return round(framing.size * COURSE_RESCALE / COURSE_SIZE)


def to_input(card: CropCard) -> list[Transform]:
    """The last transforms of every sample: keypoints into the card's units, then arrays as the network takes them."""
    return [Normalize(card.keypoint_offset, card.keypoint_scale), ToTensor()]
