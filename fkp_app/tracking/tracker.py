"""Faces followed through a video, frame by frame: each with a number of its own, its keypoints steady.

The cascades, which find faces, run only now and then (see `searches`). In between the network looks once a frame at
each face, where its last points and its speed say that it will be, all faces in one batch. Now and then it looks at a
face a second time in the same batch, in a crop a little aside: points that go with the crop are on no face.
"""

from dataclasses import dataclass

import numpy as np

from fkp_app.backends.predictor import Predictor
from fkp_app.faces.confidence import MIN_CONFIDENCE
from fkp_app.faces.keypoints import SAME_FACE, Detector, Face, find_faces, sights
from fkp_app.geometry.framing import Square
from fkp_app.tracking.searches import Scene, Schedule
from fkp_app.tracking.tracks import WANDERED, Track, TrackedFace, merged, overlap, plausible
from numpynet.typing import AnyArray, Array

DETECT_EVERY = 15
"""Frames from one search for new faces to the next."""
USUAL = 0.04
"""Seconds that a frame is taken to last where its time says nothing."""
GAP = 1.0
"""After so many seconds without a frame the scene is taken for a new one."""
CHECK_EVERY = 5
"""Every so manieth frame a face is looked at twice."""
ASIDE = (0.15, -0.1, 1.2)
"""How the second crop lies: shifted right and down, or the other way, in sides, and so many times as large."""
REMEMBERED = 1.0
"""Seconds in which a lost face that turns up where it was going gets its number back."""


@dataclass(frozen=True)
class Lost:
    """A track that ended, and the time when it did, in seconds of the tracker's own clock."""

    track: Track
    time: float


class FaceTracker:
    """Follows the faces of one video. Use one tracker a video and a thread.

    smooth: whether keypoints are filtered (`smoothing.FaceSmoother`); detect_every: frames from one search for new
    faces to the next; min_confidence: less sure faces are not followed. ValueError where detect_every is below 1.
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
        self._given = 0  # numbers
        self.reset()

    def reset(self) -> None:
        """Forget all faces; the next frame is the first of another video. Numbers go on."""
        self._tracks: list[Track] = []
        self._lost: list[Lost] = []
        self._scene, self._size = Scene(), (0, 0)
        self._time: float | None = None
        self._clock, self._frame = 0.0, 0
        self._schedule.restart()

    def update(self, image: AnyArray, time: float) -> list[TrackedFace]:
        """The faces of the next frame, RGB (H, W, 3) uint8, the largest first. time: the frame's, in seconds.

        Frames need not come regularly. A time that repeats counts as a usual frame's; where time goes back, or frames
        change their size, all begins anew.
        """
        dt = self._elapsed(image, time)
        cut = self._scene.changed(image) or dt > GAP
        lost = self._follow(image, dt, cut)
        search = self._schedule.next(self._detector, [track.square for track in self._tracks], cut, lost)
        if search is not None:
            for face in find_faces(image, search, self._predictor, min_confidence=self._min_confidence):
                self._enter(face)
        height, width = image.shape[:2]
        faces = [track.face(width, height) for track in self._tracks]
        return sorted(faces, key=lambda face: (-face.box[2] * face.box[3], face.track))

    def _elapsed(self, image: AnyArray, time: float) -> float:
        """Seconds since the last frame."""
        if image.shape[:2] != self._size or (self._time is not None and time < self._time):
            self.reset()
        dt = time - self._time if self._time is not None and time > self._time else USUAL
        self._size, self._time = image.shape[:2], time
        self._clock += dt
        self._frame += 1
        return max(dt, 1e-3)

    def _follow(self, image: AnyArray, dt: float, cut: bool) -> bool:
        """Find all tracks' faces in the frame; whether one was lost."""
        tracks = self._tracks
        sought = [track.ahead(dt) for track in tracks]
        doubted = [cut or track.doubts > 0 or (self._frame + track.number) % CHECK_EVERY == 0 for track in tracks]
        twice = [i for i, doubt in enumerate(doubted) if doubt]
        squares = sought + [_aside(sought[i], self._frame % 2 == 0) for i in twice]
        angles = [track.angle for track in tracks] + [tracks[i].angle for i in twice]
        seen = sights(image, squares, angles, self._predictor, 0)[0]  # (F + checked, 68, 2)
        again = dict(zip(twice, seen[len(tracks) :], strict=True))
        kept = []
        for i, track in enumerate(tracks):
            if i in again:
                track.doubts = track.doubts + 1 if _wandered(seen[i], again[i], sought[i]) else 0
            if track.doubts > (not cut) or not plausible(seen[i], sought[i], image.shape[1], image.shape[0]):
                continue
            if cut:
                track.restart()
            track.follow(seen[i], sought[i], dt)
            kept.append(track)
        self._tracks = merged(kept)
        gone = [track for track in tracks if track not in self._tracks]
        self._lost += [Lost(track, self._clock) for track in gone]
        return len(kept) < len(tracks)

    def _enter(self, face: Face) -> None:
        """A face that no track is on: a lost one, if it is where that was going, or a new one."""
        new = Track(0, face, self._smooth)
        self._lost = [one for one in self._lost if self._clock - one.time <= REMEMBERED]
        near = {one: overlap(new.square, one.track.ahead(self._clock - one.time)) for one in self._lost}
        best = max(near, key=lambda one: near[one], default=None)
        if best is not None and near[best] > SAME_FACE:
            new.number = best.track.number
            self._lost.remove(best)
        else:
            self._given += 1
            new.number = self._given
        self._tracks.append(new)


def _aside(square: Square, other_way: bool) -> Square:
    x, y, side = square
    way = -side if other_way else side
    return x + ASIDE[0] * way, y + ASIDE[1] * way, side * ASIDE[2]


def _wandered(found: Array, again: Array, sought: Square) -> bool:
    """Whether keypoints (68, 2) went with the crop when it was laid aside."""
    return not float(np.linalg.norm(again - found, axis=1).mean()) / sought[2] < WANDERED
