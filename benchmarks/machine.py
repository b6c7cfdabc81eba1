"""On what a measurement was made: without it a time says nothing."""

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info


def describe() -> dict[str, Any]:
    """Processor, cores, versions, and every BLAS and thread pool that is loaded with its threads."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "torch_threads": torch.get_num_threads(),
        "thread_pools": [
            {key: pool.get(key) for key in ("internal_api", "version", "architecture", "num_threads", "prefix")}
            for pool in threadpool_info()
        ],
    }


def print_description(machine: dict[str, Any]) -> None:
    """Two or three lines of it."""
    print(
        f"{machine['processor']}, {machine['cores_usable']} of {machine['cores']} cores, load {machine['load_before']}"
    )
    print(f"Python {machine['python']}, NumPy {machine['numpy']}, PyTorch {machine['torch']}")
    pools = [
        f"{pool['internal_api']} {pool['version'] or ''} ({pool['prefix']}, {pool['architecture'] or 'any'}, "
        f"{pool['num_threads']} threads)"
        for pool in machine["thread_pools"]
    ]
    print("; ".join(pools))


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
