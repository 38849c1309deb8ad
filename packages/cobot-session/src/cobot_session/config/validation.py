"""A part of the configuration against its model: all mistakes at once, each in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from cobot_session.config.places import shown_key
from cobot_session.config.unknown import key_names, unknown_keys
from cobot_session.config.wording import fix_of, rule_of, unknown_fix
from cobot_session.nearest import nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from cobot_session.config.places import Places, Steps
    from cobot_session.errors import Problem

Model = TypeVar("Model", bound=BaseModel)

_WANTS_TEXT = {"string_type", "bytes_type"}


@dataclass(slots=True)
class Checked(Generic[Model]):
    """What a check found.

    Attributes:
        value: the validated settings; `None` when something is wrong or missing.
        problems: every mistake.
        missing: names of required settings that were not given; they are not among `problems`.
        wrong: the ways to what the problems are about, within the part.
    """

    value: Model | None = None
    problems: list[Problem] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wrong: set[Steps] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a configuration that is to be checked.

    Attributes:
        data: what is there.
        steps: the way to it.
        places: where its values stand in the file.
    """

    data: Mapping[str, Any]
    steps: Steps
    places: Places

    def problem(self, steps: Steps, rule: str, fix: str, *, at_key: bool = False) -> Problem:
        """Return a problem with the value at `steps` within this part."""
        return self.places.problem((*self.steps, *steps), rule, fix, at_key=at_key)


def check(
    model: type[Model], part: Part, also_known: frozenset[str] = frozenset()
) -> Checked[Model]:
    """Validate a part; `also_known` are keys that count when a typo's nearest key is named."""
    findings: _Findings[Model] = _Findings(model, part)
    findings.add_unknown(also_known)
    try:
        value = _validated(model, part)
    except ValidationError as error:
        findings.add_errors(error)
        return Checked(None, findings.problems, findings.missing, findings.told)
    return Checked(None if findings.problems else value, findings.problems, wrong=findings.told)


class _Findings(Generic[Model]):
    """What is wrong with one part, each mistake once."""

    def __init__(self, model: type[Model], part: Part) -> None:
        self.problems: list[Problem] = []
        self.missing: list[str] = []
        self.told: set[Steps] = set()
        self._model = model
        self._part = part
        self._meant: set[Steps] = set()

    def add_unknown(self, also_known: frozenset[str]) -> None:
        """Add the keys that the model does not have, whether it forbids them or not."""
        for steps, own in unknown_keys(self._model, self._part.data):
            key = str(steps[-1])
            known = own | also_known if len(steps) == 1 else own
            self._add_unknown(steps, unknown_fix(key, known))
            self._meant.add((*steps[:-1], nearest(key, known) or key))

    def add_errors(self, error: ValidationError) -> None:
        """Add pydantic's errors, the deepest first: they say most about a union."""
        details = error.errors(include_url=False)
        found = [(_steps_in(self._part.data, detail["loc"]), detail) for detail in details]
        for steps, detail in sorted(found, key=lambda item: -len(item[0])):
            if not self._is_told(steps, detail):
                self._add_error(steps, detail)

    def _is_told(self, steps: Steps, detail: ErrorDetails) -> bool:
        """Tell whether a mistake is known: here, or, for a member of a union, further inside."""
        if steps in self.told or (detail["type"] == "missing" and steps in self._meant):
            return True
        of_union = len(detail["loc"]) > len(steps)
        return of_union and any(told[: len(steps)] == steps for told in self.told)

    def _add_error(self, steps: Steps, detail: ErrorDetails) -> None:
        absent = detail["type"] == "missing"
        if len(steps) == 1 and (absent or self._is_blank(steps, detail)):
            self.told.add(steps)
            self.missing.append(str(steps[0]))
        elif absent:
            self._add(steps, "is required", f"Add `{steps[-1]}: …` here.")
        elif detail["type"] == "extra_forbidden":
            self._add_unknown(steps, "Take it out.")
        else:
            self._add(steps, rule_of(detail), fix_of(detail, self._model, steps))

    def _is_blank(self, steps: Steps, detail: ErrorDetails) -> bool:
        """Tell whether a required key stands there without a value."""
        return detail["input"] is None and any(
            field.is_required() and steps[0] in key_names(name, field, self._model)
            for name, field in self._model.model_fields.items()
        )

    def _add_unknown(self, steps: Steps, fix: str) -> None:
        self._add(steps, f"`{shown_key(str(steps[-1]))}` is not a known key", fix, at_key=True)

    def _add(self, steps: Steps, rule: str, fix: str, *, at_key: bool = False) -> None:
        self.told.add(steps)
        self.problems.append(self._part.problem(steps, rule, fix, at_key=at_key))


def _validated(model: type[Model], part: Part) -> Model:
    """Validate; where text is wanted, take what stood there before YAML made a number of it."""
    try:
        return model.model_validate(dict(part.data))
    except ValidationError as error:
        texts = dict(_texts(error, part))
        if not texts:
            raise
    return model.model_validate(_replaced(part.data, texts))


def _texts(error: ValidationError, part: Part) -> Iterator[tuple[Steps, str]]:
    """Yield the source text of each scalar that is no string and should be one."""
    for detail in error.errors(include_url=False):
        value = detail["input"]
        if detail["type"] in _WANTS_TEXT and isinstance(value, (bool, int, float)):
            steps = _steps_in(part.data, detail["loc"])
            source = part.places.source((*part.steps, *steps))
            if source is not None:
                yield steps, source
            elif not isinstance(value, bool):
                yield steps, str(value)


def _steps_in(data: Any, loc: tuple[int | str, ...]) -> Steps:
    """Return the way through the data that pydantic's location stands for.

    A location also names members of unions and the like, which the file does not have. Its last
    element is kept when it is a key that is absent.
    """
    steps: list[int | str] = []
    for at, step in enumerate(loc):
        inside = isinstance(data, Mapping) and step in data
        if inside or (isinstance(data, list) and isinstance(step, int) and step < len(data)):
            data = data[step]
            steps.append(step)
        elif at == len(loc) - 1 and isinstance(data, Mapping) and step != "[key]":
            steps.append(step)
    return tuple(steps)


def _replaced(data: Any, texts: Mapping[Steps, str], steps: Steps = ()) -> Any:
    """Return a copy of the data with the values at some places replaced."""
    if steps in texts:
        return texts[steps]
    if isinstance(data, Mapping):
        return {key: _replaced(item, texts, (*steps, key)) for key, item in data.items()}
    if isinstance(data, list):
        return [_replaced(item, texts, (*steps, at)) for at, item in enumerate(data)]
    return data
