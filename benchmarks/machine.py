"""The machine on which a measurement was made: without it a time means nothing."""

import json
import os
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

from fkp_app.blas import has_wide_vectors
from numpynet.files import atomic


def describe() -> dict[str, Any]:
    """Processor, instruction set, cores, versions, and every loaded BLAS and thread pool with its number of threads."""
    return {
        "processor": _processor(),
        "instructions": _instructions(),
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
    """Print the most important of it in three lines."""
    print(
        f"{machine['processor']}, {machine['instructions']}, "
        f"{machine['cores_usable']} of {machine['cores']} cores, load {machine['load_before']}"
    )
    print(f"Python {machine['python']}, NumPy {machine['numpy']}, PyTorch {machine['torch']}")
    pools = [
        f"{pool['internal_api']} {pool['version'] or ''} ({pool['prefix']}, {pool['architecture'] or 'any'}, "
        f"{pool['num_threads']} threads)"
        for pool in machine["thread_pools"]
    ]
    print("; ".join(pools))


def write_results(path: Path, machine: dict[str, Any], settings: dict[str, Any], results: dict[str, Any]) -> None:
    """Write a results file as JSON: the machine, the settings and the results; whole or not at all.

    Results of several machines lie side by side, each in the folder that `slug` names. If the file holds another
    machine's results, they stay, and the new ones go to this machine's folder beside that one.
    """
    if path.exists() and slug(json.loads(path.read_text("utf-8"))["machine"]) != slug(machine):
        other, path = path, path.parent.parent / slug(machine) / path.name
        print(f"{other} holds the results of another machine; written to {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary:
        temporary.write_text(json.dumps({"machine": machine, "settings": settings} | results, indent=1) + "\n", "utf-8")


def slug(machine: dict[str, Any]) -> str:
    """The name of the folder for a machine's results: processor and usable cores, such as "amd-epyc-2-cores"."""
    words = re.sub(r"\((?:R|TM)\)", " ", machine["processor"], flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", f"{words} {machine['cores_usable']} cores".lower()).strip("-")


def _instructions() -> str:
    """The widest vector instructions of the processor that matrix products can use; "" if the system does not tell."""
    if has_wide_vectors():
        return "AVX-512"
    info = Path("/proc/cpuinfo")
    known = info.read_text("utf-8", "replace").split() if info.exists() else ()
    return next((shown for flag, shown in (("avx2", "AVX2"), ("asimd", "NEON")) if flag in known), "")


def _processor() -> str:
    """The processor's name for itself, with family and model: some virtual machines hide all but the maker's name."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in info.read_text("utf-8", "replace").splitlines() if ":" in line)
    known = {key.strip(): value.strip() for key, value in facts.items()}
    return (
        f"{known.get('model name', platform.machine())} (family {known.get('cpu family')}, model {known.get('model')})"
    )
