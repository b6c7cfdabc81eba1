"""The networks that the parity command knows by name. Importing this loads no torch."""

from typing import Any

from numpynet.architectures import defaults
from numpynet.models import KeypointNet

MODELS: dict[str, dict[str, Any]] = {"net": defaults(KeypointNet), "compact": defaults(KeypointNet.compact)}
"""Constructor arguments, of `numpynet.KeypointNet` and of its twin `reference.models.Net`."""
