"""What `fkp train` does: recipes, trainers, runs and their files."""
