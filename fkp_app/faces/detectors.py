"""The detectors by name: the Haar cascades, the network that proposes faces, or both."""

from fkp_app.errors import UsageError
from fkp_app.faces.detector import Candidate, FaceDetector
from fkp_app.faces.keypoints import Detector
from fkp_app.faces.proposals import NetDetector, Proposal
from numpynet.typing import AnyArray

DETECTORS = ("haar", "net", "both")
DEFAULT_DETECTOR = "net"
"""`python -m benchmarks changed-frames --data DIR --detector NAME` measures what each of them finds."""


class BothDetectors:
    """The candidates of the network and of the cascades. Use one detector per thread."""

    def __init__(self, own_process: bool = False) -> None:
        self._net, self._haar = NetDetector(own_process=own_process), FaceDetector()

    def candidates(self, image: AnyArray, angle: float = 0.0, margin: float = 0.0) -> list[Candidate | Proposal]:
        """First the network's candidates, then the cascades'. Arguments as in `FaceDetector.candidates`."""
        return [*self._net.candidates(image, angle, margin), *self._haar.candidates(image, angle, margin)]

    def least(self, height: int, width: int) -> float:
        """Side of the smallest box, in pixels of an image of this size, that one of them finds in it."""
        return min(self._net.least(height, width), self._haar.least(height, width))


def make_detector(name: str | None = None, own_process: bool = False) -> Detector:
    """The detector of this name, DEFAULT_DETECTOR if None. own_process: as in `NetDetector`.

    UsageError if there is no detector of this name.
    """
    name = name or DEFAULT_DETECTOR
    if name == "haar":
        return FaceDetector()
    if name == "net":
        return NetDetector(own_process=own_process)
    if name == "both":
        return BothDetectors(own_process)
    raise UsageError(f"--detector must be one of {', '.join(DETECTORS)}, got {name}")
