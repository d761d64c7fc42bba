"""The snippets of the documentation run, and the wrong ones among them do what the pages say."""

import doctest
import importlib.util
import re
import textwrap
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in [*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")]
    if path.name not in ("errors.rst", "gallery_header.rst")
)
BLOCK = re.compile(r"^( *)\.\. code-block:: python\n(?: +:.*\n)*\n((?:\1 +.*\n|\s*\n)+)", re.M)


def snippets(text):
    """Yield the line, the kind and the content of every piece of code of a page, in order."""
    found = [
        (text.count("\n", 0, block.start(2)), "block", textwrap.dedent(block[2]))
        for block in BLOCK.finditer(text)
        if ">>>" not in block[2]
    ]
    found += [(e.lineno, "example", e) for e in doctest.DocTestParser().get_examples(text)]
    return sorted(found, key=lambda snippet: snippet[0])


@pytest.mark.parametrize("page", PAGES)
def test_snippets_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    text = (DOCS / page).read_text(encoding="utf-8")
    found = snippets(text)
    if "import optuna" in text:
        pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options, verbose=False)
    for line, kind, content in found:
        if kind == "block":
            exec(compile("\n" * line + content, page, "exec"), names)
        else:
            example = doctest.DocTest([content], names, page, page, 0, None)
            example.globs = names  # DocTest copies them, and later snippets go on from here
            runner.run(example, clear_globs=False)
    assert not runner.failures  # they are printed


def test_python_code_is_in_blocks_that_run():
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        assert text.count(".. code-block:: python") == len(BLOCK.findall(text)), page
        assert not re.search(r"^\.\. code-block:: (?!python|text)", text, re.M), page
