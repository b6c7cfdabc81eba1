"""Makes ICC profiles for files that describe their colours by numbers instead."""

import struct
from functools import cache

import numpy as np

from numpynet.typing import Array

HDR = "is HDR ({}); its levels are used as they are, so that it looks dull"
"""The remark about a picture whose levels are not meant for an SDR screen."""

_D65, _D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
_ADOBE_GAMMA = 563 / 256
_SRGB_GAMMA = 45455
"""The gamma, times 100,000, by which a PNG file means sRGB."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

Primaries = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""
_BT709: Primaries = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE: Primaries = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_PRIMARIES: dict[int, tuple[str, Primaries]] = {
    1: ("BT.709", _BT709),
    5: ("BT.601", (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06)),
    6: ("BT.601", (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07)),
    9: ("BT.2020", (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046)),
    11: ("DCI-P3", (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)),
    12: ("Display P3", (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)),
}
"""Name and chromaticities by the number in ITU-T H.273."""
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions by the number in H.273: those that are a gamma, and those of HDR."""


def hdr_name(transfer: int) -> str | None:
    """The name of an HDR transfer function by its number in H.273; None for all others."""
    return _HDR.get(transfer)


def profile_of(primaries: int, transfer: int) -> bytes | None:
    """The profile of primaries and transfer by their H.273 numbers; None if they are sRGB, HDR or unknown."""
    if primaries not in _PRIMARIES or transfer in _HDR:
        return None
    name, points = _PRIMARIES[primaries]
    gamma = _GAMMAS.get(transfer)
    return None if points == _BT709 and gamma is None else make(name, points, gamma)


def png_profile(gamma: int, primaries: tuple[int, ...] | None) -> bytes | None:
    """The profile of a PNG file's gAMA and cHRM, both times 100,000; None if they mean sRGB or make no sense."""
    points = _BT709 if primaries is None else tuple(value / 100_000 for value in primaries)
    plain = abs(gamma - _SRGB_GAMMA) < 1000
    if not 10_000 <= gamma <= 200_000 or (plain and np.allclose(points, _BT709, atol=0.003)):
        return None
    try:
        return make("its gamma and primaries", points, None if plain else 100_000 / gamma)
    except (ValueError, np.linalg.LinAlgError, struct.error):
        return None


@cache
def adobe_rgb() -> bytes:
    """The profile of a photo that a camera marked as Adobe RGB without adding a profile."""
    return make("Adobe RGB", _ADOBE, _ADOBE_GAMMA)


def make(name: str, primaries: tuple[float, ...], gamma: float | None) -> bytes:
    """An ICC profile (version 4) with these primaries. gamma: of all three channels, None for sRGB's curve.

    primaries: x and y of white, red, green and blue. ValueError, LinAlgError or struct.error if they make no sense.
    """
    white = np.array([_xyz(*primaries[:2])])
    corners = np.array([_xyz(*primaries[i : i + 2]) for i in (2, 4, 6)]).T  # (3, 3): XYZ of each channel is a column
    corners = corners * np.linalg.solve(corners, white[0])
    cones = _BRADFORD @ white[0]
    adapted = np.linalg.solve(_BRADFORD, np.diag(_BRADFORD @ _D50 / cones) @ _BRADFORD) @ corners
    if not np.isfinite(adapted).all():
        raise ValueError("primaries without a plane")
    curve = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045) if gamma is None else (gamma,)
    trc = struct.pack(">4s4xHH", b"para", 3 if gamma is None else 0, 0) + _fixed(*curve)
    text = name.encode("utf-16-be")
    tags = {b"desc": struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(text), 28) + text}
    tags |= {b"cprt": tags[b"desc"], b"wtpt": _point(np.array(_D50))}
    tags |= {key: _point(adapted[:, i]) for i, key in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), trc)
    table, data = struct.pack(">I", len(tags)), b""
    for key, value in tags.items():
        table += struct.pack(">4sII", key, 132 + 12 * len(tags) + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    head = struct.pack(">4x4sI4s4s4s", b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s4x4x4x8xI", 2026, 1, 1, 0, 0, 0, b"acsp", 0) + _fixed(*_D50)
    head = head.ljust(128, b"\0")
    return struct.pack(">I", 128 + len(table) + len(data)) + head[4:] + table + data


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    if not 0 < y <= 1:
        raise ValueError("a primary without light")
    return x / y, 1.0, (1 - x - y) / y


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def _point(xyz: Array) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*xyz.tolist())
