"""Labelled frames: fetched, checked, and made into training samples."""
