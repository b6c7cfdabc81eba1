"""numpynet beside PyTorch, measured: `python -m benchmarks --help`."""
