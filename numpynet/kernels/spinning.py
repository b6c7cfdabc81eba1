"""Waiting for another thread without sleeping: the system takes long to wake a thread that sleeps."""

import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from numpynet.kernels.code_cache import DISABLED, njit
from numpynet.kernels.lanes import pointer_to

ROUNDS = 5000
"""Each takes 10 to 40 nanoseconds."""

_PAUSE = "llvm.x86.sse2.pause" if platform.machine().lower() in ("x86_64", "amd64") else None


@intrinsic
def _now(_, array):  # type: ignore[no-untyped-def]
    """array[0] as it is now in the memory that the threads share, after a pause that leaves the core to others."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _PAUSE is not None:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, _PAUSE), [])
        pointer = pointer_to(context, builder, signature.args[0], arguments[0], ir.Constant(ir.IntType(64), 0))
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(array), code


@njit(nogil=True, cache=True)
def spin(array, number):  # type: ignore[no-untyped-def]
    """Return when array[0], int64, is no longer this number, or after ROUNDS rounds."""
    for _ in range(ROUNDS):
        if _now(array) != number:  # type: ignore[call-arg]
            return


SPIN = None if DISABLED else spin
"""For `workers.spin_with`."""
