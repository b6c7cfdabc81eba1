"""The command `step`: one training step in small steps, in the terminal (stepper) or as a page (step_page)."""
