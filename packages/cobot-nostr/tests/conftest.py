"""What the tests of this package share."""

import sys
from pathlib import Path

import pytest

pytest_plugins = ["cobot_session.testing"]

sys.path.insert(0, str(Path(__file__).parent))  # for nostr_rig; tests are no package


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio."""
    return "asyncio"
