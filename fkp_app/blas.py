"""Which of its kernels OpenBLAS runs, on which training's speed depends more than on anything else.

OpenBLAS looks at the processor when NumPy is loaded, and takes kernels for one that it knows. On a newer processor
these may be of an older kind, half as fast. The environment variable OPENBLAS_CORETYPE names others. Nothing here
loads NumPy: the choice must be made before.
"""

import os
import sys
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
WIDE = "SkylakeX"
"""The kernels for any processor with AVX-512."""

NEEDED = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512cd"}
WIDE_ENOUGH = ("skylakex", "cooperlake", "sapphirerapids")


def has_wide_vectors(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has what those kernels use; False where the system does not tell."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and set(line.split()) >= NEEDED for line in lines)


def choose_kernels() -> None:
    """Have OpenBLAS use the processor's full width, unless the environment says otherwise or NumPy is there already."""
    if "numpy" not in sys.modules and has_wide_vectors():
        os.environ.setdefault(VARIABLE, WIDE)


def advice() -> str | None:
    """One line where NumPy's OpenBLAS runs narrower kernels than the processor has; None otherwise."""
    from threadpoolctl import threadpool_info

    running = [str(pool["architecture"]) for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    if not running or not has_wide_vectors() or any(name.lower() in WIDE_ENOUGH for name in running):
        return None
    return f"OpenBLAS runs its {running[0]} kernels; {VARIABLE}={WIDE} in the environment would train faster here"
