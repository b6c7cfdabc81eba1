"""The check of the check: gradcheck must accept right gradients and refuse wrong ones."""

import numpy as np

from numpynet.gradcheck.cases import CASES
from numpynet.gradcheck.diagnosis import Finding
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
    findings: object = CASES[case](np.random.default_rng(0))
    if not isinstance(findings, list) or not all(isinstance(finding, Finding) for finding in findings):
        raise TypeError(f"check must return a list of findings, and returns {findings!r:.40}")
    return all(finding.passed for finding in findings)
