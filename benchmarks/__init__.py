"""Measurements of this project; `python -m benchmarks` lists them.

speed        the files of this folder: numpynet beside PyTorch and the limit of the machine; speed of the application
quality      how good the keypoints are, on labelled photos and in video
calibration  the application's constants, fitted to the data set
results      what the commands measured, written with `--json`; `report` makes docs/benchmarks.md of it
"""
