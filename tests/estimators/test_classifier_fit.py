"""What the classifier takes, and what it is after fit."""

import inspect

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.base import clone, is_classifier
from sklearn.metrics import f1_score

from skimb import ImbalancedNNClassifier


def quick(**params):
    return ImbalancedNNClassifier(**{"cv": None, "epochs": 15, "random_state": 0, **params})


def test_binary_problem_is_learned_and_scored_by_the_f1_of_the_minority(binary):
    X, y = binary
    clf = quick(epochs=200).fit(X[::2], y[::2])
    assert clf.score(X[1::2], y[1::2]) > 0.8
    assert clf.score(X, y) == pytest.approx(f1_score(y, clf.predict(X)))
    assert clf.minority_class_ == 1
    assert clf.n_iter_ == 200 == len(clf.history_["loss"])
    assert clf.loss_ == clf.history_["loss"][-1]
    assert_array_equal(clf.class_counts_, np.bincount(y[::2]))


def test_score_is_the_f1_of_the_rare_class_when_that_is_the_first(binary):
    X, y = binary
    labels = np.where(y == 1, "a rare one", "common")
    clf = quick().fit(X, labels)
    assert clf.minority_class_ == "a rare one"
    expected = f1_score(labels, clf.predict(X), pos_label="a rare one")
    assert clf.score(X, labels) == pytest.approx(expected)


def test_score_behind_a_sampler_is_the_f1_of_the_class_that_is_rare_in_the_data(binary):
    X, y = binary
    labels = np.where(y == 1, "fraud", "ok")
    for sampler in (SMOTE(random_state=0), SMOTEENN(random_state=0)):
        pipeline = make_pipeline(sampler, quick()).fit(X, labels)
        expected = f1_score(labels, pipeline.predict(X), pos_label="fraud")
        assert pipeline.score(X, labels) == pytest.approx(expected)


def test_multiclass_problem_is_learned_and_scored_by_macro_f1(multiclass):
    X, y = multiclass
    clf = quick(epochs=60).fit(X, y)
    assert clf.predict_proba(X).shape == (300, 3)
    assert clf.decision_function(X).shape == (300, 3)
    assert clf.score(X, y) == pytest.approx(f1_score(y, clf.predict(X), average="macro"))
    assert clf.score(X, y) > 0.85


def test_indicator_matrix_is_learned_label_by_label(multilabel):
    X, Y = multilabel
    clf = quick(epochs=60).fit(X, Y)
    assert clf.predict(X).shape == Y.shape
    assert set(np.unique(clf.predict(X))) <= {0, 1}
    assert clf.score(X, Y) == pytest.approx(f1_score(Y, clf.predict(X), average="macro"))
    assert clf.score(X, Y) > 0.8
    assert_array_equal(clf.class_counts_[:, 1], Y.sum(axis=0))


@pytest.mark.parametrize("data", ["binary", "multiclass", "multilabel"])
def test_probabilities_are_the_link_of_the_decision_function(data, request):
    X, y = request.getfixturevalue(data)
    clf = quick(epochs=3).fit(X, y)
    z, p = clf.decision_function(X), clf.predict_proba(X)
    expected = {
        "binary": lambda: np.column_stack([expit(-z), expit(z)]),
        "multiclass": lambda: softmax(z, axis=1),
        "multilabel": lambda: expit(z),
    }[data]()
    assert_allclose(p, expected, rtol=1e-6)
    assert_allclose(clf.predict_log_proba(X), np.log(expected), rtol=1e-5)
    if data != "multilabel":
        assert_allclose(p.sum(axis=1), 1)


def test_log_probabilities_stay_finite_where_probabilities_round_to_zero(binary):
    X, y = binary
    clf = quick(epochs=5, model__normalize=False).fit(X, y)
    far = X * 1e6
    assert (clf.predict_proba(far) == 0).any()
    assert np.isfinite(clf.predict_log_proba(far)).all()


# ---- inputs


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.tolist(),
        lambda X: pd.DataFrame(X).rename(columns=str),
        lambda X: pl.DataFrame(X),
        sp.csr_matrix,
        sp.csc_matrix,
        sp.csr_array,
        sp.csc_array,
        np.asfortranarray,
    ],
    ids=lambda convert: getattr(convert, "__name__", "convert"),
)
def test_every_container_of_features_gives_the_same_predictions(binary, convert):
    X, y = binary
    expected = quick(epochs=3).fit(X, y).predict_proba(X)
    clf = quick(epochs=3).fit(convert(X), y)
    assert_allclose(clf.predict_proba(convert(X)), expected, rtol=1e-9)


def test_memory_map_is_read_and_left_alone(binary, tmp_path):
    X, y = binary
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = quick(epochs=3).fit(X, y).predict_proba(X)
    assert_allclose(quick(epochs=3).fit(mapped, y).predict_proba(mapped), expected)


@pytest.mark.slow
def test_data_larger_than_the_resident_limit_are_trained_in_blocks(binary, monkeypatch):
    X, y = binary
    expected = quick(epochs=3, batch_size=32).fit(X, y).predict_proba(X)
    monkeypatch.setattr("skimb.training.dataset.RESIDENT_BYTES", 1000)
    monkeypatch.setattr("skimb.training.dataset.BLOCK_BYTES", 5000)
    monkeypatch.setattr("skimb.training.inference.FORWARD_BYTES", 3000)
    for data in (X, sp.csr_array(X)):
        clf = quick(epochs=3, batch_size=32).fit(data, y)
        assert_allclose(clf.predict_proba(data), expected, rtol=1e-9)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array([False, True]),
        np.array([-1, 1]),
        np.array([3.0, 7.0]),
    ],
    ids=["str", "object", "bool", "signed", "float"],
)
@pytest.mark.parametrize("container", [np.asarray, list, pd.Series])
def test_labels_of_any_type_come_back(binary, labels, container):
    X, y = binary
    clf = quick(epochs=3).fit(X, container(labels[y]))
    assert_array_equal(clf.classes_, labels)
    assert set(clf.predict(X)) <= set(labels)
    assert list(clf.class_weight_) == labels.tolist()
    assert clf.score(X, container(labels[y])) >= 0


@pytest.mark.parametrize("convert", [sp.csr_matrix, pd.DataFrame, np.ndarray.tolist])
def test_indicator_matrix_in_any_container(multilabel, convert):
    X, Y = multilabel
    expected = quick(epochs=2).fit(X, Y).predict_proba(X)
    assert_allclose(quick(epochs=2).fit(X, convert(Y)).predict_proba(X), expected)


@pytest.mark.slow
def test_one_hot_rows_are_taken_for_labels_with_a_warning(multiclass):
    X, y = multiclass
    with pytest.warns(UserWarning, match=r"y\.argmax\(axis=1\)"):
        quick(epochs=1).fit(X, np.eye(3, dtype=int)[y])


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (8, 8, 3)])
def test_images_take_a_convolutional_network(shape):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 60, size=(120, *shape)).astype("uint8")
    y = (np.arange(120) % 6 == 0).astype(int)
    X[y == 1, 2:5, 2:5] += 150  # a bright spot
    clf = quick(epochs=40).fit(X, y)
    assert any(isinstance(layer, keras.layers.Conv2D) for layer in clf.model_.layers)
    assert clf.score(X, y) > 0.9
    with pytest.raises(ValueError, match=r"samples of shape \(4, 4"):
        clf.predict(X[:, :4, :4])


def test_feature_names_are_kept_and_checked(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=[f"feature {i}" for i in range(8)])
    clf = quick(epochs=1).fit(frame, y)
    assert_array_equal(clf.feature_names_in_, frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(frame[frame.columns[::-1]])


def test_unscaled_features_and_a_constant_one_make_no_difference(binary):
    X, y = binary
    scale, offset = 10.0 ** np.arange(-4, 4), 10.0 ** np.arange(8)
    moved = np.column_stack([X * scale + offset, np.full(len(X), 7.0)])
    padded = np.column_stack([X, np.zeros(len(X))])
    expected = quick(epochs=5).fit(padded, y).predict_proba(padded)
    clf = quick(epochs=5).fit(moved, y)
    assert_allclose(clf.predict_proba(moved), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("constant", [0.1, -1e20 / 3, 9.96921e36, 1e140])
@pytest.mark.parametrize("params", [{}, {"dtype": "float32"}, {"model": "auto", "cv": 3}])
def test_constant_column_counts_neither_in_training_nor_when_it_varies_later(
    binary, constant, params
):
    X, y = binary
    expected = quick(epochs=3, **params).fit(np.column_stack([X, 0 * y]), y)
    expected = expected.predict_proba(np.column_stack([X, 0 * y]))
    clf = quick(epochs=3, **params).fit(np.column_stack([X, np.full(len(X), constant)]), y)
    for later in (constant, 0.0, 1e6):
        found = clf.predict_proba(np.column_stack([X, np.full(len(X), later)]))
        assert_allclose(found, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [2.0**-100, 2.0**100])
def test_unit_of_the_columns_makes_no_difference_to_the_intervals_of_members(binary, scale):
    X, y = binary
    expected = quick(model="auto", cv=3, epochs=3).fit(X, y).predict_proba(X)
    clf = quick(model="auto", cv=3, epochs=3).fit(X * scale, y)
    assert_allclose(clf.predict_proba(X * scale), expected, atol=1e-6)


# ---- going on, copying, following


def test_warm_start_goes_on_where_the_last_fit_ended(binary):
    X, y = binary
    clf = quick(epochs=3, warm_start=True).fit(X, y)
    first = clf.loss_
    clf.fit(X, y)
    assert clf.n_iter_ == 6
    assert clf.history_["loss"][3] < first * 1.05
    assert clf.loss_ < first


def test_fit_without_warm_start_begins_anew(binary):
    X, y = binary
    clf = quick(epochs=3).fit(X, y)
    first = clf.predict_proba(X)
    assert_array_equal(clf.fit(X, y).predict_proba(X), first)
    assert clf.n_iter_ == 3


def test_partial_fit_counts_and_learns_over_chunks(binary):
    X, y = binary
    clf = quick(class_weight="balanced")
    for start in range(0, 400, 100):
        chunk = slice(start, start + 100)
        clf.partial_fit(X[chunk], y[chunk], classes=[0, 1])
    assert_array_equal(clf.class_counts_, np.bincount(y))
    assert clf.class_weight_ == {
        k: pytest.approx(400 / (2 * n)) for k, n in enumerate(np.bincount(y))
    }
    assert clf.n_iter_ == 4
    # the features are standardised with the statistics of all chunks
    mean = clf.model_.get_layer("standardize").moving_mean
    assert_allclose(mean, X.mean(axis=0), atol=1e-9)


@pytest.mark.slow
def test_partial_fit_reaches_what_fit_reaches(binary):
    X, y = binary
    clf = quick()
    for _ in range(60):
        clf.partial_fit(X, y, classes=[0, 1])
    assert clf.score(X, y) > 0.8


def test_partial_fit_accepts_chunks_of_one_class(binary):
    X, y = binary
    clf = quick().partial_fit(X[y == 0][:50], y[y == 0][:50], classes=[0, 1])
    clf.partial_fit(X, y)
    assert_array_equal(clf.classes_, [0, 1])


@pytest.mark.slow
def test_partial_fit_of_indicator_matrices_needs_no_classes(multilabel):
    X, Y = multilabel
    clf = quick().partial_fit(X[:100], Y[:100]).partial_fit(X[100:], Y[100:])
    assert_array_equal(clf.class_counts_[:, 1], Y.sum(axis=0))


def test_clone_is_not_fitted_and_keeps_routed_parameters():
    clf = quick(model__dropout=0.2, optimizer__learning_rate=0.1, loss="focal", loss__gamma=1.0)
    twin = clone(clf)
    assert twin.get_params() == clf.get_params()
    assert twin.get_params()["model__dropout"] == 0.2
    assert not hasattr(twin, "model_")


def test_followed_metrics_are_those_of_scikit_learn_on_the_training_rows(binary):
    X, y = binary
    clf = quick(epochs=4, metrics=["f1", "average_precision", "accuracy"]).fit(X, y)
    assert {k: len(v) for k, v in clf.history_.items()} == dict.fromkeys(
        ["loss", "f1", "average_precision", "accuracy", "learning_rate"], 4
    )
    assert clf.history_["f1"][-1] == pytest.approx(f1_score(y, clf.predict(X)))
    assert clf.history_["accuracy"][-1] == pytest.approx(np.mean(clf.predict(X) == y))


def test_scoring_may_be_a_name_or_a_function(binary):
    X, y = binary
    clf = quick(epochs=3, scoring="accuracy").fit(X, y)
    assert clf.score(X, y) == pytest.approx(np.mean(clf.predict(X) == y))
    clf.set_params(scoring=lambda estimator, X, y: 0.25)
    assert clf.score(X, y) == 0.25


def test_parameters_show_in_the_text_and_html_representation():
    clf = ImbalancedNNClassifier(cv=None, loss="focal", loss__gamma=1.5)
    assert "loss__gamma=1.5" in repr(clf)
    assert "loss__gamma" in clf._repr_html_()
    assert is_classifier(clf)


def test_parameters_in_the_documentation_are_those_of_the_constructor():
    documented = inspect.getdoc(ImbalancedNNClassifier)
    for name in ImbalancedNNClassifier(cv=None).get_params():
        assert f"\n{name} : " in documented
