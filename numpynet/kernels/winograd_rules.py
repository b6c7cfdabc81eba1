"""Winograd's rules: four outputs of a 3-tap convolution from six products instead of twelve.

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

The arguments are anything that can be added and multiplied by a float: numbers, arrays, or vectors of registers.
"""

from typing import Any

OUTPUTS, TAPS, POINTS = 4, 3, 6

P, Q = 0.75, 1.5
PP, QQ = P * P, Q * Q

# The products of the differences between a point and all others.
AT_0, AT_P, AT_Q = PP * QQ, 2 * PP * (PP - QQ), 2 * QQ * (QQ - PP)

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
