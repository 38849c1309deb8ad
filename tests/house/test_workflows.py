"""The workflows start what there is, and publish without a secret."""

import re
import subprocess
import sys

import pytest
import yaml


@pytest.fixture(params=["ci.yml", "release.yml"])
def workflow(request, root):
    """Return one workflow, parsed; YAML 1.1 reads the key `on` as true."""
    text = (root / ".github" / "workflows" / request.param).read_text(encoding="utf-8")
    return yaml.safe_load(text)


def steps(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_what_it_runs_is_there(workflow, root):
    """Files and nox sessions that a step names exist."""
    noxfile = (root / "noxfile.py").read_text(encoding="utf-8")
    for line in "\n".join(step.get("run", "") for step in steps(workflow)).splitlines():
        for name in re.findall(r"(?:\.ci|tools)/\w+(?:\.py)?|\bdev\.py\b", line):
            assert (root / name).is_file()
        for name in re.findall(r"nox -s (\w+)", line):
            assert f"\ndef {name}(" in noxfile


def test_nothing_from_outside_is_put_into_a_script(workflow):
    """A tag's name reaches a shell as a variable, never as a part of the script."""
    assert not [step for step in steps(workflow) if "${{" in step.get("run", "")]


def test_it_has_no_rights_but_those_it_needs(workflow):
    """Only what publishes may ask the index for trust, and it runs nothing of the tree."""
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 40
        assert job.get("permissions") == ({"id-token": "write"} if name == "publish" else None)
    assert "secrets." not in str(workflow)
    if publish := workflow["jobs"].get("publish"):
        assert publish["environment"]["name"] == "pypi"
        assert not [step for step in publish["steps"] if "run" in step]


def test_a_tag_is_of_one_package(root):
    """The pattern that starts a release is that of the names which the check of a tag takes."""
    text = (root / ".github/workflows/release.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)[True]["push"]["tags"] == ["cobot-*-v*"]
    command = [sys.executable, root / "tools" / "changes.py", "tag", "v1.0.0"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cobot-telegram-v0.1.0" in done.stderr
