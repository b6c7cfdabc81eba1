"""The backward passes, the long way: every intermediate has a name, a value and a gradient.

`numpynet.functional` holds the short way, which is what runs. Each function here returns a `Staged`, in the order in
which the forward pass computes. `DERIVATIONS` holds a small example of each: `python -m numpynet.learn derive NAME`.
"""

from numpynet.learn.derivations.examples import DERIVATIONS as DERIVATIONS
from numpynet.learn.derivations.staged import Staged as Staged
