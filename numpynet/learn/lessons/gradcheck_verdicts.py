"""The check of the check: gradcheck must accept right gradients and refuse wrong ones."""

import numpy as np

from numpynet.gradcheck.cases import CASES
from numpynet.learn.lessons.plant import bugs, planted


def wrong_verdicts() -> list[str]:
    """What gradcheck says wrongly about a few right and two wrong gradients, one line each; nothing if all is well."""
    accepted = []
    for name in ("relu_drops_upstream", "batch_norm_no_gamma"):
        bug = bugs()[name]
        with planted(bug):
            if _accepts(bug.case):
                accepted.append(f"accepts a wrong one: {bug.title}")
    return accepted + [
        f"calls the right {case} wrong" for case in ("linear", "relu", "batch_norm") if not _accepts(case)
    ]


def _accepts(case: str) -> bool:
    return all(finding.passed for finding in CASES[case](np.random.default_rng(0)))
