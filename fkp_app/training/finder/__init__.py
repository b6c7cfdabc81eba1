"""Training of the network that proposes faces: pictures composed of labelled frames, their targets, and the run."""
