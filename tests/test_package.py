"""The package as a whole: what importing it leaves alone, and which way its imports run."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skimb

PACKAGE = Path(skimb.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# each folder may import from itself and from those before it
LAYERS = (
    "_types", "_warnings", "versions", "weighting", "_backend", "data", "losses", "probability",
    "metrics", "networks", "training", "fitting", "export", "estimators", "plotting",
)  # fmt: skip


def imported(path: Path) -> list[str]:
    """Return the modules of the package that a file imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "skimb":
            parts = node.module.split(".")
            found += [a.name for a in node.names] if len(parts) == 1 else [parts[1]]
        elif isinstance(node, ast.Import):
            names = [a.name.split(".") for a in node.names]
            found += [name[1] for name in names if name[0] == "skimb" and len(name) > 1]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward(path):
    place = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if place == "__init__":
        return
    below = LAYERS[: LAYERS.index(place) + 1]
    assert [name for name in imported(path) if name not in below] == []


def test_files_are_short_and_the_root_holds_a_handful():
    assert {p.name: n for p in FILES if (n := len(p.read_text().splitlines())) > 500} == {}
    assert len(list(PACKAGE.glob("*.py"))) <= 8


def test_private_parts_of_keras_and_tensorflow_are_touched_in_one_folder():
    private = ("keras.src", "tensorflow.python", "tensorflow.core")
    for path in FILES:
        if path.parent.name != "_backend":
            text = path.read_text()
            assert not [name for name in private if f"from {name}" in text], path.name


@pytest.mark.parametrize(
    "estimator",
    [
        skimb.ImbalancedNNClassifier,
        skimb.ImbalancedNNSegmenter,
        skimb.AutoencoderOutlierDetector,
        skimb.AutoencoderClassifier,
    ],
)
def test_estimators_are_made_of_at_most_three_classes_of_the_package(estimator):
    ours = [kind for kind in estimator.__mro__ if kind.__module__.startswith("skimb.")]
    assert len([kind for kind in ours if kind.__name__ != "CallbackSupportMixin"]) <= 3


PROGRAM = """
import keras
before = {
    (kind, name): vars(kind).get(name)
    for kind in (keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer)
    for name in ("__reduce__", "__deepcopy__", "__reduce_ex__")
}
{first}
import skimb
assert before == {key: vars(key[0]).get(key[1]) for key in before}
from scikeras.wrappers import BaseWrapper
assert "__sklearn_tags__" not in vars(BaseWrapper)
"""


@pytest.mark.slow
def test_importing_the_package_patches_neither_keras_nor_scikeras():
    program = PROGRAM.replace("{first}", "")
    subprocess.run([sys.executable, "-c", program], check=True)
