"""The file that starts everything says what is wrong instead of showing a traceback."""

import ast
import shutil
import subprocess
import sys

import pytest


@pytest.fixture
def dev(root, tmp_path):
    """Run a copy of dev.py, after a line of preparation, and return exit code and output.

    The copy lies beside settings that nothing can be installed from.
    """
    shutil.copy(root / "dev.py", tmp_path)
    settings = '[dependency-groups]\ndev = ["./not-there"]\n'
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")

    def run(*arguments, before=""):
        code = (
            f"import runpy, sys; sys.argv = ['dev.py', *{arguments!r}]; {before}\n"
            f"runpy.run_path({str(tmp_path / 'dev.py')!r}, run_name='__main__')"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout

    return run


def test_it_is_read_by_older_pythons(root):
    """An old Python gets as far as being told that it is old."""
    ast.parse((root / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 8))


def test_an_old_python_is_told(dev):
    """Too old a Python is named, with what is needed."""
    code, said = dev("test", before="sys.version_info = (3, 9, 1)")
    assert code == 1
    assert "3.11 or newer" in said


def test_a_missing_ensurepip_is_told(dev):
    """A Python that cannot make environments is named, with what to install."""
    code, said = dev("test", before="sys.modules['ensurepip'] = None")
    assert code == 1
    assert "python3-venv" in said


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--help",), 0), (("tset",), 2)])
def test_it_explains_itself(dev, arguments, code):
    """Without a known word it shows its usage; a wrong one is an error."""
    returned, said = dev(*arguments)
    assert returned == code
    assert "dev.py demo" in said


@pytest.mark.timeout(180)
def test_a_failing_step_is_told(dev):
    """A step that fails is named, and the exit code says so."""
    code, said = dev("test")
    assert code == 1
    assert "pip install --quiet ./not-there" in said
