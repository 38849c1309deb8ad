"""The Telegram channel of cobot-session."""
