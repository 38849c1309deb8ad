"""Imports point one way, and the tree speaks of nothing but itself."""

import ast
import re
from pathlib import Path

import pytest

TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".json", ".jsonl", ".cfg", ".service", ""}
HOME = str(Path.home())
ADDRESSES = {
    "a path on somebody's machine": rf"(?<![\w.:/~}}-])(?:/root|/work|{re.escape(HOME)})/[\w.]",
    "the address of a package index": r"https?://\S*(?:/simple\b|pythonhosted|artifactory|nexus)",
    "a number that a reader cannot look up": r"\b[Ii]ssue #?\d",
}


def imported(path):
    """Yield the top-level package of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


def test_imports_point_one_way(package, root):
    """A package imports, of this tree, itself and the core: never a channel."""
    every = {path.name.replace("-", "_") for path in (root / "packages").iterdir()}
    barred = every - {package.name.replace("-", "_"), "cobot_session"}
    for path in sorted((package / "src").rglob("*.py")):
        assert not barred & set(imported(path)), path.relative_to(root)


def test_nothing_lies_under_the_name_of_the_agent(root):
    """The import package `cobot` belongs to another distribution."""
    assert not [path for path in root.glob("*/*/src/cobot*") if path.stem == "cobot"]


@pytest.mark.parametrize("what", ADDRESSES)
def test_nothing_points_out_of_the_tree(files, root, what):
    """No file holds what means something on one machine or to some people only."""
    found = [
        f"{path.relative_to(root)}:{number}: {line.strip()}"
        for path in files
        if path.suffix in TEXT and path.name != "test_tree.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(ADDRESSES[what], line)
    ]
    assert not found


def test_pages_that_are_named_exist(files, root):
    """A page that code or documentation points to is in the tree."""
    names = {path.name for path in files}
    found = [
        f"{path.relative_to(root)}: {name}"
        for path in files
        if path.suffix in {".py", ".md"} and "tests" not in path.parts
        for name in re.findall(r"(?<![\w./*-])[\w-]+\.md\b", path.read_text(encoding="utf-8"))
        if name not in names
    ]
    assert not found


def test_links_lead_somewhere(files, root):
    """A link from one page to another, or to code, has a target."""
    found = [
        f"{path.relative_to(root)}: {target}"
        for path in files
        if path.suffix == ".md"
        for target in re.findall(r"\]\((?!\w+:)([^)#\s]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not found


def test_every_example_in_the_pages_is_run(files, root):
    """Blocks are in a language that the documentation's runner knows, or plain text."""
    known = {"python", "yaml", "json", "toml", "console", "text", "mermaid"}
    found = [
        f"{path.relative_to(root)}: {language or 'no language'}"
        for path in files
        if path.suffix == ".md"
        for language in re.findall(
            r"^ *```(.*)\n(?:.*\n)*? *```$", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        if language not in known
    ]
    assert not found


def test_channel_on_the_front_page_is_the_example(root):
    """The forty lines on the front page are those of the example, which is tested."""
    code = (root / "examples/cobot-filedrop/src/cobot_filedrop/__init__.py").read_text("utf-8")
    _, _, body = code.partition("\n\n")
    assert f"```python\n{body}```\n" in (root / "README.md").read_text("utf-8")


def test_readme_of_a_package_stands_alone(package):
    """A package index has no folder for a link to be relative to, and headings no anchors."""
    text = (package / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r"(?:src|href)=\"([^\"]+)", text)
    assert not [target for target in targets if not target.startswith(("https://", "mailto:"))]
