"""Sphinx: ``python -m sphinx -W -b html docs docs/_build/html``.

The examples are only shown unless the environment variable ``SKIMB_DOCS_RUN`` is 1. The pictures of
the guide are always drawn.
"""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")  # nothing here needs a GPU

import errors  # noqa: E402
from docutils import nodes  # noqa: E402

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
    "matplotlib.sphinxext.plot_directive",
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

plot_include_source = True
plot_html_show_formats = plot_html_show_source_link = False
plot_formats = [("png", 110)]
plot_rcparams = {"figure.max_open_warning": 0}

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


def linked(app, env, node, contnode):
    """Return a link to a page of scikit-learn, whose addresses follow from the names.

    Intersphinx would have to fetch its inventory, and the pages build without a network.
    """
    target = node.get("reftarget", "")
    if not target.startswith("sklearn."):
        return None
    address = f"https://scikit-learn.org/stable/modules/generated/{target}.html"
    return nodes.reference("", "", contnode, internal=False, refuri=address)


def setup(app):
    """Write the page of the errors before the sources are read."""
    app.connect("builder-inited", lambda app: errors.write(HERE.parent, HERE / "errors.rst"))
    app.connect("missing-reference", linked)
