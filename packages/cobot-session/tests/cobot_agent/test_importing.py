"""What the bridge costs those who do not use it; needs no agent."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["cobot_session", "cobot_session.cobot_agent"])
def test_importing_brings_no_agent(module: str) -> None:
    """Neither the package nor the bridge imports the agent: the agent imports the bridge."""
    barred = {"cobot", "cobot_session.cobot_agent"}
    look = f"import {module}, sys; print(sorted({barred} & {{*sys.modules}}))"
    found = subprocess.check_output([sys.executable, "-c", look], text=True, timeout=60)
    assert found.strip() == str([module] if module != "cobot_session" else [])
