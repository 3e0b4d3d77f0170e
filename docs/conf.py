"""Sphinx configuration: MyST Markdown, the furo theme, and reference pages made from the code itself.

Build it with `just docs`, or `python -m sphinx -W --keep-going docs docs/_build/html`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from generated_pages import write_pages

from riffcomposer import __version__

project = "riffcomposer"
author = "the riffcomposer contributors"
copyright = "2026, the riffcomposer contributors"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_ref_domains = ["std", "py"]

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_class_signature = "separated"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "riffcomposer"
html_static_path: list[str] = []
html_theme_options = {"navigation_with_keys": True}


def setup(app: Sphinx) -> None:
    """Writes the generated pages before Sphinx reads its sources."""
    write_pages(Path(app.srcdir) / "reference")
