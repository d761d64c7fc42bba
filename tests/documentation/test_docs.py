"""The snippets of the documentation run, and the wrong ones among them do what the pages say."""

import ast
import doctest
import importlib.util
import re
import subprocess
import sys
import textwrap
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.special import expit, softmax

from skimb import ImbalancedNNClassifier, losses, metrics
from skimb.metrics import minority_score
from skimb.probability import correct_prior
from skimb.weighting import class_weights, pos_weights

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in [*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")]
    if path.name not in ("errors.rst", "gallery_header.rst")
)
BLOCK = re.compile(
    r"^( *)\.\. (?:code-block:: python|plot::)\n(?: +:.*\n)*\n((?:\1 +.*\n|\s*\n)+)", re.M
)
README = DOCS.parent / "README.md"
# of figures of a trained network on few positives: processors round differently
NEAR = doctest.register_optionflag("NEAR")
NUMBER = re.compile(r"\d+\.\d+")


class NearNumbers(doctest.OutputChecker):
    """Takes numbers for right that differ by less than 0.15, where an example says NEAR."""

    def check_output(self, want, got, optionflags):
        if not optionflags & NEAR:
            return super().check_output(want, got, optionflags)
        pairs = zip(NUMBER.findall(want), NUMBER.findall(got), strict=False)
        near = all(abs(float(a) - float(b)) < 0.15 for a, b in pairs)
        return near and NUMBER.sub("", want) == NUMBER.sub("", got)


def snippets(text):
    """Yield the line, the kind and the content of every piece of code of a page, in order."""
    found = [
        (text.count("\n", 0, block.start(2)), "block", textwrap.dedent(block[2]))
        for block in BLOCK.finditer(text)
        if ">>>" not in block[2]
    ]
    found += [(e.lineno, "example", e) for e in doctest.DocTestParser().get_examples(text)]
    return sorted(found, key=lambda snippet: snippet[0])


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_snippets_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    text = (DOCS / page).read_text(encoding="utf-8")
    found = snippets(text)
    for module in ("optuna", "sklearn.callback", "pandas", "matplotlib", "shap", "mlflow"):
        if re.search(rf"^ *(from|import) {module}( |$)", text, re.M):
            pytest.importorskip(module)
    if ".. plot::" in text:
        matplotlib = pytest.importorskip("matplotlib")
        matplotlib.use("Agg")
    if page == "guide/mlflow.rst":
        warnings.simplefilter("ignore")  # those of MLflow; pytest restores the filters
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(NearNumbers(), verbose=False, optionflags=options)
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
        assert len(re.findall(r"\.\. (?:code-block:: python|plot::)", text)) == len(
            BLOCK.findall(text)
        ), page
        assert not re.search(r"^\.\. code-block:: (?!python|text)", text, re.M), page


@pytest.mark.slow
def test_code_of_the_readme_runs_and_is_what_the_front_page_shows():
    rng = np.random.default_rng(0)
    masks = np.zeros((12, 16, 16), int)
    masks[:, 4:7, 5:8] = 1
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    names = {"images": rng.normal(size=masks.shape) + masks, "masks": masks}
    names |= {"others": names["images"], "their_masks": masks}
    names["acceptable"] = np.eye(3, dtype=int)[rng.integers(0, 3, 4000)]
    for block in blocks:
        for slow, quick in [("epochs=30", "epochs=2"), ("random_state=0\n)", "epochs=1\n)")]:
            block = block.replace(slow, quick)
        exec(block, names)
    assert len(blocks) == 5
    assert set(names["search"].best_params_) == {"class_weight", "loss"}
    assert names["clf"].predict(names["X"][:3]).shape == (3,)
    assert names["seg"].predict(masks[:2]).shape == (2, 16, 16)
    assert ".. literalinclude:: ../README.md" in (DOCS / "index.rst").read_text(encoding="utf-8")


# What follows from the snippets of "Snippets that do not do what they say", beyond the page itself.


def learned(cost, n_logits):
    """Return the logits of the least cost, as a network that is free to choose them would."""
    start = np.full(n_logits, 0.1)
    return minimize(cost, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-9}).x


def test_multiplied_logits_leave_the_best_probabilities_where_they_are_and_weights_move_them():
    share, weights, y = np.array([0.9, 0.1]), np.array([1.0, 9.0]), np.array([0, 1])
    cross_entropy = losses.CrossEntropy(target="multiclass", dtype="float64")

    def multiplied(z):
        return float(cross_entropy(y, np.tile(z * weights, (2, 1)), sample_weight=share))

    def weighted(z):
        return float(cross_entropy(y, np.tile(z, (2, 1)), sample_weight=share * weights))

    assert_allclose(softmax(learned(multiplied, 2) * weights), share, atol=1e-3)
    assert_allclose(softmax(learned(weighted, 2)), [0.5, 0.5], atol=1e-3)


@pytest.mark.parametrize(("n_pos", "n_neg"), [(31_000, 500_000), (1, 29), (50, 50)])
def test_negatives_per_positive_balance_and_one_over_the_share_does_not(n_pos, n_neg):
    y, rows = np.array([1, 0]), np.array([n_pos, n_neg], "float64")

    def pull(pos_weight):
        """Derivative of the loss of all rows in the logit, where nothing is known yet."""
        loss = losses.CrossEntropy(pos_weight=pos_weight, reduction="sum", dtype="float64")
        logit = tf.Variable(0.0, dtype="float64")
        with tf.GradientTape() as tape:
            value = loss(y, tf.fill((2, 1), logit), sample_weight=rows)
        return float(tape.gradient(value, logit))

    balanced = pos_weights(np.repeat([1, 0], [n_pos, n_neg]))
    assert_allclose(pull(balanced), 0.0, atol=1e-6)
    assert_allclose(pull((n_pos + n_neg) / n_pos), -n_pos / 2)  # one too many for each positive


def test_columns_of_one_hot_labels_are_weighted_by_the_wrong_ratio():
    weights, share = np.array([0.5, 5.0]), np.array([0.9, 0.1])

    def columns(z):
        rows = tf.nn.weighted_cross_entropy_with_logits(np.eye(2), np.tile(z, (2, 1)), weights)
        return float(share @ rows.numpy().sum(axis=1))

    p = expit(learned(columns, 2))
    assert_allclose(p, share * weights / (share * weights + share[::-1]), atol=1e-3)
    assert p[1] < p[0]  # the rare class is still not chosen: 0.36 against 0.82


def test_recall_alone_is_won_by_calling_every_row_positive():
    y = np.array([1, 0, 0, 0])
    raised = np.array([0.0, 0.0, 0.0, 5.0], "float32")[:, None]  # a false alarm, 5 instead of 0
    for penalty, pays in [(0.0, False), (0.5, True)]:
        loss = losses.SoftRecall(penalty=penalty)
        assert (float(loss(y, raised)) > float(loss(y, 0 * raised))) == pays


def test_multi_hot_target_pushes_a_row_that_is_right_back_to_indecision():
    z = keras.ops.convert_to_tensor(np.array([[-9.0, 9.0, 0.0]], "float32"))
    target = np.array([[0.0, 1.0, 1.0]], "float32")
    slopes = []
    for loss in (keras.losses.CategoricalCrossentropy(from_logits=True), losses.PartialLabel()):
        with tf.GradientTape() as tape:
            tape.watch(z)
            value = loss(target, z)
        slopes.append(np.abs(tape.gradient(value, z)).max())
    assert slopes[0] > 0.9
    assert slopes[1] < 1e-6


def test_flattened_dice_has_next_to_no_slope_on_the_small_object():
    y = np.zeros((2, 32, 32, 1), "float32")
    y[0, :20, :20], y[1, :2, :2] = 1, 1
    logits = np.where(y == 1, 4.0, -4.0).astype("float32")
    logits[1] = -4.0  # missed
    logits = tf.constant(logits)

    def flat(z, smooth=1.0):
        p = tf.sigmoid(z)
        overlap = 2 * tf.reduce_sum(y * p) + smooth
        return 1 - overlap / (tf.reduce_sum(y) + tf.reduce_sum(p) + smooth)

    slopes = []
    for loss in (flat, lambda z: losses.Dice()(y, z)):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(logits)
        slopes.append(np.abs(tape.gradient(value, logits).numpy()[1, :2, :2]).sum())
    assert slopes[1] > 20 * slopes[0]


def test_validation_split_of_keras_takes_the_tail():
    X = np.arange(100, dtype="float32")[:, None]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Identity()])

    def mean_input(y_true, y_pred):
        return keras.ops.mean(y_pred)

    model.compile(optimizer="sgd", loss="mse", metrics=[mean_input])
    history = model.fit(X, X, validation_split=0.1, epochs=1, batch_size=10, verbose=0).history
    assert_allclose(history["val_mean_input"], [np.mean(np.arange(90, 100))])


def test_three_points_against_one_are_a_threshold_of_a_quarter():
    rng = np.random.default_rng(0)
    probability = rng.random(20_000)
    y = (rng.random(20_000) < probability).astype(int)
    cuts = np.linspace(0, 1, 21)
    points = [minority_score(y, (probability >= cut).astype(int), pos_label=1) for cut in cuts]
    assert_allclose(cuts[np.argmax(points)], 0.25, atol=0.051)


def test_balanced_weights_at_one_half_are_no_weights_at_the_share_of_the_positives():
    share = 0.03
    posterior = np.linspace(0.001, 0.999, 999)
    w0, w1 = class_weights(np.repeat([0, 1], [97, 3])).values()
    weighted = w1 * posterior / (w1 * posterior + w0 * (1 - posterior))
    assert_array_equal(weighted >= 0.5 - 1e-12, posterior >= share - 1e-12)
    assert_allclose(correct_prior(weighted, [w0, w1]), posterior)


@pytest.mark.slow
def test_saved_models_load_with_keras_and_the_losses_alone(tmp_path):
    own = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    own.compile(loss=losses.Focal(gamma=1.5), metrics=[metrics.Recall()])
    own.save(tmp_path / "own.keras")
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.repeat([0, 1], 30)
    fitted = ImbalancedNNClassifier(epochs=1, random_state=0).fit(X, y)
    fitted.model_.save(tmp_path / "fitted.keras")
    code = """
        import sys, keras
        keras.models.load_model("fitted.keras")
        assert "skimb" not in sys.modules
        import skimb.losses
        assert keras.models.load_model("own.keras").loss.gamma == 1.5
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True)


@pytest.fixture(scope="module")
def errors():
    spec = importlib.util.spec_from_file_location("errors", DOCS / "errors.py")
    errors = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(errors)
    return errors


def page_of(errors, root, folder):
    errors.write(root, folder / "errors.rst")
    return (folder / "errors.rst").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(errors, tmp_path_factory):
    return page_of(errors, DOCS.parent, tmp_path_factory.mktemp("errors"))


# they never leave the library: what is caught, and what says that a class is no more than a base
INTERNAL = {"NotTraceable", "OwnRandomness", "NotForXLA", "NotImplementedError"}


@pytest.mark.slow
def test_every_error_of_the_package_is_on_the_page_of_the_errors(page):
    page = page.replace("\\", "")
    n_errors = 0
    for path in sorted((DOCS.parent / "skimb").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)):
                continue
            if ast.unparse(node.exc.func) in INTERNAL:
                continue
            texts = [
                " ".join(part.value.split())
                for part in ast.walk(node.exc)
                if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ]
            if texts:  # those that a function makes have a test of their own
                assert max(texts, key=len) in page, f"{path.name}:{node.lineno}"
                n_errors += 1
    assert n_errors > 200


def test_messages_that_other_functions_make_are_read_from_these(errors, tmp_path):
    module = """
def _unknown(subject, value):
    near = closest(value)
    hint = f" Did you mean {near!r}?" if near else ""
    return ValueError(f"{subject} {value!r}, which is unknown.{hint}")

def check(value):
    raise _unknown("the colour is", value)

def cause(rate):
    if rate > 1:
        return "The rate is high."
    return "Nobody knows."

class Recorder:
    def record(self):
        raise RuntimeError(f"It failed. {self.cause(self.rate)}")
"""
    tests = """
def test_colours_are_known():
    with pytest.raises(ValueError, match=r"colour is 'rad'|hue is (red|blue)"):
        check("rad")
"""
    for folder, name, text in (("skimb", "colours.py", module), ("tests", "test_a.py", tests)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(text)
    page = page_of(errors, tmp_path, tmp_path)
    assert "the colour is ⟨value⟩, which is unknown. Did you mean ⟨near⟩?" in page
    assert "It failed. The rate is high. / Nobody knows." in page
    assert "RuntimeError" in page
    assert "colour is 'rad' or hue is red or blue" in page
    assert "- check('rad')" in page  # what was wrong, where no table of cases says it


@pytest.mark.slow
def test_page_of_the_errors_has_what_provokes_them(errors, page):
    assert not re.search(r"^     -\s*$", page, re.M)  # no cell is empty
    assert "y\\_val does not go with y, whose classes are ⟨…⟩" in page  # from the source
    case = page.index("adamm … Did you mean 'adam'")  # from a table of cases in the tests
    assert "unknown optimizer" in page[case : case + 100]
    assert errors._words(r"(?s)\[2\].*classes \[0\]\.$") == "[2] … classes [0]."
