"""Draws the glasses for docs/draw_styles.py."""

import numpy as np
from brush import Drawing, Plane, Points, lit, oval, pair, stroke, union


def glass(
    drawing: Drawing, lens: Plane, tints: Plane, own: tuple[float, ...], opacity: tuple[float, float], gleam: float
) -> None:
    """Draw lenses. tints: at the top and bottom; own: the lenses' own colour; opacity: at the top and bottom; gleam:
    the strength of the reflected sky."""
    rows = drawing.y[lens > 0]
    down = np.clip((drawing.y - rows.min()) / np.ptp(rows), 0, 1)
    drawing.stain(lens, (1 - down[..., None]) * tints[0] + down[..., None] * tints[1])
    drawing.paint(lens, own, opacity[0] + (opacity[1] - opacity[0]) * down)
    # Two slanting bands of light, at the same place in both lenses, and a faint sky in their upper part.
    slant = drawing.x - 33 * np.sign(drawing.x) + 0.55 * drawing.y
    bands = soft(slant, -11, -2) + 0.6 * soft(slant, 1.5, 4)
    drawing.paint(lens - 0.8, (255, 255, 255), gleam * (bands * (1 - 0.75 * down) + 0.35 * (1 - down) ** 2))


def soft(value: Plane, low: float, high: float) -> Plane:
    """1 between low and high, with an edge of a millimetre."""
    return np.clip((value - low) / 1.0, 0, 1) * np.clip((high - value) / 1.0, 0, 1)


def sunglasses() -> Drawing:
    drawing = Drawing(-74, -30, 74, 30)
    lens = pair(drawing, [(13, -9), (20, -15), (38, -17), (54, -15.5), (58, -8), (55, 8), (46, 18), (30, 19), (18, 12)])
    rim: Points = [(9, -12), (19, -19.5), (40, -22), (60, -22.5), (68.5, -21), (67, -11), (62.5, -2)]
    rim += [(59, 10), (49, 21.5), (29, 22.5), (14.5, 15), (9.5, 2)]
    bridge = drawing.shape([(-13, -14), (0, -16), (13, -14), (12, -5), (0, -9.5), (-12, -5)])
    body = union(pair(drawing, rim), bridge)
    glass(drawing, lens + 0.6, np.array([(52, 50, 54), (120, 108, 100)]), (18, 20, 26), (0.72, 0.42), 0.2)
    frame = np.minimum(body, -lens)
    drawing.paint(frame, lit(frame, (34, 32, 36), 1.7, 120, 26))
    for x in (-62.5, 62.5):
        pin = drawing.shape(oval(x, -15.5, 2.4, 0.85))
        drawing.paint(pin, lit(pin, (196, 196, 204), 0.8, 60))
    return drawing


def wire(drawing: Drawing, lens: Plane, parts: list[Plane], metal: tuple[int, ...], width: float) -> None:
    """Draw a thin rim around the lenses, and the other wires."""
    line = union(np.minimum(lens + width, width - (lens + width)), *parts)
    drawing.paint(line, lit(line, metal, width / 2, 110, 14))


def aviator() -> Drawing:
    drawing = Drawing(-74, -26, 74, 32)
    outline: Points = [(8, -9), (16, -15), (36, -17), (55, -14), (61, -5)]
    lens = pair(drawing, [*outline, (58, 9), (47, 22), (32, 25), (18, 17), (9, 3)])
    glass(drawing, lens + 0.5, np.array([(66, 58, 40), (190, 172, 130)]), (44, 38, 22), (0.62, 0.2), 0.24)
    wires = [stroke([(-15, -15.2), (0, -17), (15, -15.2)], [1.8, 2.2, 1.8])]
    wires += [stroke([(-9, -6), (0, -9.5), (9, -6)], [1.5, 1.5, 1.5])]
    wires += [stroke([(s * 59.5, -9.5), (s * 66, -12), (s * 71, -11)], [1.8, 2.6, 3.2]) for s in (-1, 1)]
    wire(drawing, lens, [drawing.shape(each, smooth=False) for each in wires], (214, 172, 88), 1.5)
    return drawing


def round_glasses() -> Drawing:
    drawing = Drawing(-72, -27, 72, 27)
    lens = union(*(drawing.shape(oval(s * 33, 1, 22, 22)) for s in (-1, 1)))
    glass(drawing, lens + 0.5, np.array([(84, 132, 158), (170, 206, 214)]), (24, 66, 92), (0.42, 0.14), 0.26)
    wires = [stroke([(-13, -5), (-5, -9), (5, -9), (13, -5)], [1.8, 1.8, 1.8, 1.8])]
    wires += [stroke([(s * 53.5, -6.5), (s * 62, -8.5), (s * 70, -8)], [1.8, 2.4, 2.8]) for s in (-1, 1)]
    wire(drawing, lens, [drawing.shape(each, smooth=False) for each in wires], (168, 172, 180), 1.7)
    return drawing


def heart(middle: float) -> Plane:
    """The outline of a heart centred at (middle, 0), its tip at the bottom."""
    t = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    x, y = 16 * np.sin(t) ** 3, 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.column_stack([middle + 1.52 * x, -0.5 - 1.3 * y])


def hearts() -> Drawing:
    drawing = Drawing(-74, -27, 74, 33)
    lens = union(*(drawing.shape(heart(s * 34), smooth=False) for s in (-1, 1)))
    glass(drawing, lens + 0.6, np.array([(214, 92, 128), (246, 150, 176)]), (150, 16, 60), (0.42, 0.18), 0.28)
    bridge = drawing.shape([(-16, -11), (0, -7.5), (16, -11), (14, -4.5), (0, -2.5), (-14, -4.5)])
    arms = pair(drawing, [(55, -10), (66, -13), (71, -12.5), (71, -8), (65, -6.5), (55, -3)])
    body = union(lens + 4.2, bridge, arms)
    frame = np.minimum(body, -lens)
    drawing.paint(frame, lit(frame, (206, 24, 62), 1.8, 130, 26))
    return drawing


def reading() -> Drawing:
    drawing = Drawing(-72, -24, 72, 24)
    outline: Points = [(11, -9), (15, -14), (33, -15.5), (52, -14.5), (57, -9)]
    lens = pair(drawing, [*outline, (55.5, 7), (49, 15), (33, 16.5), (18, 14.5), (12.5, 6)])
    glass(drawing, lens + 0.6, np.array([(238, 244, 246), (250, 252, 252)]), (210, 226, 236), (0.05, 0.0), 0.2)
    bridge = drawing.shape([(-13, -9), (0, -12), (13, -9), (12, -4), (0, -8.2), (-12, -4)])
    arms = pair(drawing, [(54, -13), (62, -14), (69, -13), (69, -8.5), (62, -8), (55, -5)])
    frame = np.minimum(union(lens + 3.0, bridge, arms), -lens)
    # Tortoise shell: blots of a darker brown.
    across, down = np.sin(0.17 * drawing.x), np.sin(0.23 * drawing.y)
    blots = np.sin(0.31 * drawing.x + 1.7 * down) * np.sin(0.37 * drawing.y + 1.3 * across)
    shell = np.array([150, 88, 42]) + np.clip(1.6 * blots + 0.2, 0, 1)[..., None] * np.array([-88, -54, -24])
    drawing.paint(frame, lit(frame, shell, 1.5, 80, 26))
    return drawing
