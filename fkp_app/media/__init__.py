"""Finds, reads and writes images and videos; reads cameras; shows windows."""
