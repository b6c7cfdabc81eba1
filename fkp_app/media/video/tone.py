"""Converts colours of HDR and wide gamuts to BT.709, by a table from coded colours to coded colours.

A viewer should see the same faces. Light is computed as the screen of each standard shows it (ITU-R BT.2100 for HLG and
PQ, BT.1886 for the rest), in units of the light of white paper, 203 cd/m2 in HDR (ITU-R BT.2408). Light below KNEE
stays as it is; brighter light (lamps, reflections) is compressed into the range from KNEE to 1. The ratios of red,
green and blue stay the same, and with them hue and saturation: one curve per channel would make bright skin yellow.
"""

from collections.abc import Callable

import numpy as np

from numpynet.typing import Array

HLG, PQ = 18, 16
BT709, BT2020, DCI_P3, DISPLAY_P3 = 1, 9, 11, 12
"""Numbers of transfer functions and primaries in ITU-T H.273, which video files use."""
WIDE = {BT2020: "BT.2020", DCI_P3: "DCI-P3", DISPLAY_P3: "Display P3"}
CHROMATICITIES = {
    BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    BT2020: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    **dict.fromkeys((DCI_P3, DISPLAY_P3), ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))),
}
"""x, y of red, green and blue. White is always D65: the white of DCI-P3, the cinemas' own, is shown as white, too."""
D65 = (0.3127, 0.3290)
GAMMA = 2.4
"""Gamma of a screen for BT.709, by BT.1886."""
WHITE = 203.0
"""cd/m2 of white paper in HDR."""
HLG_PEAK = 1000.0
"""cd/m2 of the screen that HLG is made for; its system gamma is 1.2."""
PQ_PEAK = 4000.0
"""cd/m2 beyond which all light becomes white; few films are brighter."""
KNEE = 0.7
"""Light above this is compressed. It is a little brighter than well-lit skin, so that faces stay as they are."""


def table(size: int, transfer: int, primaries: int) -> Array:
    """Colours (size, size, size, 3), 0 .. 1, in BT.709, for coded colours spaced evenly from 0 to 1, red slowest.

    transfer, primaries: the source's, by their numbers in H.273; a transfer that is neither HLG nor PQ counts as SDR.
    """
    signal = np.arange(size, dtype=np.float64) / (size - 1)
    return converted(np.stack(np.meshgrid(signal, signal, signal, indexing="ij"), axis=-1), transfer, primaries)


def converted(signal: Array, transfer: int, primaries: int) -> Array:
    """Coded colours (..., 3), 0 .. 1, converted to coded colours of BT.709."""
    light: Array = _LIGHT.get(transfer, _sdr_light)(signal) @ to_bt709(primaries).T
    light = _into_gamut(light)
    if transfer in _LIGHT:
        brightest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
        light = light * (compressed(brightest, (HLG_PEAK if transfer == HLG else PQ_PEAK) / WHITE) / brightest)
    return np.asarray(np.clip(light, 0.0, 1.0) ** (1 / GAMMA), np.float64)


def compressed(light: Array, peak: float) -> Array:
    """Light from 0 to `peak` mapped to 0 .. 1: unchanged up to KNEE, then ever more compressed, without a kink.

    Above KNEE it is the curve of Reinhard et al. (SIGGRAPH 2002) that reaches white at the peak.
    """
    above = np.maximum(light - KNEE, 0.0) / (1 - KNEE)
    most = (peak - KNEE) / (1 - KNEE)
    curve = above * (1 + above / most**2) / (1 + above)
    return np.where(light < KNEE, light, np.minimum(KNEE + (1 - KNEE) * curve, 1.0))


def to_bt709(primaries: int) -> Array:
    """The matrix (3, 3) from linear light of these primaries to linear light of BT.709."""
    matrix: Array = np.linalg.solve(_to_xyz(BT709), _to_xyz(primaries if primaries in WIDE else BT709))
    return matrix


def _to_xyz(primaries: int) -> Array:
    """The matrix (3, 3) from linear light to CIE XYZ: each column is a primary, scaled so that their sum is white."""
    x, y = np.array(CHROMATICITIES[primaries]).T
    columns = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    white = np.array([D65[0] / D65[1], 1.0, (1 - D65[0] - D65[1]) / D65[1]])
    return columns * np.linalg.solve(columns, white)


def _into_gamut(light: Array) -> Array:
    """Move colours (..., 3) that BT.709 cannot show (a channel is below 0) towards grey until it can."""
    grey = light @ _to_xyz(BT709)[1][:, None]
    lowest = np.minimum(light.min(axis=-1, keepdims=True), 0.0)
    return np.maximum(grey + (light - grey) * (grey / np.maximum(grey - lowest, 1e-12)), 0.0)


def _sdr_light(signal: Array) -> Array:
    return signal**GAMMA


def _hlg_light(signal: Array) -> Array:
    """BT.2100, table 5: the light of the scene, then that of the screen, by the system gamma of the luminance."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])[:, None]
    shown: Array = HLG_PEAK / WHITE * np.maximum(luminance, 1e-12) ** 0.2 * scene
    return shown


def _pq_light(signal: Array) -> Array:
    """BT.2100, table 4."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = signal ** (1 / m2)
    return 10_000 / WHITE * (np.maximum(power - c1, 0.0) / (c2 - c3 * power)) ** (1 / m1)


_LIGHT: dict[int, Callable[[Array], Array]] = {HLG: _hlg_light, PQ: _pq_light}
