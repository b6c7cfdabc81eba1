"""Soft argmax, one image per task of the pool of threads, each by the readable function of the same name."""

from numpynet import functional
from numpynet.functional.arguments import of_forward, of_output
from numpynet.functional.soft_argmax2d import SoftArgmax2dCache
from numpynet.kernels.buffers import empty
from numpynet.kernels.made_for import compiled
from numpynet.typing import Array
from numpynet.workers import run


def soft_argmax2d(x: Array) -> tuple[Array, SoftArgmax2dCache]:
    """See `numpynet.functional.soft_argmax2d`."""
    if not compiled(x) or x.ndim != 4 or not x.size:
        return functional.soft_argmax2d(x)  # it also reports what is wrong
    N, K = x.shape[:2]
    share, position = empty(x.shape, x.dtype), empty((N, K, 2), x.dtype)

    def image(n: int) -> None:
        _, cache = functional.soft_argmax2d(x[n : n + 1])
        share[n], position[n] = cache.share[0], cache.position[0]

    run(image, N)
    return position.reshape(N, 2 * K), SoftArgmax2dCache(share, position)  # (N, K, 2) -> (N, 2 K)


def soft_argmax2d_backward(dout: Array, cache: SoftArgmax2dCache) -> Array:
    """See `numpynet.functional.soft_argmax2d_backward`."""
    of_forward("soft_argmax2d_backward", cache, SoftArgmax2dCache)
    N, K = cache.share.shape[:2]
    of_output("soft_argmax2d_backward", dout, (N, 2 * K))
    if not compiled(dout, cache.share):
        return functional.soft_argmax2d_backward(dout, cache)
    dx = empty(cache.share.shape, dout.dtype)

    def image(n: int) -> None:
        part = slice(n, n + 1)
        part_cache = SoftArgmax2dCache(cache.share[part], cache.position[part])
        dx[part] = functional.soft_argmax2d_backward(dout[part], part_cache)

    run(image, len(dx))
    return dx
