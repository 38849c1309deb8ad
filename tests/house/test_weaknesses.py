"""What the package index tells of weaknesses is told on; what it does not tell is no all-clear."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOOL = Path(__file__).parents[2] / "tools" / "weaknesses.py"
WEAK = [{"id": "PYSEC-1", "withdrawn": None}]
CONTROL = {"info": {"version": "1"}, "vulnerabilities": WEAK}


@pytest.fixture
def look() -> Iterator[Callable[[dict[str, Any]], dict[str, Any]]]:
    """Run the tool against a local index with these pages."""
    pages: dict[str, Any] = {}

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.split("/")[1])
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write(json.dumps(page).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def run(given: dict[str, Any]) -> dict[str, Any]:
        pages.update(given)
        address = f"http://127.0.0.1:{server.server_port}"
        command = [sys.executable, str(TOOL), "--index", address, "pytest", "packaging"]
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        found: dict[str, Any] = json.loads(told.stdout)
        return found

    yield run
    server.shutdown()
    thread.join()
    server.server_close()


def page(name: str, *, weak: bool = False, newest: str = "") -> dict[str, Any]:
    """Return what an index says of a package."""
    vulnerabilities = [*(WEAK if weak else []), {"id": "PYSEC-0", "withdrawn": "2026-01-01"}]
    return {"info": {"version": newest or version(name)}, "vulnerabilities": vulnerabilities}


def test_a_weakness_of_the_version_that_is_installed_is_found(look) -> None:
    """It is told with its id; one that was withdrawn is none."""
    told = look({"pytest": page("pytest", weak=True), "packaging": page("packaging")})
    assert told["weak"] == {f"pytest {version('pytest')}": ["PYSEC-1"]}
    assert told["date"]


def test_what_is_not_told_stays_open(look) -> None:
    """Another version's page, and none, say nothing of what is installed."""
    told = look({"ecdsa": CONTROL, "pytest": page("pytest", newest="9999")})
    assert (told["told"], told["whole"], told["weak"]) == (True, 0, {})
    assert told["open"][f"pytest {version('pytest')}"] == "the index tells of 9999 only"
    assert "404" in told["open"][f"packaging {version('packaging')}"]


@pytest.mark.parametrize("control", [None, {**CONTROL, "vulnerabilities": []}, {"info": {}}])
def test_an_index_that_tells_of_no_weakness_at_all_gives_no_all_clear(look, control) -> None:
    """A weakness that everybody knows must be told, or the silence means nothing."""
    pages = {"pytest": page("pytest"), "packaging": page("packaging")}
    assert not look(pages | ({} if control is None else {"ecdsa": control}))["told"]
