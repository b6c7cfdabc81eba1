"""Videos and cameras: reads frames, writes them, shows them in a window."""
