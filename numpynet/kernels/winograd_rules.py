"""Winograd's rules: four outputs of a 3-tap convolution from six products instead of twelve, or three from five.

A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015; S. Winograd, 1980. In one dimension, six
pixels d and three weights g give the four outputs y[i] = sum_k g[k] d[i + k]::

    V = points_of_input(d)       6 numbers
    U = points_of_filter(g)      6 numbers
    M = U V                      6 products, one per point
    y = output_of_points(M)      4 numbers

Where it comes from: sliding g over d is the transpose of multiplying two polynomials, and a product of degree 5 is
known by its values at six points. Here the points are 0, +-P, +-Q and infinity. In two dimensions the rules are
applied along both axes of a grid: 6 x 6 pixels, 36 products, 4 x 4 outputs, each of which would need 9 products.

Each rule is linear, so backward is its transpose. With dy, the gradient of the outputs::

    dM = points_of_dout(dy)           the transpose of output_of_points
    dd = dinput_of_points(dM U)       the transpose of points_of_input
    dg = dfilter_of_points(dM V)      the transpose of points_of_filter

P = 3/4 and Q = 3/2 give errors 2.5 times those of the direct sum in float32; the usual points 1 and 2 give 5 times.

A picture of 6 x 6 has room for one tile of four and a half: its tiles of three need 100 products, those of four 144.
Tiles of three have rules of their own, whose names end in _3, with the points +-R, +-S and infinity, five in all.
R = 3/8 and S = 5/4 give the smallest errors among the eighths, less than with tiles of four.

The arguments are anything that can be added and multiplied by a float: numbers, arrays, or vectors of registers.
"""

from typing import Any

TAPS = 3

P, Q = 0.75, 1.5
PP, QQ = P * P, Q * Q

R, S = 0.375, 1.25
RR, SS = R * R, S * S

# The products of the differences between a point and all others.
AT_0, AT_P, AT_Q = PP * QQ, 2 * PP * (PP - QQ), 2 * QQ * (QQ - PP)
AT_R, AT_S = 2 * R * (RR - SS), 2 * S * (SS - RR)

Five = tuple[Any, Any, Any, Any, Any]
Six = tuple[Any, Any, Any, Any, Any, Any]


def points_of_input(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any, d5: Any) -> Six:
    """The six pixels at the six points."""
    even_p, odd_p = d4 - QQ * d2, P * (d3 - QQ * d1)
    even_q, odd_q = d4 - PP * d2, Q * (d3 - PP * d1)
    first = (PP * QQ) * d0 - (PP + QQ) * d2 + d4
    last = (PP * QQ) * d1 - (PP + QQ) * d3 + d5
    return first, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, last


def dinput_of_points(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> Six:
    """The transpose of `points_of_input`."""
    even_p, odd_p = m1 + m2, P * (m1 - m2)
    even_q, odd_q = m3 + m4, Q * (m3 - m4)
    return (
        (PP * QQ) * m0,
        (PP * QQ) * m5 - QQ * odd_p - PP * odd_q,
        -(PP + QQ) * m0 - QQ * even_p - PP * even_q,
        odd_p + odd_q - (PP + QQ) * m5,
        m0 + even_p + even_q,
        m5,
    )


def points_of_filter(g0: Any, g1: Any, g2: Any) -> Six:
    """The three weights at the six points."""
    even_p, odd_p = (1 / AT_P) * g0 + (PP / AT_P) * g2, (P / AT_P) * g1
    even_q, odd_q = (1 / AT_Q) * g0 + (QQ / AT_Q) * g2, (Q / AT_Q) * g1
    return (1 / AT_0) * g0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, g2


def dfilter_of_points(u0: Any, u1: Any, u2: Any, u3: Any, u4: Any, u5: Any) -> tuple[Any, Any, Any]:
    """The transpose of `points_of_filter`."""
    even_p, odd_p = u1 + u2, u1 - u2
    even_q, odd_q = u3 + u4, u3 - u4
    return (
        (1 / AT_0) * u0 + (1 / AT_P) * even_p + (1 / AT_Q) * even_q,
        (P / AT_P) * odd_p + (Q / AT_Q) * odd_q,
        (PP / AT_P) * even_p + (QQ / AT_Q) * even_q + u5,
    )


def output_of_points(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any, m5: Any) -> tuple[Any, Any, Any, Any]:
    """The four outputs, from the products at the six points."""
    even_p, odd_p = m1 + m2, P * (m1 - m2)
    even_q, odd_q = m3 + m4, Q * (m3 - m4)
    return m0 + even_p + even_q, odd_p + odd_q, PP * even_p + QQ * even_q, PP * odd_p + QQ * odd_q + m5


def points_of_dout(y0: Any, y1: Any, y2: Any, y3: Any) -> Six:
    """The transpose of `output_of_points`."""
    even_p, odd_p = y0 + PP * y2, P * (y1 + PP * y3)
    even_q, odd_q = y0 + QQ * y2, Q * (y1 + QQ * y3)
    return y0, even_p + odd_p, even_p - odd_p, even_q + odd_q, even_q - odd_q, y3


def points_of_input_3(d0: Any, d1: Any, d2: Any, d3: Any, d4: Any) -> Five:
    """The five pixels at the five points."""
    even_r, odd_r = R * (d2 - SS * d0), d3 - SS * d1
    even_s, odd_s = S * (d2 - RR * d0), d3 - RR * d1
    last = (RR * SS) * d0 - (RR + SS) * d2 + d4
    return odd_r + even_r, odd_r - even_r, odd_s + even_s, odd_s - even_s, last


def dinput_of_points_3(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any) -> Five:
    """The transpose of `points_of_input_3`."""
    sum_r, difference_r = m0 + m1, R * (m0 - m1)
    sum_s, difference_s = m2 + m3, S * (m2 - m3)
    return (
        (RR * SS) * m4 - SS * difference_r - RR * difference_s,
        -SS * sum_r - RR * sum_s,
        difference_r + difference_s - (RR + SS) * m4,
        sum_r + sum_s,
        m4,
    )


def points_of_filter_3(g0: Any, g1: Any, g2: Any) -> Five:
    """The three weights at the five points."""
    even_r, odd_r = (1 / AT_R) * g0 + (RR / AT_R) * g2, (R / AT_R) * g1
    even_s, odd_s = (1 / AT_S) * g0 + (SS / AT_S) * g2, (S / AT_S) * g1
    return odd_r + even_r, odd_r - even_r, odd_s + even_s, odd_s - even_s, g2


def dfilter_of_points_3(u0: Any, u1: Any, u2: Any, u3: Any, u4: Any) -> tuple[Any, Any, Any]:
    """The transpose of `points_of_filter_3`."""
    sum_r, difference_r = u0 + u1, u0 - u1
    sum_s, difference_s = u2 + u3, u2 - u3
    return (
        (1 / AT_R) * difference_r + (1 / AT_S) * difference_s,
        (R / AT_R) * sum_r + (S / AT_S) * sum_s,
        (RR / AT_R) * difference_r + (SS / AT_S) * difference_s + u4,
    )


def output_of_points_3(m0: Any, m1: Any, m2: Any, m3: Any, m4: Any) -> tuple[Any, Any, Any]:
    """The three outputs, from the products at the five points."""
    even_r, even_s = m0 + m1, m2 + m3
    return even_r + even_s, R * (m0 - m1) + S * (m2 - m3), RR * even_r + SS * even_s + m4


def points_of_dout_3(y0: Any, y1: Any, y2: Any) -> Five:
    """The transpose of `output_of_points_3`."""
    even_r, even_s, odd_r, odd_s = y0 + RR * y2, y0 + SS * y2, R * y1, S * y1
    return even_r + odd_r, even_r - odd_r, even_s + odd_s, even_s - odd_s, y2
