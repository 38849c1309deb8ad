"""How Sphinx builds the documentation, for `nox -s docs`: every warning is an error there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "cobot channels"
author = "The cobot authors"
copyright = "The cobot authors, MIT licence"  # noqa: A001 - the name that Sphinx reads
html_title = "cobot channels"

extensions = ["myst_parser", "cobot_reference"]
exclude_patterns = ["_build", "_ext", "tests"]
root_doc = "index"
nitpicky = True
show_warning_types = True

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
