"""Images, videos and cameras: what they are, read and written."""
