"""The choice of OpenBLAS's kernels, on which the speed of training depends more than on anything else.

When NumPy is loaded, OpenBLAS looks at the processor and takes the kernels of one that it knows. For a newer processor
it may take those of an older one, which are half as fast. The environment variable OPENBLAS_CORETYPE overrides its
choice, and must be set before NumPy is loaded. So this module does not load NumPy.
"""

import os
import sys
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
WIDE = "SkylakeX"
"""Name of the kernels for every processor with AVX-512."""

NEEDED = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}
"""Processor flags that these kernels need."""
WIDE_ENOUGH = ("skylakex", "cooperlake", "sapphirerapids")
"""Names of kernels that use AVX-512."""


def has_wide_vectors(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has the flags NEEDED; False if the system has no such file."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and set(line.split()) >= NEEDED for line in lines)


def choose_kernels() -> None:
    """Choose the AVX-512 kernels if the processor has it, the environment names none and NumPy is not loaded yet."""
    if "numpy" not in sys.modules and has_wide_vectors():
        os.environ.setdefault(VARIABLE, WIDE)


def advice() -> str | None:
    """One line for the user if OpenBLAS runs kernels without AVX-512 on a processor that has it; None otherwise."""
    from threadpoolctl import threadpool_info

    running = [str(pool["architecture"]) for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    if not running or not has_wide_vectors() or any(name.lower() in WIDE_ENOUGH for name in running):
        return None
    return f"OpenBLAS runs its {running[0]} kernels; {VARIABLE}={WIDE} in the environment would train faster here"
