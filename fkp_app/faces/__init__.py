"""Where faces are, and where their 68 points are."""
