"""All channels for the cobot agent, through its own `communication.*` extension points.

In the agent's configuration:

    plugins:
      external: [cobot_session.cobot_agent]
      disabled: [session, telegram, nostr]
    cobot_session:
      telegram:
        bot_token: ${TELEGRAM_BOT_TOKEN}
        access: {users: ["123456789"]}

The agent (distribution `cobot`, 0.2) imports this package and calls `create_plugin`; nothing else
imports it, and importing it does not import the agent.
"""

from cobot_session.cobot_agent.registration import create_plugin

__all__ = ["create_plugin"]
