"""Streams of batches as X: what is fitted, predicted and scored is that of the same arrays."""

import warnings

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import tensorflow as tf
from imblearn.over_sampling import RandomOverSampler
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import average_precision_score

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter
from skimb.data import Inputs


def table(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 6)).astype("float32")
    y = (X[:, 0] + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=n) > 2.6).astype(int)
    return X, y


X, Y = table(2000)
X_TEST, Y_TEST = table(5000, seed=1)
WEIGHT = np.random.default_rng(2).random(len(X)) * (np.arange(len(X)) % 7 > 0)
TEXT = np.array(["usual", "rare"], dtype=object)[Y]
CLASSES = np.where(X[:, 3] > 1.5, "third", TEXT)
LABELS = np.c_[Y, X[:, 3] > 1, X[:, 4] > 0.5].astype(int)


def batches(*arrays, size=300):
    """Return a function that returns an iterator of batches."""
    starts = range(0, len(arrays[0]), size)
    return lambda: (tuple(array[i : i + size] for array in arrays) for i in starts)


class Loader:
    """As a DataLoader of PyTorch, whose batches are lists."""

    def __init__(self, *arrays):
        self.batches = batches(*arrays)

    def __iter__(self):
        return map(list, self.batches())

    def __len__(self):
        return len(list(self.batches()))


class Sequence(keras.utils.PyDataset):
    def __init__(self, *arrays):
        super().__init__()
        self.batches = list(batches(*arrays)())

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def dataset(*arrays):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(256)


STREAMS = {"function": batches, "loader": Loader, "PyDataset": Sequence, "Dataset": dataset}


def small(**params):
    given = {"model__hidden_layer_sizes": (4,), "cv": None, "epochs": 2, "random_state": 0}
    return ImbalancedNNClassifier(**{**given, **params})


@pytest.fixture(scope="module")
def of_arrays():
    return small().fit(X, Y)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of some 400 samples, where a block would hold all."""
    monkeypatch.setattr("skimb.data.streams.STREAM_BLOCK_BYTES", 10_000)


@pytest.mark.parametrize("kind", STREAMS)
def test_fit_predictions_and_score_are_those_of_the_arrays(kind, of_arrays):
    stream = STREAMS[kind](X, Y)
    clf = small().fit(stream)
    expected = of_arrays.predict_proba(X)
    assert_array_equal(clf.predict_proba(X), expected)
    assert_array_equal(clf.predict_proba(stream), expected)
    assert_array_equal(clf.predict(stream), of_arrays.predict(X))
    assert_array_equal(clf.decision_function(stream), of_arrays.decision_function(X))
    assert clf.score(stream) == of_arrays.score(X, Y)
    assert_array_equal(clf.class_counts_, np.bincount(Y))
    assert (clf.n_features_in_, clf.trainer_) == (6, of_arrays.trainer_)


@pytest.mark.parametrize(
    "params",
    [
        {"class_weight": "balanced", "class_prior": [0.9, 0.1], "prior_correction": True},
        pytest.param({"class_weight": {0: 0, 1: 1}}, marks=pytest.mark.slow),
        pytest.param({"batching": "stratified", "class_weight_start": 0.5}, marks=pytest.mark.slow),
        pytest.param({"loss": "focal", "threshold": 0.3}, marks=pytest.mark.slow),
        pytest.param({"costs": {"fp": 1, "fn": 5}}, marks=pytest.mark.slow),
    ],
    ids=lambda params: next(iter(params)),
)
def test_parameters_mean_what_they_mean_for_arrays(params):
    whole, parts = small(**params).fit(X, Y), small(**params).fit(batches(X, Y))
    assert_allclose(list(parts.class_weight_.values()), list(whole.class_weight_.values()))
    assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)
    assert_array_equal(parts.predict(X), whole.predict(X))


@pytest.mark.parametrize(
    "y", [CLASSES, pytest.param(LABELS, marks=pytest.mark.slow)], ids=["text", "indicators"]
)
def test_labels_are_found_in_the_first_pass(y):
    whole, parts = small().fit(X, y), small().fit(batches(X, y, size=1))
    assert_array_equal(parts.classes_, whole.classes_)
    assert_array_equal(parts.class_counts_, whole.class_counts_)
    assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)
    assert parts.score(batches(X, y)) == whole.score(X, y)


def test_third_element_of_a_batch_is_its_sample_weights():
    whole, parts = small().fit(X, Y, WEIGHT), small().fit(batches(X, Y, WEIGHT, size=50))
    assert_allclose(parts.class_counts_, np.bincount(Y, WEIGHT))
    assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)
    assert parts.score(batches(X, Y, WEIGHT)) == pytest.approx(whole.score(X, Y, WEIGHT))


def frame_with_late_categories():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame["kind"] = np.where(X[:, 0] > 0, "p", "n")
    frame.loc[1990:, "kind"] = "late"
    frame.loc[1500:1600, "b"] = np.nan
    frame.loc[1995, "c"] = np.nan
    return frame


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("library", ["pandas", pytest.param("polars", marks=pytest.mark.slow)])
def test_categories_and_gaps_of_frames_are_learnt_from_the_whole_stream(library, small_blocks):
    frame = frame_with_late_categories()
    whole = small().fit(frame, Y)
    if library == "polars":
        frame = pl.DataFrame(frame.to_dict("list"), nan_to_null=True)
    parts = small().fit(batches(frame, Y, size=100))
    late = parts.model_inputs(frame)[-10:]
    assert_allclose(late, whole.model_inputs(frame_with_late_categories())[-10:], rtol=1e-6)
    assert list(parts.feature_names_in_) == [*"abcdef", "kind"]
    mean, variance = (parts._state.built.scaler.mean_, parts._state.built.scaler.var_)
    assert_allclose(mean, whole.model_inputs(frame_with_late_categories()).mean(axis=0), atol=1e-6)
    assert_allclose(variance, whole._state.built.scaler.var_, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["shuffled", "stratified", "balanced"])
def test_blocks_train_about_as_well_as_the_whole_and_the_same_every_time(batching, small_blocks):
    params = {"batching": batching, "epochs": 8, "model__hidden_layer_sizes": (16,)}
    expected = small(**params).fit(X, Y).predict_proba(X_TEST)[:, 1]
    found = [small(**params).fit(batches(X, Y)).predict_proba(X_TEST)[:, 1] for _ in range(2)]
    assert_array_equal(*found)
    score = average_precision_score(Y_TEST, found[0])
    assert score > average_precision_score(Y_TEST, expected) - 0.03


@pytest.mark.slow
def test_batches_are_full_and_as_many_as_of_arrays(small_blocks):
    class Count(keras.callbacks.Callback):
        n = 0

        def on_train_batch_end(self, batch, logs=None):
            Count.n += 1

    clf = small(callbacks=[Count()]).fit(batches(X, Y, size=77))
    assert clf.trainer_ == "keras"
    assert Count.n == 2 * 10


@pytest.mark.slow
def test_model_fit_trains_a_stream_as_the_compiled_loop_does(small_blocks):
    compiled, by_keras = (small(trainer=t).fit(batches(X, Y)) for t in ("compiled", "keras"))
    assert_allclose(by_keras.predict_proba(X), compiled.predict_proba(X), atol=0.01)
    assert_allclose(by_keras.history_["loss"], compiled.history_["loss"], rtol=0.01)


@pytest.mark.slow
def test_validation_set_is_arrays_or_a_stream():
    params = {"optimizer": "adam", "patience": 1, "epochs": 4, "threshold": "f1"}
    found = [
        small(**params).fit(batches(X, Y), X_val=X_TEST, y_val=Y_TEST),
        small(**params).fit(batches(X, Y), X_val=batches(X_TEST, Y_TEST)),
    ]
    assert_array_equal(*(clf.history_["val_average_precision"] for clf in found))
    assert found[0].threshold_ == found[1].threshold_ != 0.5
    assert "5000 X_val" in str(found[0].decision_report_)


def test_threshold_of_the_default_network_is_chosen_on_a_sample_that_stands_for_all():
    whole = small(threshold="f1").fit(X, Y)
    parts = small(threshold="f1").fit(batches(X, Y))
    assert parts.threshold_ == pytest.approx(whole.threshold_, abs=1e-6)
    assert "training samples" in str(parts.decision_report_)


@pytest.mark.slow
def test_warm_start_goes_on_and_finds_the_columns_again():
    clf = small(warm_start=True).fit(batches(X, Y))
    before = clf.history_["loss"][-1]
    clf.fit(batches(X, Y))
    assert clf.n_iter_ == 4
    assert clf.history_["loss"][-1] < before
    with pytest.raises(ValueError, match="6 features"):
        clf.fit(batches(X[:, :3], Y))


def test_predictions_take_batches_without_labels_and_iterators(of_arrays):
    expected = of_arrays.predict_proba(X)
    assert_array_equal(of_arrays.predict_proba(tf.data.Dataset.from_tensors(X)), expected)
    assert_array_equal(of_arrays.predict_proba(lambda: iter([X[:5], X[5:]])), expected)
    assert_array_equal(of_arrays.predict_proba(batches(X, Y)()), expected)
    assert_array_equal(of_arrays.predict_log_proba(batches(X, Y)), of_arrays.predict_log_proba(X))
    costs = {"fp": 1, "fn": np.linspace(1, 50, len(X))}
    assert_array_equal(of_arrays.predict(batches(X, Y), costs), of_arrays.predict(X, costs))


@pytest.mark.slow
def test_images_in_folders_are_classified(tmp_path):
    rng = np.random.default_rng(0)
    for name, n, shade in (("scratched", 6, 200), ("whole", 40, 60)):
        (tmp_path / name).mkdir()
        for i in range(n):
            image = rng.integers(0, 50, (8, 8, 1)) + shade
            keras.utils.save_img(tmp_path / name / f"{i}.png", image, scale=False)
    images = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(8, 8), color_mode="grayscale", batch_size=16, seed=0, verbose=False
    )
    clf = ImbalancedNNClassifier(epochs=8, augmentation=None, random_state=0).fit(images)
    assert_array_equal(clf.class_counts_, [6, 40])
    assert clf.minority_class_ == 0
    assert clf.score(images) == 1.0


def once():
    return batches(X, Y)()


class Exhausted:
    """Yields its batches once, whoever asks."""

    def __init__(self):
        self.left = once()

    def __iter__(self):
        return self.left


class Growing:
    """Yields another label in every pass."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return iter([(X, Y * self.passes)])


FRAME = pd.DataFrame(X, columns=list("abcdef"))


def frames(*columns):
    return lambda: iter([(FRAME.reindex(columns=list(names)), Y) for names in columns])


REFUSED = {
    "generator": (once, r"generator.*once.*fit\(batches\) in the place of.*partial_fit"),
    "exhausted": (Exhausted, r"no batches in its second pass.*iter\(X\)"),
    "other labels": (Growing, "labels that it did not yield in its first pass"),
    "endless": (lambda: dataset(X, Y).repeat(), r"without an end.*repeat\(\)"),
    "no batches": (lambda: dataset(X, Y).unbatch(), r"shape \(6,\), single samples.*batch\(256\)"),
    "nothing": (lambda: batches(X[:0], Y[:0]), "X yields no batches"),
    "no labels": (lambda: dataset(X, Y).map(lambda X, y: X), r"yields a ndarray.*\(X, y\)"),
    "dict": (lambda: lambda: iter([({"a": X}, Y)]), r"yields the inputs 'a', but.*tf.stack"),
    "Inputs": (lambda: lambda: iter([(Inputs([X, X]), Y)]), r"yields the inputs 0, 1, but"),
    "lengths": (lambda: lambda: iter([(X, Y[1:])]), "different lengths.*'X': 2000, 'y': 1999"),
    "shapes": (lambda: lambda: iter([(X, Y), (X[:, 1:], Y)]), r"different shapes, \[\(5,\), \(6,"),
    "kinds of labels": (lambda: lambda: iter([(X, Y), (X, TEXT)]), "labels are text, and some"),
    "kinds of y": (lambda: lambda: iter([(X, Y), (X, LABELS)]), "dimensions|indicator matrix"),
    "some weights": (lambda: lambda: iter([(X, Y), (X, Y, WEIGHT)]), "some batches with sample w"),
    "columns": (lambda: frames("abcdef", "abcdeg"), r"columns of X: not all have \['f', 'g'\]"),
    "more columns": (lambda: frames("abcde", "abcdef"), r"columns of X: not all have \['f'\]"),
    "frames and arrays": (
        lambda: lambda: iter([(FRAME, Y), (X, Y)]),
        "X is a data frame, and some",
    ),
    "columns of y": (
        lambda: lambda: iter([(X, pd.DataFrame({"p": Y, name: Y})) for name in "qr"]),
        r"columns of y: not all have \['q', 'r'\]",
    ),
    "weights of 0": (lambda: batches(X, Y, 0.0 * WEIGHT), "none with a sample_weight above 0"),
    "a function of samples": (lambda: lambda: (X, Y), r"returns a tuple.*yield X_part, y_part"),
    "a function of an array": (lambda: lambda: X, r"returns a ndarray.*pass all samples"),
    "a function of nothing": (lambda: lambda: None, "returns a NoneType"),
    "one label": (lambda: lambda: iter([(X, 1)]), "whose y is a int.*a value for each sample"),
    "one weight": (lambda: lambda: iter([(X, Y, 2.0)]), "whose sample_weight is a float"),
    "labels by name": (lambda: lambda: iter([(X, {"y": Y})]), "whose y is a dict"),
    "a path": (lambda: lambda: iter([("part.csv", Y)]), "whose X is a str"),
    "no features": (lambda: lambda: iter([(None, Y)]), "whose X is a NoneType"),
    "sparse": (lambda: lambda: iter([(sp.csr_matrix(X), Y)]), r"sparse batches.*batch.toarray\(\)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_stream_to_fit_is_an_error_with_its_cure(case):
    make, pattern = REFUSED[case]
    clf = small(epochs=1)
    with pytest.raises((TypeError, ValueError), match=f"(?s){pattern}"):
        clf.fit(make())
    assert not hasattr(clf, "classes_")


def refilled():
    part, labels = np.empty((100, 6), "float32"), np.empty(100, int)
    for first in range(0, 2000, 100):
        part[:], labels[:] = X[first : first + 100], Y[first : first + 100]
        yield part, labels


class Refilled(keras.utils.PyDataset):
    part, labels = np.empty((100, 6), "float32"), np.empty(100, int)

    def __len__(self):
        return 20

    def __getitem__(self, index):
        rows = slice(100 * index, 100 * index + 100)
        self.part[:], self.labels[:] = X[rows], Y[rows]
        return self.part, self.labels


@pytest.mark.parametrize("kind", [lambda: refilled, Refilled], ids=["function", "PyDataset"])
def test_a_stream_that_fills_its_arrays_anew_is_that_of_new_arrays(kind, of_arrays):
    clf = small().fit(kind())
    expected = of_arrays.predict_proba(X)
    assert_array_equal(clf.class_counts_, np.bincount(Y))
    assert_array_equal(clf.predict_proba(X), expected)
    assert_array_equal(clf.predict_proba(kind()), expected)
    assert clf.score(kind()) == of_arrays.score(X, Y)
    validated = small(threshold="f1").fit(batches(X, Y), X_val=kind())
    assert validated.threshold_ == small(threshold="f1").fit(X, Y, X_val=X, y_val=Y).threshold_


@pytest.mark.parametrize("kind", [dataset, Sequence, lambda *arrays: list(batches(*arrays)())])
def test_a_function_may_return_any_other_stream_or_a_list_of_batches(kind, of_arrays):
    assert of_arrays.score(lambda: kind(X, Y)) == of_arrays.score(X, Y)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_columns_go_by_name_in_each_batch(library, of_arrays):
    frame, half = library(FRAME), 1000
    turned = frame[list("fedcba")]
    found = small().fit(lambda: iter([(frame[:half], Y[:half]), (turned[half:], Y[half:])]))
    assert_allclose(found.predict_proba(frame), of_arrays.predict_proba(X), atol=1e-6)


class Shrinking:
    """Yields fewer samples in later passes."""

    passes = 0

    def __iter__(self):
        self.passes += 1
        return iter([(X, Y)] * (2 if self.passes == 1 else 1))


def test_another_number_of_samples_in_a_later_pass_is_a_warning():
    with pytest.warns(
        UserWarning, match="2000 samples in a later pass, but 4000 in its first"
    ) as w:
        small().fit(Shrinking())
    assert w[0].filename == __file__


@pytest.mark.parametrize("weights", [(), (WEIGHT,)])
@pytest.mark.parametrize("y", [Y, CLASSES, LABELS])
def test_samples_of_equal_passes_are_counted_without_a_warning(y, weights, small_blocks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(epochs=1).fit(batches(X, y, *weights))


PARAMETERS = {
    "cv": ({"cv": 3}, "cv=3 cannot be used with a stream.*Set cv=None"),
    "sampler": ({"sampler": RandomOverSampler()}, "sampler=.*batching='balanced'"),
    "early_stopping": ({"early_stopping": True}, "early_stopping=True.*X_val"),
    "threshold": ({"threshold": "f1", "optimizer": "adam"}, "threshold='f1'.*X_val"),
    "rule": ({"threshold": {"recall": 0.9}}, "threshold={'recall': 0.9}.*X_val"),
    "batch_size": ({"batching": "balanced", "batch_size": 1}, "batch_size=1 is too small"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_parameter_that_takes_all_samples_at_once_is_an_error_with_its_cure(case):
    params, pattern = PARAMETERS[case]
    with pytest.raises(ValueError, match=f"(?s){pattern}"):
        small(**params).fit(batches(X, Y))


def test_balanced_batches_of_indicators_are_an_error_with_its_cure():
    with pytest.raises(ValueError, match=r"takes class labels.*batching='stratified'"):
        small(batching="balanced").fit(batches(X, LABELS))


@pytest.mark.parametrize("beside", ["y", "sample_weight", "groups"])
def test_an_argument_beside_a_stream_is_an_error_with_its_cure(beside):
    with pytest.raises(TypeError, match=f"fit\\(\\) got {beside} beside a stream.*Leave {beside}"):
        small().fit(batches(X, Y), **{beside: Y})


def test_arguments_beside_a_validation_stream_and_a_scored_one_are_errors(of_arrays):
    with pytest.raises(TypeError, match="got y_val beside a stream"):
        small().fit(batches(X, Y), X_val=batches(X, Y), y_val=Y)
    with pytest.raises(TypeError, match=r"score\(\) got y beside a stream"):
        of_arrays.score(batches(X, Y), Y)
    with pytest.raises(TypeError, match=r"takes all samples.*'f1'"):
        small(scoring=lambda *_: 0.0).fit(X, Y).score(batches(X, Y))


@pytest.mark.parametrize("trainer", ["compiled", pytest.param("keras", marks=pytest.mark.slow)])
def test_an_error_of_a_stream_is_raised_as_it_is_and_leaves_the_estimator_as_it_was(trainer):
    clf = small(trainer=trainer).fit(X, Y)
    before, passes = clf.predict_proba(X), []

    def failing():
        passes.append(True)
        yield X, Y
        if len(passes) > 1:
            raise LookupError("disk is gone")

    with pytest.raises(LookupError, match="disk is gone"):
        clf.fit(failing)
    assert_array_equal(clf.predict_proba(X), before)


def test_the_state_of_the_process_is_untouched():
    np.random.seed(3)
    expected = np.random.RandomState(3).random_sample()
    small().fit(dataset(X, Y))
    assert np.random.random_sample() == expected


def test_other_estimators_refuse_streams_with_a_cure():
    with pytest.raises(TypeError, match=r"a stream of samples.*partial_fit"):
        ImbalancedNNSegmenter().fit(batches(X, Y))


@pytest.mark.slow
def test_memory_is_that_of_a_block(monkeypatch):
    from benchmarks.memory import resident_mib

    monkeypatch.setattr("skimb.data.streams.STREAM_BLOCK_BYTES", 2**20)

    class Memory(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            noted.append(resident_mib())

    def stream():
        for seed in range(100):
            rng = np.random.default_rng(seed)
            drawn = rng.normal(size=(2000, 50)).astype("float32")
            yield drawn, (drawn[:, 0] > 2).astype(int)

    noted = []  # 40 MB an epoch
    small(model="mlp", epochs=4, batch_size=1000, callbacks=[Memory()]).fit(stream)
    assert max(noted) - noted[0] < 10
