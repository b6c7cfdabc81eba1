"""One BLAS thread, as the commands of the learning area have: with more, small networks wait for their threads."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    with threadpool_limits(limits=1):
        yield
