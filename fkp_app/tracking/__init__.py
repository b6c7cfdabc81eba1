"""Faces followed through a video: where to look, whether it is still that face, and its points steadied."""
