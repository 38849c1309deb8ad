"""The tests are no package: what several of them share lies beside them."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

pytest_plugins = ["cobot_session.testing", "pytester"]

# A machine that stands still for a moment makes any example slow, and the making of one, too.
settings.register_profile("cobot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cobot")

sys.path.insert(0, str(Path(__file__).parent))
