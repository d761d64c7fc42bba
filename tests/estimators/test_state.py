"""What an estimator is made of: parameters of subclasses, and attributes read from one state."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skimb import ImbalancedNNClassifier, ImbalancedNNSegmenter


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    return X, (X[:, 0] + rng.normal(size=80) > 1).astype(int)


class Mild(ImbalancedNNClassifier):
    """A subclass that decides on some parameters itself."""

    def __init__(self, model="mlp", *, epochs=2):
        super().__init__(
            model, epochs=epochs, class_weight={0: 1, 1: 50}, threshold=0.3, metrics=["recall"]
        )


def test_parameters_that_a_subclass_sets_itself_count(binary):
    clf = Mild().fit(*binary)
    assert clf.class_weight_ == {0: 1.0, 1: 50.0}
    assert clf.threshold_ == 0.3
    assert len(clf.history_["recall"]) == 2


def test_missing_values_after_a_fit_on_a_sparse_matrix_are_the_mean(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=2, random_state=0).fit(sp.csr_array(X), y)
    holes, filled = X.copy(), X.copy()
    holes[3, 1], filled[3, 1] = np.nan, X[:, 1].mean()
    with pytest.warns(UserWarning, match=r"missing values in the columns \[1\]"):
        p = clf.predict_proba(holes)
    np.testing.assert_allclose(p, clf.predict_proba(filled), rtol=1e-5)


def test_missing_values_of_a_frame_of_sparse_columns_are_an_error(binary):
    X, y = binary
    X = np.where(X > 1, np.nan, X)
    frame = pd.DataFrame(X).astype(pd.SparseDtype("float64", 0.0))
    with pytest.raises(ValueError, match=r"missing values \(NaN\)"):
        ImbalancedNNClassifier("mlp", epochs=1).fit(frame, y)


def test_a_fit_ends_what_was_assigned_to_a_fitted_attribute(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=1).fit(X, y)
    clf.threshold_, clf.n_features_in_ = 0.9, 9
    clf.fit(X[:, :3], y)
    assert (clf.threshold_, clf.n_features_in_) == (0.5, 3)


def test_a_scheme_of_pixels_is_unknown_to_the_classifier(binary):
    clf = ImbalancedNNClassifier("mlp", epochs=1, class_weight="median_frequency")
    with pytest.raises(ValueError, match="median_frequency"):
        clf.fit(*binary)


def test_a_list_of_arrays_is_read_as_the_frame_of_the_fit(binary):
    X, y = binary
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=np.where(y, "x", "z"))
    clf = ImbalancedNNClassifier("mlp", epochs=2, random_state=0).fit(frame, y)
    rows = [np.array(row, dtype=object) for row in frame.to_numpy()]
    with pytest.warns(UserWarning, match="valid feature names"):
        p = clf.predict_proba(rows)
    assert_array_equal(p, clf.predict_proba(frame))


def test_warm_start_checks_the_score_and_the_kind_of_target(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="'f11' in scoring"):
        clf.set_params(scoring="f11").fit(X, y)
    with pytest.raises(ValueError, match="target='candidates' changed"):
        clf.set_params(scoring="f1", target="candidates", loss="partial_label").fit(X, y)


@pytest.mark.parametrize("estimator", [ImbalancedNNClassifier, ImbalancedNNSegmenter])
def test_fitted_attributes_are_absent_before_fit(estimator):
    attributes = [name for name in dir(estimator) if name.endswith("_") and name[0] != "_"]
    assert len(attributes) >= 12
    assert [name for name in attributes if hasattr(estimator(), name)] == []


def test_nothing_of_a_fitted_estimator_changes_with_the_arrays_that_were_passed(binary):
    X, y = binary
    weight, costs = np.linspace(1, 2, 80), np.array([[0.0, 1.0], [9.0, 0.0]])
    labels, cut = np.c_[y, X[:, 1] > 0.5].astype(np.int32), np.array([0.3, 0.6])
    clf = ImbalancedNNClassifier("mlp", epochs=2, cv=2, costs=costs, random_state=0)
    clf.fit(X, y, sample_weight=weight)
    of_labels = ImbalancedNNClassifier("mlp", epochs=2, cv=2, threshold=cut, random_state=0)
    of_labels.fit(X, labels)
    untouched = pickle.loads(pickle.dumps([clf, of_labels]))
    seen = X.copy()
    for array in (X, y, weight, costs, labels, cut):
        array[...] = array[::-1].copy()
    assert_array_equal(of_labels.threshold_, [0.3, 0.6])
    for found, expected in zip([clf, of_labels], untouched, strict=True):
        assert found.oof_score_ == expected.oof_score_
        assert found.oof_score_interval_ == expected.oof_score_interval_
        assert_array_equal(found.predict(seen), expected.predict(seen))
