"""Faces found in an image, their 68 keypoints, how sure they are, and how they are drawn."""
