"""How good the points are: on labelled photos beside dlib's, and in video, where they should neither shake nor lag."""
