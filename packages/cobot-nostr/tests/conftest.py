"""What the tests of this package share."""

import pytest


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio."""
    return "asyncio"
