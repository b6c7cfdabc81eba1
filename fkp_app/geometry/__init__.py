"""Squares, boxes and maps between an image and a crop; the numbering of the 68 points."""
