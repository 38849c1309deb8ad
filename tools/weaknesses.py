"""Known weaknesses of what is installed, by the package index's word of each newest version.

    python weaknesses.py [--index URL] [NAME …]

An index that tells of no single version (where pip-audit asks) may still tell of the newest one.
That answer counts only for who has the newest, and only where the index tells at all: a package
whose weakness is known and stays (CVE-2024-23342) is asked for, too. Prints JSON: `date` of the
index; `told`: whether it tells; `weak`: name and version -> ids; `whole`: how many were looked up;
`open`: name and version -> why nothing is known.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import urllib.request
from http.client import HTTPException
from importlib.metadata import distributions
from typing import Any
from urllib.parse import quote

CONTROL = "ecdsa"
SECONDS = 30


class Index:
    """Answers of a package index.

    Args:
        address: what stands before `/NAME/json`.
    """

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self.date = ""

    def newest(self, name: str) -> tuple[str, list[str]]:
        """Return the newest version, and the ids of its weaknesses.

        Raises:
            OSError, HTTPException: it does not answer, or does not know the name.
            ValueError, LookupError, TypeError: the answer is none.
        """
        asked = urllib.request.Request(f"{self._address}/{quote(name, safe='')}/json")  # noqa: S310
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:  # noqa: S310
            self.date = str(answer.headers.get("Date", ""))
            found: dict[str, Any] = json.load(answer)
        told = [one for one in found["vulnerabilities"] if not one.get("withdrawn")]
        return str(found["info"]["version"]), [str(one["id"]) for one in told]


def looked_up(index: Index, installed: dict[str, str]) -> dict[str, Any]:
    """Return what is known of distributions: name -> version."""
    weak: dict[str, list[str]] = {}
    open_: dict[str, str] = {}
    for name, version in installed.items():
        what = f"{name} {version}"
        try:
            newest, ids = index.newest(name)
        except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
            open_[what] = f"the index: {error}"
            continue
        if newest != version:
            open_[what] = f"the index tells of {newest} only"
        elif ids:
            weak[what] = ids
    whole = len(installed) - len(open_)
    return {"told": _tells(index), "date": index.date, "whole": whole, "weak": weak, "open": open_}


def _tells(index: Index) -> bool:
    try:
        return bool(index.newest(CONTROL)[1])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return False


def main() -> None:
    """Look up what is installed here, or what is named of it."""
    words = argparse.ArgumentParser()
    words.add_argument("--index")
    words.add_argument("names", nargs="*")
    given = words.parse_args()
    address = given.index or importlib.import_module("pip._internal.models.index").PyPI.pypi_url
    found = {_normal(one.metadata["Name"]): one.version for one in distributions()}
    chosen = {name: found[name] for name in sorted(set(map(_normal, given.names)) or found)}
    print(json.dumps(looked_up(Index(address), chosen)))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
