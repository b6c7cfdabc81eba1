"""Videos and cameras: frames in, frames out, frames in a window."""
