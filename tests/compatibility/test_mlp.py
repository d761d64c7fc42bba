"""What users of scikit-learn's `MLPClassifier` rely on, and where an estimator differs from it."""

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csc_matrix, csr_array, csr_matrix
from sklearn.base import clone

from skimb import ImbalancedNNClassifier

RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 4)).astype("float32")
Y = (X[:, 0] > 0.7).astype(int)
Y3 = Y + (X[:, 1] > 0.9)
LABELS = np.stack([Y, Y3 > 1], axis=1).astype(int)


def mlp(**params):
    small = {"model": "mlp", "model__hidden_layer_sizes": (4,), "epochs": 2, "random_state": 0}
    return ImbalancedNNClassifier(**{**small, **params})


@pytest.fixture(scope="module")
def fitted():
    return mlp().fit(X, Y)


@pytest.fixture(scope="module")
def trained():
    return mlp(epochs=60, optimizer__learning_rate=0.05, scoring="accuracy").fit(X, Y3)


def weights_of(clf):
    return np.concatenate([w.numpy().ravel() for w in clf.model_.trainable_variables])


# ---- what is learnt


def test_classes_that_can_be_told_apart_are(trained):
    assert trained.score(X, Y3) > 0.85
    assert trained.history_["loss"][-1] < trained.history_["loss"][0]
    assert trained.loss_ == trained.history_["loss"][-1]  # loss_curve_ there


@pytest.mark.slow
def test_stronger_penalties_make_smaller_weights():
    sizes = []
    for penalty in (0.0, 1.0):
        clf = mlp(model__l2=penalty, epochs=30, optimizer__learning_rate=0.05).fit(X, Y)
        kernels = [w.numpy() for w in clf.model_.trainable_variables if w.ndim == 2]
        sizes.append(sum(np.abs(kernel).sum() for kernel in kernels))
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize(("y", "shape"), [(Y, (96, 2)), (Y3, (96, 3)), (LABELS, (96, 2))])
def test_probabilities_agree_with_their_logarithms_and_with_the_predictions(y, shape):
    clf = mlp().fit(X, y)
    proba = clf.predict_proba(X)
    assert proba.shape == shape
    assert ((proba >= 0) & (proba <= 1)).all()
    assert_allclose(clf.predict_log_proba(X), np.log(proba), rtol=1e-4)
    if y is LABELS:
        assert_array_equal(clf.predict(X), proba >= 0.5)
    else:
        assert_allclose(proba.sum(axis=1), 1)
        assert_array_equal(clf.predict(X), proba.argmax(axis=1))


def test_labels_that_are_independent_are_learnt_together():
    clf = mlp(epochs=60, optimizer__learning_rate=0.05).fit(X, LABELS)
    assert clf.predict(X).shape == LABELS.shape
    assert (clf.predict(X) == LABELS).mean() > 0.85


def test_samples_are_shuffled_anew_by_another_seed():
    # one batch has nothing to shuffle, several have
    one, several = {"batch_size": 96}, {"batch_size": 32}
    again = mlp(**several).fit(X, Y)
    assert_array_equal(weights_of(mlp(**several).fit(X, Y)), weights_of(again))
    assert not np.array_equal(weights_of(mlp(**one).fit(X, Y)), weights_of(again))
    with pytest.raises(TypeError, match="shuffled in every epoch"):
        mlp(shuffle=False)


# ---- chunks


def test_partial_fit_refuses_other_classes_than_at_first():
    clf = mlp().partial_fit(X[:2], Y[:2], classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes=\[1, 2\]"):
        clf.partial_fit(X[:2], Y[:2], classes=[1, 2])
    with pytest.raises(ValueError, match="class"):
        mlp().partial_fit(X, Y, classes=[2])
    with pytest.raises(ValueError, match="classes"):
        mlp().partial_fit(X, Y)


def test_a_class_may_first_come_in_a_later_chunk():
    clf = mlp().partial_fit(X, np.where(Y, "b", "a"), classes=["a", "b", "c"])
    clf.partial_fit(X[:1], ["c"])
    assert_array_equal(clf.classes_, ["a", "b", "c"])
    assert clf.predict_proba(X).shape == (96, 3)


def test_chunks_of_all_samples_are_the_epochs_of_a_fit():
    params = {"model__normalize": False, "class_weight": None, "batch_size": 96}
    whole = mlp(epochs=3, **params).fit(X, Y)
    chunks = mlp(**params)
    for _ in range(3):
        chunks.partial_fit(X, Y, classes=[0, 1])
    assert_allclose(chunks.predict_proba(X), whole.predict_proba(X), rtol=1e-4)
    assert chunks.n_iter_ == whole.n_iter_ == 3


def test_partial_fit_after_early_stopping_is_refused():
    clf = mlp(early_stopping=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"early_stopping=True.*partial_fit"):
        clf.partial_fit(X, Y)


def test_a_network_from_a_file_is_trained_on(tmp_path, trained):
    joblib.dump(trained, tmp_path / "mlp.joblib")
    loaded = joblib.load(tmp_path / "mlp.joblib")
    assert_array_equal(loaded.predict(X), trained.predict(X))
    for _ in range(3):
        loaded.partial_fit(X, np.zeros(96, int))
    assert loaded.n_iter_ == trained.n_iter_ + 3
    assert not np.array_equal(weights_of(loaded), weights_of(trained))


# ---- warm starts


@pytest.mark.parametrize("y", [np.where(Y3 == 2, 3, Y3), np.arange(96) % 4], ids=["other", "more"])
def test_a_warm_start_refuses_other_classes(y):
    clf = mlp(warm_start=True).fit(X, Y3).fit(X, Y3)
    with pytest.raises(ValueError, match=r"warm_start.*\[0, 1, 2\]"):
        clf.fit(X, y)


def test_a_warm_start_takes_samples_of_some_of_the_classes():
    clf = mlp(warm_start=True).fit(X, Y3).fit(X, Y)  # an error in MLPClassifier
    assert_array_equal(clf.classes_, [0, 1, 2])


def test_a_warm_start_goes_on_for_all_epochs_and_counts_them():
    clf = mlp(warm_start=True, epochs=3).fit(X, Y)
    assert clf.n_iter_ == 3
    assert clf.fit(X, Y).n_iter_ == 6  # 3 in MLPClassifier, as of the last fit
    assert clf.set_params(epochs=1).fit(X, Y).n_iter_ == 7


def test_a_warm_start_learns_on_without_a_jump():
    clf = mlp(warm_start=True, epochs=10, optimizer__learning_rate=0.01).fit(X, Y)
    clf.fit(X, Y)
    losses = clf.history_["loss"]
    assert losses[10] < losses[5] < losses[0]


def test_early_stopping_goes_with_warm_starts():
    clf = mlp(warm_start=True, early_stopping=True, epochs=3).fit(X, Y)
    assert len(clf.set_params(epochs=2).fit(X, Y).history_["val_average_precision"]) == 5


# ---- when it stops


def test_early_stopping_ends_before_the_last_epoch_and_keeps_the_best():
    params = {"early_stopping": True, "epochs": 200, "patience": 3, "optimizer": "sgd"}
    clf = mlp(optimizer__learning_rate=1e-9, **params).fit(X, Y)
    assert clf.n_iter_ == 4  # the first is the best, and three are no better
    assert clf.best_iter_ == 1
    scores = clf.history_["val_average_precision"]  # validation_scores_ there
    assert max(scores) == scores[clf.best_iter_ - 1]
    assert "val_average_precision" not in mlp().fit(X, Y).history_


def test_without_early_stopping_every_epoch_is_run(fitted):
    assert fitted.n_iter_ == fitted.epochs == 2
    with pytest.raises(TypeError, match="early_stopping"):
        mlp(tol=1e9)


def test_held_out_samples_have_the_classes_of_the_others():
    with pytest.raises(ValueError, match="one class 0"):
        mlp(early_stopping=True).fit(X[:4], [0, 0, 0, 1])


def test_early_stopping_takes_text_labels():
    clf = mlp(early_stopping=True, epochs=3).fit(X, np.array(["a", "b", "c"], object)[Y3])
    scores = clf.history_["val_average_precision"]
    assert len(scores) == clf.n_iter_
    assert np.isfinite(scores).all()


def test_early_stopping_with_equal_weights_is_that_without():
    clf = mlp(early_stopping=True)
    weighted = clone(clf).fit(X, Y, sample_weight=np.ones(96))
    assert_allclose(weighted.predict_proba(X), clf.fit(X, Y).predict_proba(X), rtol=1e-5)


def test_a_loss_that_diverges_is_an_error():
    with pytest.raises(ValueError, match="epoch"):  # NaN in MLPRegressor
        mlp(model__activation="linear", optimizer="sgd", optimizer__learning_rate=1e30,
            batch_size=8, epochs=20, loss="mse").fit(X, Y)  # fmt: skip


# ---- what is taken


@pytest.mark.parametrize("container", [csr_matrix, csc_matrix, csr_array])
def test_sparse_and_dense_features_are_the_same(container, fitted):
    sparse = mlp().fit(container(X), Y)
    assert_allclose(sparse.predict_proba(container(X)), fitted.predict_proba(X), rtol=1e-4)
    assert_allclose(sparse.predict_proba(X), sparse.predict_proba(container(X)), rtol=1e-5)


def test_names_of_features_are_kept_through_early_stopping(recwarn):
    table = pd.DataFrame(X, columns=list("abcd"))
    clf = mlp(early_stopping=True).fit(table, pd.Series(Y, name="fraud"))
    assert_array_equal(clf.feature_names_in_, list("abcd"))
    clf.predict(table)
    assert not [w for w in recwarn if "feature names" in str(w.message)]
    with pytest.warns(UserWarning, match="feature names"):
        clf.predict(X)


def test_named_columns_in_another_order_are_refused():
    table = pd.DataFrame(X, columns=list("abcd"))
    clf = mlp().fit(table, Y)
    with pytest.raises(ValueError, match="feature names"):
        clf.predict(table[list("dcba")])


def test_lists_are_arrays(fitted):
    assert_allclose(
        mlp(dtype="float32").fit(X.tolist(), Y.tolist()).predict_proba(X),
        fitted.predict_proba(X), rtol=1e-3,
    )  # fmt: skip


def test_networks_have_the_dtype_that_is_asked_for(fitted):
    assert {w.dtype for w in fitted.model_.trainable_variables} == {"float32"}
    wide = mlp(dtype="float64").fit(X.astype("float64"), Y)
    assert {w.dtype for w in wide.model_.trainable_variables} == {"float64"}
    assert_allclose(
        mlp(dtype="float32").fit(X.astype("float64"), Y).predict_proba(X),
        fitted.predict_proba(X), rtol=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [1.0, 2.0], [-1, 1]], ids=str)
def test_labels_of_any_type_are_predicted(labels, fitted):
    y = np.array(labels)[Y]
    clf = mlp().fit(X, y)
    assert clf.predict(X).dtype == y.dtype
    assert_array_equal(clf.predict(X), np.array(labels)[fitted.predict(X)])


def test_weights_of_samples_are_repetitions():
    params = {"class_weight": None, "batch_size": 200, "model__normalize": False}
    weight = 1 + Y
    weighted = mlp(**params).fit(X, Y, sample_weight=weight)
    repeated = mlp(**params).fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-3)


def test_a_line_an_epoch_is_printed_on_request(capsys):
    mlp(verbose=2).fit(X, Y)
    assert "loss" in capsys.readouterr().out
    mlp().fit(X, Y)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("max_iter", "'epochs'"),
        ("solver", "'optimizer'"),
        ("learning_rate_init", "'optimizer__learning_rate'"),
        ("n_iter_no_change", "'patience'"),
        ("hidden_layer_sizes", "'model__hidden_layer_sizes'"),
        ("activation", "'model__activation'"),
        ("momentum", "'optimizer__momentum'"),
        ("beta_1", "'optimizer__beta_1'"),
    ],
)
def test_parameters_of_the_mlp_are_errors_that_say_what_to_write(name, cure):
    with pytest.raises(TypeError, match=cure):
        mlp(**{name: 1})
