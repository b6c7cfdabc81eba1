"""The PyTorch twin of numpynet: the same networks, training loop and predictor, as a PyTorch user writes them.

models      Net and HourglassNet, the twins of numpynet's networks
training    the training step, and what a checkpoint of it holds; optimizers  what an optimizer remembers
backend     TorchPredictor: crops in, keypoints out
parity      `python -m reference.parity`: both sides trained from the same weights on the same batches, compared

Importing this package alone loads neither torch nor numpynet.
"""
