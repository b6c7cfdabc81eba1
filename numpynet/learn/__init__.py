"""The learning area: `python -m numpynet.learn` lists the path through the pages of docs/learn.

It needs NumPy alone, knows all of numpynet, and nothing else in numpynet knows it. It writes only into the folder that
the reader names.
"""
