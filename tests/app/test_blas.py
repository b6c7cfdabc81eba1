"""The kernels that OpenBLAS is told to use, and the advice if it uses slower ones."""

import os
import subprocess
import sys

import pytest

from fkp_app import blas

WIDE = "flags\t\t: fpu avx2 avx512f avx512dq avx512bw avx512vl avx512cd\n"
NARROW = "flags\t\t: fpu avx2\n"


@pytest.fixture
def unset(monkeypatch):
    """Unsets the variable and undoes a test's changes to it: other processes may lack the kernels."""
    monkeypatch.setenv(blas.VARIABLE, "")  # first, since pytest undoes only its own changes
    monkeypatch.delenv(blas.VARIABLE)


@pytest.mark.parametrize(("text", "wide"), [(WIDE, True), (NARROW, False), ("", False)])
def test_the_processors_width_is_read(tmp_path, text, wide):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\n" + text)
    assert blas.has_wide_vectors(tmp_path / "cpuinfo") is wide


def test_a_system_that_does_not_state_the_width_counts_as_narrow(tmp_path):
    assert blas.has_wide_vectors(tmp_path / "none") is False


@pytest.mark.parametrize(
    ("wide", "before", "after"),
    [(True, None, "SkylakeX"), (True, "Haswell", "Haswell"), (False, None, None)],
)
def test_the_environment_is_respected(unset, monkeypatch, wide, before, after):
    if before is not None:
        monkeypatch.setenv(blas.VARIABLE, before)
    monkeypatch.setattr(blas, "has_wide_vectors", lambda: wide)
    monkeypatch.delitem(sys.modules, "numpy")
    blas.choose_kernels()
    assert os.environ.get(blas.VARIABLE) == after


def test_nothing_is_set_once_numpy_is_loaded(unset, monkeypatch):
    monkeypatch.setattr(blas, "has_wide_vectors", lambda: True)
    blas.choose_kernels()
    assert blas.VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("architecture", "wide", "said"),
    [("Haswell", True, True), ("SkylakeX", True, False), ("Haswell", False, False)],
)
def test_advice_where_openblas_is_narrower_than_the_processor(monkeypatch, architecture, wide, said):
    import threadpoolctl

    monkeypatch.setattr(
        threadpoolctl, "threadpool_info", lambda: [{"internal_api": "openblas", "architecture": architecture}]
    )
    monkeypatch.setattr(blas, "has_wide_vectors", lambda: wide)
    line = blas.advice()
    assert (line is not None) == said
    if line is not None:
        assert "OPENBLAS_CORETYPE=SkylakeX" in line
        assert architecture in line


def test_the_command_sets_it_before_numpy_is_loaded():
    code = (
        "import sys, os, fkp_app.cli, fkp_app.blas as b; assert 'numpy' not in sys.modules; "
        "b.has_wide_vectors = lambda: True; fkp_app.cli.main(['--version']); print(os.environ[b.VARIABLE])"
    )
    environment = {name: value for name, value in os.environ.items() if name != blas.VARIABLE}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.split()[-1] == "SkylakeX"
