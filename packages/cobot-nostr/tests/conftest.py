"""What the tests of this package share."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["cobot_session.testing"]

settings.register_profile("cobot", deadline=None)  # no claim of speed in a test
settings.load_profile("cobot")

sys.path.insert(0, str(Path(__file__).parent))  # for nostr_rig; tests are no package


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio."""
    return "asyncio"
