"""The Discord channel of cobot-session. Importing it does not import discord.py."""

from cobot_discord.channel import Discord
from cobot_discord.config import DiscordSettings, GuildSettings

__all__ = ["Discord", "DiscordSettings", "GuildSettings"]
