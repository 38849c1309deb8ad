"""What the tests of this package share."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["cobot_session.testing"]

settings.register_profile(  # no claim of speed in a test
    "cobot", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("cobot")

sys.path.insert(0, str(Path(__file__).parent))  # for nostr_rig; tests are no package


@pytest.fixture
def anyio_backend():
    """Asynchronous tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def _lasting_loop():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="nostr-sdk calls back", daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@pytest.fixture
async def _sdk_loop(_lasting_loop):
    """Let nostr-sdk use the test's loop; a client that was shut down may call back after it."""
    import nostr_sdk

    nostr_sdk.nostr_sdk.uniffi_set_event_loop(asyncio.get_running_loop())
    yield
    nostr_sdk.nostr_sdk.uniffi_set_event_loop(_lasting_loop)


@pytest.fixture(autouse=True)
def _no_answer_comes_too_late(monkeypatch):
    """Let us wait for answers of a slow machine; each wait ends when all have come."""
    waits = ("pool.GRACE", "directory._NAME_PATIENCE", "directory._INBOX_PATIENCE")
    for name in (*waits, "deeds._PATIENCE", "announce._PATIENCE", "identity._SETTLE_SECONDS"):
        monkeypatch.setattr(f"cobot_nostr.{name}", 20.0)
