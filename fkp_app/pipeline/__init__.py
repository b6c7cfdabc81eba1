"""What `fkp detect` and `fkp filter` do with their sources."""
