"""PyTorch gives the shipped finder's answers."""

import numpy as np
import torch

from fkp_app.backends.channels_last import of_one_image
from fkp_app.faces.proposals import SHIPPED_FINDER
from numpynet import load_net
from reference.models import FinderNet


def test_both_sides_answer_alike():
    net, card = load_net(SHIPPED_FINDER)
    twin = FinderNet.from_state(net.state_dict(), card.arguments).eval()
    image = np.random.default_rng(0).random((1, 1, 200, 328), np.float32)
    expected = twin(torch.from_numpy(image)).detach().numpy()
    np.testing.assert_allclose(net(image), expected, atol=2e-4)
    forward = of_one_image(net)
    assert forward is not None
    np.testing.assert_allclose(forward(image[0].transpose(1, 2, 0)).transpose(2, 0, 1), expected[0], atol=2e-4)
