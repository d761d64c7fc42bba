"""Samplers of imbalanced-learn inside the classifier."""

import numpy as np
import pytest
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler, TomekLinks
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skimb import ImbalancedNNClassifier, training
from skimb.data.resampling import resampled
from skimb.training.cache import programs

CLF = ImbalancedNNClassifier("mlp", epochs=4, random_state=0, batch_size=64)
SAMPLERS = [RandomOverSampler(), RandomUnderSampler(), SMOTE(), SMOTEENN(), TomekLinks()]


def weights(n):
    return np.random.default_rng(0).uniform(0.5, 2.0, n)


@pytest.mark.parametrize("sampler", [RandomOverSampler(), RandomUnderSampler(), TomekLinks()])
def test_weights_follow_the_rows_that_are_kept_or_repeated(binary, sampler):
    X, y = binary
    weight = weights(len(X))
    X_new, y_new, weight_new = resampled(sampler, X, y, weight, seed=0)
    of_row = {row.tobytes(): (label, w) for row, label, w in zip(X, y, weight, strict=True)}
    for row, label, w in zip(X_new, y_new, weight_new, strict=True):
        assert of_row[row.tobytes()] == (label, w)


@pytest.mark.parametrize("sampler", [SMOTE(), SMOTEENN()])
def test_synthetic_rows_get_the_mean_weight_of_their_class(binary, sampler):
    X, y = binary
    weight = weights(len(X))
    X_new, y_new, weight_new = resampled(sampler, X, y, weight, seed=0)
    of_row = {row.tobytes(): w for row, w in zip(X, weight, strict=True)}
    mean = [weight[y == label].mean() for label in (0, 1)]
    expected = [of_row.get(r.tobytes(), mean[k]) for r, k in zip(X_new, y_new, strict=True)]
    assert_allclose(weight_new, expected)
    assert any(row.tobytes() not in of_row for row in X_new)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("anew", [False, True])
def test_every_sampler_trains_compiled_and_follows_random_state(binary, sampler, anew):
    X, y = binary
    clf = clone(CLF).set_params(sampler=sampler, resample_every_epoch=anew, trainer="compiled")
    first = clf.fit(X, y, sample_weight=weights(len(X))).predict_proba(X)
    assert_array_equal(clf.fit(X, y, sample_weight=weights(len(X))).predict_proba(X), first)
    other = clone(clf).set_params(random_state=1).fit(X, y).predict_proba(X)
    assert np.abs(other - first).max() > 1e-4
    assert sampler.get_params().get("random_state") is None  # the user's own is left alone


@pytest.mark.slow
def test_resampling_every_epoch_draws_other_rows_and_compiles_once(binary):
    X, y = binary
    drawn = []

    def draw(X, y):
        drawn.append(np.random.permutation(len(X))[: 300 + 7 * len(drawn)])
        return X[drawn[-1]], y[drawn[-1]]

    training.clear_cache()
    clf = clone(CLF).set_params(
        sampler=FunctionSampler(func=draw, validate=False), resample_every_epoch=True
    )
    clf.fit(X, y)
    assert len(drawn) == 4
    assert not np.array_equal(drawn[0][:300], drawn[1][:300])
    assert len(programs) == 1
    training.clear_cache()


@pytest.mark.slow
def test_both_trainers_resample_alike(binary):
    X, y = binary
    clf = clone(CLF).set_params(sampler=SMOTE(), resample_every_epoch=True, epochs=3)
    compiled = clone(clf).fit(X, y)
    plain = clone(clf).set_params(trainer="keras").fit(X, y)
    assert plain.trainer_ == "keras"
    assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), rtol=1e-4, atol=1e-5)


def test_keras_has_no_place_for_epochs_of_different_lengths(binary):
    lengths = iter([300, 900, 300])

    def draw(X, y):
        rows = np.random.permutation(len(X))[: next(lengths)]
        return X[rows], y[rows]

    clf = clone(CLF).set_params(
        sampler=FunctionSampler(func=draw, validate=False), resample_every_epoch=True,
        trainer="keras", batch_size=100,
    )  # fmt: skip
    with pytest.raises(ValueError, match="requires epochs of one length"):
        clf.fit(*binary)


@pytest.mark.slow
def test_once_is_what_the_same_rows_given_to_fit_are(binary):
    X, y = binary
    sampler = RandomOverSampler(random_state=3)
    # the default optimizer goes by the rows there are before the sampler
    clf = clone(CLF).set_params(model__normalize=False, optimizer="adam")
    inside = clone(clf).set_params(sampler=sampler).fit(X, y)
    outside = clone(clf).fit(*sampler.fit_resample(X, y))
    assert_allclose(inside.predict_proba(X), outside.predict_proba(X), rtol=1e-9)


@pytest.mark.slow
def test_balanced_weights_are_those_of_the_rows_that_the_sampler_leaves(binary):
    X, y = binary
    sampler = RandomUnderSampler(sampling_strategy=0.5)
    clf = clone(CLF).set_params(sampler=sampler, class_weight="balanced").fit(X, y)
    assert_allclose(list(clf.class_weight_.values()), [0.75, 1.5])
    assert_array_equal(clf.class_counts_, np.bincount(y))


@pytest.mark.slow
def test_images_sparse_rows_and_strings_are_sampled(binary):
    X, y = binary
    images = X.reshape(-1, 2, 4).astype("float32")
    clf = clone(CLF).set_params(sampler=RandomOverSampler(), model="mlp")
    names = np.array(["usual", "rare"])[y]
    assert set(clf.fit(images, names).predict(images)) <= {"rare", "usual"}
    clf.fit(sparse.csr_array(X), y, sample_weight=weights(len(X)))


@pytest.mark.slow
def test_samplers_are_searched_over(binary):
    X, y = binary
    grid = {"sampler": [None, SMOTE(), RandomUnderSampler()], "batching": ["shuffled", "balanced"]}
    search = GridSearchCV(clone(CLF), grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    nested = {"sampler__k_neighbors": [2, 4]}
    clf = clone(CLF).set_params(sampler=SMOTE())
    GridSearchCV(clf, nested, cv=2, error_score="raise").fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize("batching", ["shuffled", "stratified", "balanced"])
@pytest.mark.parametrize(
    ("kind", "xla"),
    [
        ("binary", False),
        ("binary", True),
        ("multiclass", False),
        ("multiclass", True),
        ("multilabel", False),
        ("multilabel", True),
    ],
)
def test_both_trainers_take_the_same_batches(kind, batching, xla, request, monkeypatch):
    if xla:
        monkeypatch.setattr("skimb.training.compiled_loop.XLA_PAYS_FROM_SECONDS", 0.0)
    X, y = request.getfixturevalue(kind)
    clf = clone(CLF).set_params(batching=batching, epochs=2)
    compiled = clone(clf).fit(X, y)
    assert compiled.trainer_ == ("xla" if xla else "graph")
    plain = clone(clf).set_params(trainer="keras").fit(X, y)
    assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), rtol=1e-4, atol=1e-5)


def test_balanced_batches_leave_nothing_for_balanced_weights(binary):
    X, y = binary
    clf = clone(CLF).set_params(batching="balanced").fit(X, y)
    assert_allclose(list(clf.class_weight_.values()), [1.0, 1.0])


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("multilabel", {"sampler": RandomOverSampler()}, "y is an indicator matrix"),
        ("binary", {"sampler": RandomOverSampler}, "sampler="),
        ("binary", {"sampler": "SMOTE"}, "sampler"),
        (
            "binary",
            {"sampler": FunctionSampler(func=lambda X, y: (X[y == 0], y[y == 0]))},
            "at least two classes",
        ),
        ("multiclass", {"batching": "balanced", "batch_size": 2}, "batch_size=2"),
    ],
)
def test_what_cannot_be_sampled_raises(kind, params, message, request):
    X, y = request.getfixturevalue(kind)
    clf = clone(CLF).set_params(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        clf.fit(X, y)
    assert not hasattr(clf, "classes_")


def test_streams_refuse_a_sampler(binary):
    X, y = binary
    with pytest.raises(ValueError, match="cannot be used in partial_fit"):
        clone(CLF).set_params(sampler=SMOTE()).partial_fit(X, y, classes=[0, 1])


def test_a_sampler_with_a_number_as_seed_draws_anew_too(binary):
    X, y = binary
    drawn = [
        resampled(RandomUnderSampler(random_state=0), X, y, np.ones(len(X)), 1, draw)[0]
        for draw in (0, 1, 1)
    ]
    assert_array_equal(drawn[1], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])


def test_transformers_among_the_steps_of_a_sampler_are_refused(binary):
    from imblearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = binary
    sampler = make_pipeline(StandardScaler(), RandomUnderSampler())
    with pytest.raises(TypeError, match="would transform only the training samples"):
        clone(CLF).set_params(sampler=sampler).fit(X, y)
