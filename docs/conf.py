"""Sphinx: ``python -m sphinx -W -b html docs docs/_build/html``.

The examples are only shown unless the environment variable ``SKIMB_DOCS_RUN`` is 1.
"""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # nothing here needs a GPU

import errors  # noqa: E402

import skimb  # noqa: E402

project, author, copyright = "skimb", "the skimb developers", "the skimb developers"
version = release = skimb.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery_header.rst"]
default_role = "literal"
add_module_names = False
smartquotes = False  # messages and code are searched for as they are

html_theme = "pydata_sphinx_theme"
html_title = f"skimb {release}"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"quickstart": [], "errors": [], "faq": []}

# what a module's __all__ names is its page
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

# the gallery needs a header beside the examples, so it is made from a copy of them
EXAMPLES = HERE / "_build" / "examples"
shutil.rmtree(EXAMPLES, ignore_errors=True)
EXAMPLES.mkdir(parents=True)
for path in sorted((HERE.parent / "examples").glob("*.py")):
    shutil.copy2(path, EXAMPLES)
shutil.copy(HERE / "gallery_header.rst", EXAMPLES / "GALLERY_HEADER.rst")

RUN = os.environ.get("SKIMB_DOCS_RUN") == "1"
sphinx_gallery_conf = {
    "examples_dirs": str(EXAMPLES),
    "gallery_dirs": str(HERE / "gallery"),
    "filename_pattern": r"\.py$",
    "plot_gallery": RUN,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1e9 if not RUN else 0,
    "remove_config_comments": True,
}


def setup(app):
    """Write the page of the errors before the sources are read."""
    app.connect("builder-inited", lambda app: errors.write(HERE.parent, HERE / "errors.rst"))
