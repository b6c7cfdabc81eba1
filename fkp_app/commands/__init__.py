"""The commands of `fkp`, a file each."""
