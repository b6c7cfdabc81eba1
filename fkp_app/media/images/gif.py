"""GIF files: extracts the first frame and counts all of them."""

import io

from fkp_app.media.images.contents import CUT, Contents

_MOST_STEPS = 4_000_000
"""Most blocks that are looked at, which takes a few seconds."""
_CONTROL = 0xF9
"""The label of the extension that states a frame's transparency."""


def read_gif(data: bytes) -> Contents:
    """The first frame of a GIF file, without comments and other extensions."""
    place = 13 + _palette(data[10:11])
    kept, control, first, frames, steps = data[:place], b"", b"", 0, 0
    while place < len(data) and data[place] in (0x21, 0x2C) and steps < _MOST_STEPS:
        start, is_frame = place, data[place] == 0x2C
        place += 10 + _palette(data[place + 9 : place + 10]) + 1 if is_frame else 2
        while place < len(data) and data[place] and steps < _MOST_STEPS:
            place, steps = place + data[place] + 1, steps + 1
        place += 1
        steps += 1
        frames += is_frame
        if is_frame and frames == 1:
            first = data[start:place]
        elif not frames and data[start + 1 : start + 2] == bytes([_CONTROL]):
            control = data[start:place]
    stream = io.BytesIO(kept + control + first + b";")
    return Contents("GIF", stream, frames=max(1, frames), remarks=[CUT] if place >= len(data) else [])


def _palette(flags: bytes) -> int:
    """Size in bytes of the colour table that this byte of flags announces."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
