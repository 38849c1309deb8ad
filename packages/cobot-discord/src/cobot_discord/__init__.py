"""The Discord channel of cobot-session."""
