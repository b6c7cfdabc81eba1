"""Compares every kernel with the readable function, on arrays of a few numbers.

The arrays are small because `tests.mutation` runs these files with NUMBA_DISABLE_JIT=1, a thousand times, and compiled
loops that run uncompiled are slow. But a kernel does most of its work only with large arrays: it passes small ones on
to the readable function, and makes a single piece of what it would otherwise cut for several threads. So the kernels
are made to believe that everything is large (conftest.py):

- the sizes from which a kernel pays, and the sizes of its pieces, are set to a few numbers (`small_pieces`, `way`):
  each test has several pieces, and the last of them is smaller than the others;
- the kernels' `functional` is replaced by `FailingFunctional`: a call that is passed on to the readable function fails,
  because the test would then compare that function with itself;
- `empty` returns NaN everywhere (`poisoned`): an element that a kernel forgets to write shows.
"""
