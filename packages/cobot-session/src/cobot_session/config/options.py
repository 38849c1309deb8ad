"""A plugin's own settings against its own model."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from cobot_session.config.settings import COMMON_KEYS
from cobot_session.config.validation import Part, check
from cobot_session.errors import ConfigError

if TYPE_CHECKING:
    from cobot_session.config.load import Block, Config

Model = TypeVar("Model", bound=BaseModel)


class MissingSettingsError(ConfigError):
    """Nothing is wrong, but required settings are absent; `missing` names them."""

    def __init__(self, error: ConfigError, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__(error.problems)


def validate_options(config: Config, block: Block, model: type[Model]) -> Model:
    """Return a block's own settings, validated.

    Numbers are taken as they are written where the model wants text; unknown keys are mistakes
    even where the model ignores them. No problem repeats a value.

    Raises:
        MissingSettingsError: only required settings are absent.
        ConfigError: every mistake, the absent settings included.
    """
    found = check(model, Part(block.options, block.steps, config.places), COMMON_KEYS)
    if found.value is not None:
        return found.value
    absent = [
        config.problem_at((*block.steps, name), "is required", f"Add `{name}: …` to the block.")
        for name in found.missing
    ]
    every = sorted([*found.problems, *absent], key=lambda it: (it.line, it.column))
    error = ConfigError(every)
    raise error if found.problems else MissingSettingsError(error, tuple(found.missing))
