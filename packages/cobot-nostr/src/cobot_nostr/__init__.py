"""The Nostr channel of cobot-session."""
