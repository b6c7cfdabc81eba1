"""Converts decoded pictures of any coding to uint8 RGB of BT.709, which images, screens and written videos have."""

from fractions import Fraction

import cv2
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from fkp_app.media.video.tone import BT709, BT2020, HLG, PQ, WIDE, table
from numpynet.typing import AnyArray

HIGH_DEFINITION = 720
"""Rows. If a video does not state its matrix, pictures of at least this height use ITU-R BT.709, others BT.601."""
UNSPECIFIED = 2
"""H.273's number for "not stated": of transfer functions, primaries and matrices."""
MATRICES = frozenset([0, 1, 4, 5, 6, 7, 9])
"""H.273's numbers of the matrices that FFmpeg can undo: RGB itself, and codings as brightness and colour."""
BT2020_MATRIX, BT709_MATRIX, BT601_MATRIX = 9, 1, 5
"""The numbers of matrices in FFmpeg's libswscale."""
LEVEL = 8
"""The table has LEVEL ** 2 colours per side; colours between them are interpolated."""
CLOCK = Fraction(1, 25)
"""FFmpeg's filters require times; these have no meaning."""


class Colours:
    """Called with a frame, returns its picture, uint8 RGB (H, W, 3), not yet turned upright.

    notes: gets one line for each kind of conversion. HDR (HLG, PQ) and wide gamuts become BT.709, see `tone`.
    """

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._tables: dict[tuple[int, int, int, int], _Table] = {}

    def __call__(self, frame: VideoFrame) -> AnyArray:
        transfer, primaries = int(frame.color_trc), int(frame.color_primaries)
        matrix = self._matrix(frame, transfer, primaries)
        if any(component.is_alpha for component in frame.format.components):
            self._note("has a channel of transparency, which is left out")
        if transfer in (HLG, PQ):
            primaries = primaries if primaries in WIDE or primaries == BT709 else BT2020  # HLG and PQ come with BT.2020
            name = "HLG" if transfer == HLG else "PQ"
            self._note(f"is HDR ({name}, {WIDE.get(primaries, 'BT.709')}), which was converted to BT.709")
        elif primaries in WIDE:
            self._note(f"has the wide gamut of {WIDE[primaries]}, which was converted to BT.709")
        else:
            return frame.to_ndarray(format="rgb24", src_colorspace=matrix)
        plain = frame.reformat(format="rgb48le", src_colorspace=matrix)
        return self._table(transfer, primaries, plain)(plain)

    def _matrix(self, frame: VideoFrame, transfer: int, primaries: int) -> int | None:
        """The matrix from brightness and colour to RGB; None: the one that the frame states."""
        stored = int(frame.colorspace)
        if stored in MATRICES:
            return None
        if stored != UNSPECIFIED:
            self._note(f"codes its colours in a way that is unknown here (matrix {stored} of H.273); they may be wrong")
        if primaries == BT2020 or transfer in (HLG, PQ):
            return BT2020_MATRIX
        return BT709_MATRIX if frame.height >= HIGH_DEFINITION else BT601_MATRIX

    def _table(self, transfer: int, primaries: int, frame: VideoFrame) -> "_Table":
        key = transfer, primaries, frame.width, frame.height
        if key not in self._tables:
            self._tables = {key: _Table(*key)}
        return self._tables[key]

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)


class _Table:
    """A colour table for frames of one size, applied by FFmpeg's filter haldclut, which takes it as a picture."""

    def __init__(self, transfer: int, primaries: int, width: int, height: int) -> None:
        side = LEVEL**3
        colours = table(LEVEL**2, transfer, primaries).transpose(2, 1, 0, 3)  # red quickest, blue slowest
        picture = np.ascontiguousarray(np.rint(65535 * colours).astype(np.uint16).reshape(side, side, 3))
        graph = Graph()
        stored = VideoFormat("rgb48le")
        self._in = graph.add_buffer(width=width, height=height, format=stored, time_base=CLOCK)
        colour_table = graph.add_buffer(width=side, height=side, format=stored, time_base=CLOCK)
        look_up, self._out = graph.add("haldclut", clut="first"), graph.add("buffersink")
        self._in.link_to(look_up, 0, 0)
        colour_table.link_to(look_up, 0, 1)
        look_up.link_to(self._out)
        graph.configure()
        self._graph = graph
        frame = VideoFrame.from_ndarray(picture, format="rgb48le")
        frame.pts, frame.time_base = 0, CLOCK
        colour_table.push(frame)
        colour_table.push(None)
        self._count = 0

    def __call__(self, frame: VideoFrame) -> AnyArray:
        """The colours of an rgb48le frame, looked up in the table: uint8 (H, W, 3)."""
        frame.pts, frame.time_base = self._count, CLOCK
        self._count += 1
        self._in.push(frame)
        found = self._out.pull()
        assert isinstance(found, VideoFrame)
        return cv2.convertScaleAbs(found.to_ndarray(), alpha=1 / 257)
