"""Chooses OpenBLAS's kernels. Nothing else matters as much for the speed of training.

When NumPy is loaded, OpenBLAS looks at the processor and chooses kernels for it. For a processor that it does not know,
it may choose those of an older one, which are half as fast. The environment variable OPENBLAS_CORETYPE overrides the
choice, but must be set before NumPy is loaded. So this module does not load NumPy.
"""

import os
import sys
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
WIDE = "SkylakeX"
"""The name of the kernels for all processors with AVX-512."""

NEEDED = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}
"""The processor flags that these kernels need, as /proc/cpuinfo names them."""
WIDE_ENOUGH = ("skylakex", "cooperlake", "sapphirerapids")
"""The names of all kernels that use AVX-512, in lower case."""


def has_wide_vectors(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has the flags NEEDED. False if the system has no file `cpuinfo`."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and set(line.split()) >= NEEDED for line in lines)


def choose_kernels() -> None:
    """Choose the AVX-512 kernels if the processor has AVX-512, NumPy is not loaded yet, and VARIABLE is not set."""
    if "numpy" not in sys.modules and has_wide_vectors():
        os.environ.setdefault(VARIABLE, WIDE)


def advice() -> str | None:
    """One line for the user if OpenBLAS runs kernels without AVX-512 although the processor has it; otherwise None."""
    from threadpoolctl import threadpool_info

    running = [str(pool["architecture"]) for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    if not running or not has_wide_vectors() or any(name.lower() in WIDE_ENOUGH for name in running):
        return None
    return f"OpenBLAS runs its {running[0]} kernels; set {VARIABLE}={WIDE} in the environment to train faster here"
