"""Faces followed through a video, frame by frame, each with its own number and steady keypoints.

The cascades, which find faces, run on few frames (see `searches`). In every frame the network looks once at each face,
at the place that its last points and its speed predict, all faces in one batch. Every 5th frame it looks at a face
twice in that batch, the second time in a shifted crop: points that go with the crop are on no face. The package's
docstring draws the states of a face.
"""

from dataclasses import dataclass

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.keypoints import SAME_FACE, Detector, Face, sights
from fkp_app.faces.levels import stretched
from fkp_app.geometry.boxes import box_of, covered
from fkp_app.geometry.framing import Square
from fkp_app.tracking.searches import Scene, Schedule
from fkp_app.tracking.tracks import WANDERED, Track, TrackedFace, merged, plausible
from numpynet.typing import AnyArray, Array

DETECT_EVERY = 15
"""Frames from one search for new faces to the next."""
USUAL = 0.04
"""Assumed duration of a frame, in seconds, if its time repeats."""
GAP = 1.0
"""A longer pause between two frames, in seconds, counts as a cut."""
CHECK_EVERY = 5
"""Each face is looked at twice in every 5th frame."""
ASIDE = (0.15, -0.1, 1.2)
"""The second crop: shift right and shift down in sides (both negated in every other frame), and enlargement."""
REMEMBERED = 1.0
"""A lost face that is found within this time, in seconds, where it was going gets its number back."""


@dataclass(frozen=True)
class Lost:
    """A track that ended, and when, in seconds of the tracker's own clock."""

    track: Track
    time: float


class FaceTracker:
    """Follows the faces of one video. Use one tracker per video, in one thread.

    smooth: filter the keypoints (`smoothing.FaceSmoother`). detect_every: frames from one search for new faces to the
    next. min_confidence: faces below it are not followed. ValueError if detect_every is below 1.
    """

    def __init__(
        self,
        detector: Detector,
        predictor: Predictor,
        *,
        smooth: bool = True,
        detect_every: int = DETECT_EVERY,
        min_confidence: float = MIN_CONFIDENCE,
    ) -> None:
        if detect_every < 1:
            raise ValueError(f"detect_every must be at least 1, got {detect_every}")
        self._detector, self._predictor = detector, predictor
        self._smooth, self._min_confidence = smooth, min_confidence
        self._schedule = Schedule(detect_every)
        self._last_number = 0
        self.reset()

    def reset(self) -> None:
        """Forget all faces; the next frame is the first of another video. Numbers are not used again."""
        self._tracks: list[Track] = []
        self._lost: list[Lost] = []
        self._scene, self._size = Scene(), (0, 0)
        self._time: float | None = None
        self._clock, self._frame = 0.0, 0
        self._schedule.restart()

    def update(self, image: AnyArray, time: float) -> list[TrackedFace]:
        """The faces of the next frame, RGB (H, W, 3) uint8, the largest first. time: of this frame, in seconds.

        Frames may come at any rate. If the time repeats, the frame lasts USUAL seconds; if it goes back, or the frame
        size changes, the tracker is reset.
        """
        dt = self._elapsed(image, time)
        image = stretched(image)
        cut = self._scene.changed(image) or dt > GAP
        lost = self._follow(image, dt, cut)
        search = self._schedule.next(self._detector, [track.square for track in self._tracks], cut, lost)
        if search is not None:
            for face in search.faces(image, self._predictor, self._min_confidence):
                self._enter(face)
        height, width = image.shape[:2]
        faces = [track.face(width, height) for track in self._tracks]
        return sorted(faces, key=lambda face: (-face.box[2] * face.box[3], face.track))

    def _elapsed(self, image: AnyArray, time: float) -> float:
        """Seconds since the last frame, at least 1 ms. Resets the tracker if the video begins anew."""
        if image.shape[:2] != self._size or (self._time is not None and time < self._time):
            self.reset()
        dt = time - self._time if self._time is not None and time > self._time else USUAL
        self._size, self._time = image.shape[:2], time
        self._clock += dt
        self._frame += 1
        return max(dt, 1e-3)

    def _follow(self, image: AnyArray, dt: float, cut: bool) -> bool:
        """Look for the face of each track in the frame. Returns whether one was lost."""
        tracks = self._tracks
        expected = [track.ahead(dt) for track in tracks]
        checked = [cut or track.doubts > 0 or (self._frame + track.number) % CHECK_EVERY == 0 for track in tracks]
        twice = [i for i, check in enumerate(checked) if check]
        squares = expected + [_aside(expected[i], self._frame % 2 == 0) for i in twice]
        angles = [track.angle for track in tracks] + [tracks[i].angle for i in twice]
        seen = sights(image, squares, angles, self._predictor, 0)[0]  # (tracks + twice, 68, 2)
        again = dict(zip(twice, seen[len(tracks) :], strict=True))
        kept = []
        for i, track in enumerate(tracks):
            if i in again:
                track.doubts = track.doubts + 1 if _wandered(seen[i], again[i], expected[i]) else 0
            if track.doubts > (0 if cut else 1) or not plausible(seen[i], expected[i], image.shape[1], image.shape[0]):
                continue
            if cut:
                track.restart()
            track.follow(seen[i], expected[i], dt)
            kept.append(track)
        self._tracks = merged(kept)
        gone = [track for track in tracks if track not in self._tracks]
        self._lost += [Lost(track, self._clock) for track in gone]
        return len(kept) < len(tracks)

    def _enter(self, face: Face) -> None:
        """Follow a newly found face: as a lost one, if it is where that one was going, else under a new number."""
        new = Track(0, face, self._smooth)
        self._lost = [one for one in self._lost if self._clock - one.time <= REMEMBERED]
        place = box_of(new.square)
        near = {one: covered(place, box_of(one.track.ahead(self._clock - one.time))) for one in self._lost}
        best = max(near, key=lambda one: near[one], default=None)
        if best is not None and near[best] > SAME_FACE:
            new.number = best.track.number
            self._lost.remove(best)
        else:
            self._last_number += 1
            new.number = self._last_number
        self._tracks.append(new)


def _aside(square: Square, negated: bool) -> Square:
    """The square of the second look, shifted and enlarged by ASIDE."""
    x, y, side = square
    unit = -side if negated else side
    return x + ASIDE[0] * unit, y + ASIDE[1] * unit, side * ASIDE[2]


def _wandered(found: Array, again: Array, expected: Square) -> bool:
    """Whether the keypoints (68, 2) of the second look went with its crop. True if they are not finite."""
    return not float(np.linalg.norm(again - found, axis=1).mean()) / expected[2] < WANDERED
