"""`module:handler`: from what a person writes to what answers messages."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cobot_session.cli.outcome import UsageMistake
from cobot_session.nearest import nearest

if TYPE_CHECKING:
    from cobot_session.handling import Handler

log = logging.getLogger("cobot_session.cli")


def load_agent(path: str) -> Handler:
    """Return the handler that `module:handler` names; the current folder is looked in first.

    Raises:
        UsageMistake: it cannot be used; the text says what to write.
    """
    module_name, colon, name = path.partition(":")
    if not (colon and module_name and name):
        raise UsageMistake(_malformed(path))
    if "/" in module_name or "\\" in module_name or module_name.endswith(".py"):
        stem = Path(module_name.replace("\\", "/")).stem
        folder = Path(module_name.replace("\\", "/")).parent
        inside = "" if folder == Path() else f", in the folder {folder}"
        raise UsageMistake(f"--agent takes a module, not a file: write `{stem}:{name}`{inside}")
    sys.path.insert(0, str(Path.cwd()))
    return _checked(_found(_imported(module_name, name), name), path)


def _malformed(path: str) -> str:
    module = path.partition(":")[0].removesuffix(".py") or "agent"
    return (
        f"--agent is `module:handler`, and {path!r} is not: for a function `answer` in"
        f" {module.replace('.', '/')}.py write `{module}:answer`"
    )


def _imported(module_name: str, name: str) -> Any:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not _is_part(error.name, module_name):
            raise UsageMistake(_broken(module_name, error)) from error
        modules = sorted(path.stem for path in Path.cwd().glob("*.py"))
        meant = nearest(module_name, modules)
        if meant is not None:
            hint = f"Did you mean `{meant}:{name}`?"
        else:
            hint = "Start where it lies, or install it."
        raise UsageMistake(f"there is no module `{module_name}` in {Path.cwd()}. {hint}") from None
    except (Exception, SystemExit) as error:
        raise UsageMistake(_broken(module_name, error)) from error


def _is_part(missing: str, module_name: str) -> bool:
    """Tell whether it is the module itself, or a package it lies in, that is missing."""
    return f"{module_name}.".startswith(f"{missing}.")


def _broken(module_name: str, error: BaseException) -> str:
    """Return where a module failed, in its own code."""
    log.debug("`%s` cannot be imported", module_name, exc_info=error)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    if isinstance(error, SyntaxError):
        where = f" ({Path(error.filename or '?').name}, line {error.lineno})"
        return f"the module `{module_name}` cannot be imported: SyntaxError: {error.msg}{where}"
    said = f"{type(error).__name__}: {error}".rstrip(": ")
    return f"the module `{module_name}` cannot be imported: {said}{where}; -v shows the traceback"


def _found(module: Any, name: str) -> Any:
    value = module
    for step in name.split("."):
        try:
            value = getattr(value, step)
        except AttributeError:
            callables = [
                key for key, one in vars(module).items() if callable(one) and key[0] != "_"
            ]
            meant = nearest(name, callables)
            own = [key for key in callables if getattr(module, key).__module__ == module.__name__]
            hint = f"Did you mean `{module.__name__}:{meant}`?" if meant else _choice(module, own)
            raise UsageMistake(f"`{module.__name__}` has no `{name}`. {hint}") from None
    return value


def _choice(module: Any, names: list[str]) -> str:
    if not names:
        return "Give it a function that takes a message and returns the answer."
    return f"It has: {', '.join(f'`{module.__name__}:{name}`' for name in names)}."


def _checked(value: Any, path: str) -> Handler:
    wanted = "A handler is `def answer(message)` or `async def answer(message)`."
    if inspect.isclass(value):
        raise UsageMistake(f"`{path}` is a class. {wanted}")
    if not callable(value):
        raise UsageMistake(f"`{path}` is {_article(type(value).__name__)}. {wanted}")
    try:
        inspect.signature(value).bind(object())
    except TypeError:
        takes = inspect.signature(value)
        raise UsageMistake(
            f"`{path}` takes {takes}, and is called with one message. {wanted}"
        ) from None
    except ValueError:  # what is written in C may not tell
        pass
    handler: Handler = value
    return handler


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiouAEIOU" else f"a {noun}"
