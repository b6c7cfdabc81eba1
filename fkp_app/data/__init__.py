"""Labelled frames: download, checks, and conversion into training samples."""
