"""`cobot.yml`: reading, `${VAR}`, validation, and mistakes that say where they stand."""

from cobot_session.config.ids import access_id, checked_common, target_id
from cobot_session.config.load import BUILT_IN, Block, Config, is_name, load_config
from cobot_session.config.options import MissingSettingsError, validate_options
from cobot_session.config.places import Steps
from cobot_session.config.schema import json_schema
from cobot_session.config.settings import (
    AccessSettings,
    CommonSettings,
    SessionSettings,
    WorkspaceSettings,
)

__all__ = [
    "BUILT_IN",
    "AccessSettings",
    "Block",
    "CommonSettings",
    "Config",
    "MissingSettingsError",
    "SessionSettings",
    "Steps",
    "WorkspaceSettings",
    "access_id",
    "checked_common",
    "is_name",
    "json_schema",
    "load_config",
    "target_id",
    "validate_options",
]
