pytest_plugins = ["cobot_session.testing"]
