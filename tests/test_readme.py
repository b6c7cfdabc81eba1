"""README.md: its first program runs as it stands, and learns."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_the_first_program_runs_and_its_loss_falls(tmp_path):
    first = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert first is not None
    command = [sys.executable, "-c", first[1]]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=README.parent)
    losses = [float(line) for line in done.stdout.split()]
    assert len(losses) > 2
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.8 * losses[0]
