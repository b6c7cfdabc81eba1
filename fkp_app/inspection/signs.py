"""The colours of numbers of both signs: those of the learning area's figures."""

from matplotlib.colors import ListedColormap

from numpynet.learn.colours import palette

SIGNED = ListedColormap(palette(127) / 255.0, "signed")
SIGNS = "Blue is positive, white 0, orange negative."
"""The legend."""
