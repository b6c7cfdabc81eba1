"""Training: recipes, trainers, and runs with their files."""
