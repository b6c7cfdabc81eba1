"""The PyTorch twin of numpynet: the same networks, training step and predictor, as a PyTorch user writes them.

models      Net and HourglassNet, the twins of numpynet's networks
training    Trainer: the training step, and the state that a checkpoint stores
optimizers  the state of PyTorch's optimizers under numpynet's names
backend     TorchPredictor: crops in, keypoints out
parity      `python -m reference.parity`: trains both sides from the same weights on the same batches and compares them
comparison  one training step on both sides, and how far the results differ
batches     the batches that the parity command trains on

Importing this package alone loads neither torch nor numpynet.
"""
