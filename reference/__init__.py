"""The PyTorch twin of numpynet: the same networks, training loop and predictor, as a PyTorch user writes them.

models      Net, the twin of numpynet.KeypointNet
training    the training loop, and what a checkpoint of it holds
backend     TorchPredictor: crops in, keypoints out
parity      `python -m reference.parity`: both sides trained from the same weights on the same batches, compared

Importing this package alone loads neither torch nor numpynet.
"""
