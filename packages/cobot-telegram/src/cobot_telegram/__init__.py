"""The Telegram channel of cobot-session. Importing it does not import python-telegram-bot."""

from cobot_telegram.channel import Telegram
from cobot_telegram.config import TelegramConfig

__all__ = ["Telegram", "TelegramConfig"]
