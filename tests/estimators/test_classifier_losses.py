"""Every loss by name in the classifier: trained, searched over, filled in from the data."""

import warnings

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_class_weight

from skimb import ImbalancedNNClassifier, losses, training
from skimb.networks import Cosines, with_features
from skimb.training.cache import programs

KINDS = ("binary", "multiclass", "multilabel")
LEVELS_AND_COMPARISONS = [
    {"loss__level": level, "loss__comparison": comparison}
    for level in ("class", "instance")
    for comparison in ("relative", "absolute", "distribution")
][1::2]  # both levels and all comparisons; the laws of the losses compile the others
CASES = [
    pytest.param(name, kind, params, id="-".join([name, kind, *params.values()]))
    for name, kinds in losses.available().items()
    for kind in kinds
    if kind in KINDS
    for params in (LEVELS_AND_COMPARISONS if name == "class_rectification" else [{}])
]
# another value of a number in the formula, which must not cost another compilation
NUMBERS = {
    "cross_entropy": {"label_smoothing": (0.05, 0.1)},
    "focal": {"gamma": (0.5, 1.0)},
    "asymmetric": {"gamma_pos": (0.5, 1.0), "gamma_neg": (3.0, 4.0), "margin": (0.05, 0.1)},
    "logit_adjusted": {"tau": (0.5, 1.0)},
    "vector_scaling": {"gamma": (0.1, 0.2), "tau": (0.5, 1.0)},
    "ldam": {"max_margin": (0.3, 0.5), "scale": (10.0, 30.0)},
    "distribution_balanced": {"alpha": (0.1, 0.2), "beta": (5.0, 9.0), "kappa": (0.05, 0.1)},
    "soft_f_beta": {"beta": (1.0, 2.0)},
    "soft_recall": {"penalty": (0.1, 1.0)},
    "minority_score": {"reward": (3.0, 9.0), "penalty": (0.5, 1.0)},
    "dice": {"epsilon": (1e-5, 1.0)},
    "tversky": {"alpha": (0.3, 0.5), "beta": (0.5, 0.7), "power": (0.75, 1.0)},
    "pairwise_auc": {"margin": (0.5, 1.0)},
    "class_rectification": {"eta": (0.01, 0.1), "margin": (0.4, 0.5), "rho": (0.4, 0.5)},
}


def classifier(name, model="mlp", **params):
    return ImbalancedNNClassifier(
        model, loss=name, class_weight=None, epochs=20, batch_size=50, random_state=0, **params
    )


FIRST = {case.values[0]: case.values[1] for case in reversed(CASES)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "params"), [case for case in CASES if case.values[1] == FIRST[case.values[0]]]
)
def test_the_members_of_the_default_network_learn_with_every_loss(name, kind, params, request):
    X, y = request.getfixturevalue(kind)
    clf = classifier(name, "auto", trainer="compiled", **params).fit(X, y)
    assert clf.loss_ < clf.history_["loss"][0]
    assert np.isfinite(clf.predict_proba(X)).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "params"), CASES)
def test_both_trainers_end_in_the_same_network(name, kind, params, request):
    X, y = request.getfixturevalue(kind)
    clf = classifier(name, **params).set_params(epochs=2)
    if kind != "multilabel":
        clf.set_params(class_weight={0: 1.0, 1: 3.0, 2: 5.0} if kind == "multiclass" else {1: 4.0})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = clone(clf).fit(X, y)
        plain = clone(clf).set_params(trainer="keras").fit(X, y)
    assert (compiled.trainer_, plain.trainer_) == ("graph", "keras")
    assert_allclose(compiled.decision_function(X), plain.decision_function(X), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", NUMBERS)
def test_search_over_the_numbers_of_a_loss_compiles_once(name, request):
    kind = next(kind for kind in losses.available()[name] if kind in KINDS)
    X, y = request.getfixturevalue(kind)
    training.clear_cache()
    grid = {f"loss__{name}": list(values) for name, values in NUMBERS[name].items()}
    clf = classifier(name, model="mlp").set_params(epochs=1)
    scoring = "f1_macro" if kind == "multilabel" else None
    search = GridSearchCV(clf, grid, cv=2, scoring=scoring, error_score="raise").fit(X, y)
    assert len(programs) == 1
    coefficients = [
        clone(clf).set_params(**p).fit(X, y).loss_ for p in search.cv_results_["params"]
    ]
    assert len(set(coefficients)) == len(coefficients)  # each number is of effect
    training.clear_cache()


@pytest.mark.slow
def test_search_over_the_loss_itself(binary):
    X, y = binary
    names = [name for name, kinds in losses.available().items() if "binary" in kinds]
    grid = {"loss": [*names, "hinge", keras.losses.BinaryCrossentropy(), losses.Focal(gamma=1.0)]}
    search = GridSearchCV(classifier("focal"), grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("name", losses.available())
def test_loss_on_a_target_it_does_not_take_raises_with_those_that_do(name, request):
    for kind in KINDS:
        if kind in losses.available()[name]:
            continue
        takers = [n for n, kinds in losses.available().items() if kind in kinds]
        with pytest.raises(
            ValueError, match=f"the target is {kind}.*{takers[0]!r}.*{takers[-1]!r}"
        ):
            classifier(name).fit(*request.getfixturevalue(kind))


@pytest.mark.slow
def test_logit_adjustment_gets_the_prior_of_the_training_rows(multiclass):
    """Without features, the network's own posterior is the uniform one, the adjusted one pi."""
    X, y = multiclass
    clf = classifier("logit_adjusted", model__hidden_layer_sizes=()).set_params(
        epochs=400, optimizer="sgd", optimizer__learning_rate=0.5
    )
    nothing = np.zeros_like(X)
    assert_allclose(clf.fit(nothing, y).predict_proba(nothing[:1]), [[1 / 3] * 3], atol=0.02)


@pytest.mark.parametrize("labels", [[0, 1], [1, 0], ["rare", "usual"]])
def test_minority_class_is_the_rare_one_whatever_its_place(binary, labels):
    X, y = binary
    clf = classifier("soft_recall", loss__penalty=0.0).set_params(epochs=60)
    clf.fit(X, np.array(labels)[y])
    rare = np.array(labels)[1]
    assert clf.minority_class_ == rare
    # recall alone is won by calling every row rare
    assert np.mean(clf.predict(X) == rare) > 0.9


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("focal", {"loss__alpha": 0.95}), ("focal", {"loss__alpha": [1.0, 9.0]}),
        ("focal", {"loss__alpha": "balanced"}), ("asymmetric", {}), ("soft_f_beta", {}),
        ("dice", {}), ("tversky", {"loss__alpha": 0.1, "loss__beta": 0.9}),
        ("logit_adjusted", {}), ("soft_recall", {}), ("pairwise_auc", {}),
    ],
)  # fmt: skip
def test_rare_class_is_the_positive_one_of_a_loss_whatever_its_label(binary, name, params):
    X, y = binary
    clf = classifier(name, model=linear_network_of_zeros, optimizer="sgd", **params)
    usual = clf.fit(X, y).predict_proba(X)
    if params.get("loss__alpha") == [1.0, 9.0]:  # in the order of the classes
        clf.set_params(loss__alpha=[9.0, 1.0])
    turned = clf.fit(X, 1 - y).predict_proba(X)
    assert_allclose(turned[:, ::-1], usual, rtol=1e-6, atol=1e-9)


def linear_network_of_zeros():
    layer = keras.layers.Dense(1, kernel_initializer="zeros")
    return keras.Sequential([keras.Input((8,)), layer])


@pytest.mark.slow
def test_counts_of_the_data_do_not_replace_those_given(multiclass):
    X, y = multiclass
    own = classifier("logit_adjusted", loss__class_counts=[1, 1, 1], model="mlp").fit(X, y)
    plain = classifier("cross_entropy", model="mlp").fit(X, y)
    assert_allclose(own.decision_function(X), plain.decision_function(X), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_ldam_ends_in_cosines_and_its_probabilities_are_scaled(multiclass):
    X, y = multiclass
    clf = classifier("ldam", loss__scale=12.0, model="mlp").fit(X, y)
    assert isinstance(clf.model_.layers[-1], Cosines)
    outputs = np.asarray(clf.model_(X))
    assert np.abs(outputs).max() <= 1 + 1e-6
    assert_allclose(clf.decision_function(X), 12.0 * outputs, rtol=1e-5)
    e = np.exp(12.0 * outputs)
    assert_allclose(clf.predict_proba(X), e / e.sum(axis=1, keepdims=True), rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_cosines_are_what_the_user_asks_for(multiclass):
    X, y = multiclass
    dense = classifier("ldam", model="mlp", model__normalized_output=False).fit(X, y)
    assert isinstance(dense.model_.layers[-1], keras.layers.Dense)
    cosines = classifier("focal", model="mlp", model__normalized_output=True).fit(X, y)
    assert isinstance(cosines.model_.layers[-1], Cosines)


@pytest.mark.slow
def test_ldam_without_cosines_warns(multiclass):
    X, y = multiclass

    def own(last):
        return keras.Sequential([keras.Input((8,)), keras.layers.Dense(4), last(3)])

    with pytest.warns(UserWarning, match="made for cosines"):
        classifier("ldam", model=own, model__last=keras.layers.Dense).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        classifier("ldam", model=own, model__last=Cosines).fit(X, y)


def test_trained_cosine_network_predicts_the_same_without_training(multiclass):
    X, y = multiclass
    clf = classifier("ldam").fit(X, y)
    again = classifier("ldam", model=clf.model_).initialize(X, y)
    assert_allclose(again.predict_proba(X), clf.predict_proba(X), rtol=1e-5, atol=1e-7)


def test_features_of_zero_have_a_cosine_with_a_finite_gradient():
    layer = Cosines(3)
    layer.build((None, 4))
    import tensorflow as tf

    x = tf.zeros((2, 4))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(layer(x) ** 2 + layer(x))
    assert np.isfinite(tape.gradient(value, [x, layer.kernel.value])[1]).all()
    assert float(value) == 0.0


def network(last):
    return keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(3), *last]
    )


def test_features_of_a_network_within_a_network_are_its_own():
    inner = network([])
    x = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    both = with_features(keras.Sequential([keras.Input((8,)), inner]))(x)
    assert_allclose(both, with_features(inner)(x), rtol=1e-6)


@pytest.mark.parametrize("last", [[], [keras.layers.Softmax()], [keras.layers.Activation("relu")]])
def test_features_are_what_goes_into_the_last_layer_with_weights(last):
    model = network(last)
    x = np.random.default_rng(0).normal(size=(4, 8)).astype("float32")
    both = np.asarray(with_features(model)(x))
    assert_allclose(both[:, :3], model(x), rtol=1e-6)
    assert_allclose(both[:, 3:], model.layers[0](x), rtol=1e-6)


@pytest.mark.slow
def test_instance_level_pulls_the_features_of_the_rare_classes_together(multiclass):
    X, y = multiclass

    def spread(**params):
        clf = classifier("class_rectification", loss__level="instance", **params)
        clf.set_params(epochs=60, loss__comparison="absolute").fit(X, y)
        features = np.asarray(with_features(clf.model_)(X))[:, 3:]
        rare = features[y == 2]
        return np.linalg.norm(rare - rare.mean(axis=0), axis=1).mean()

    assert spread(loss__alpha=0.9) < 0.5 * spread(loss__alpha=0.0)


def test_network_whose_features_are_unknown_raises(multiclass):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(3)

        def call(self, x):
            return self.dense(x)

    X, y = multiclass
    clf = classifier("class_rectification", loss__level="instance", model=Subclassed)
    with pytest.raises(TypeError, match="features before the last layer of Subclassed"):
        clf.fit(X, y)
    clf.set_params(model=lambda: keras.Sequential([keras.Input((8,)), Subclassed()]))
    with pytest.raises(TypeError, match=r"ends in .* a network itself"):
        clf.fit(X, y)


def test_deferred_weights_are_a_fit_without_and_a_fit_with_weights(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=10, random_state=0, optimizer="sgd", batch_size=400)
    deferred = clone(clf).set_params(class_weight_start=0.6).fit(X, y)
    parts = clone(clf).set_params(class_weight=None, epochs=6, warm_start=True).fit(X, y)
    parts.set_params(class_weight="balanced", epochs=4).fit(X, y)
    assert_allclose(deferred.decision_function(X), parts.decision_function(X), rtol=1e-6)
    assert_allclose(deferred.history_["loss"], parts.history_["loss"], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_deferred_weights_are_the_same_in_both_trainers(kind, request):
    X, y = request.getfixturevalue(kind)
    weight = np.linspace(0.5, 1.5, len(X))
    clf = ImbalancedNNClassifier(
        "mlp", epochs=4, random_state=0, class_weight_start=0.5, batch_size=64
    )
    compiled = clone(clf).fit(X, y, sample_weight=weight)
    plain = clone(clf).set_params(trainer="keras").fit(X, y, sample_weight=weight)
    assert_allclose(compiled.history_["loss"], plain.history_["loss"], rtol=1e-5)
    unweighted = clone(clf).set_params(class_weight=None).fit(X, y, sample_weight=weight)
    assert_allclose(compiled.history_["loss"][:2], unweighted.history_["loss"][:2], rtol=1e-9)
    assert not np.allclose(compiled.history_["loss"][2:], unweighted.history_["loss"][2:])


@pytest.mark.slow
def test_the_last_epochs_are_weighted_however_few_there_are(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=2, random_state=0, class_weight_start=0.8).fit(X, y)
    unweighted = clone(clf).set_params(class_weight=None, class_weight_start=0).fit(X, y)
    assert clf.history_["loss"][0] == pytest.approx(unweighted.history_["loss"][0])
    assert clf.history_["loss"][1] != pytest.approx(unweighted.history_["loss"][1])


def test_deferred_weights_are_those_of_scikit_learn(binary):
    X, y = binary
    clf = ImbalancedNNClassifier("mlp", epochs=2, random_state=0, class_weight_start=0.5).fit(X, y)
    expected = compute_class_weight("balanced", classes=np.unique(y), y=y)
    assert_allclose(list(clf.class_weight_.values()), expected)


def test_deferred_weights_are_refused_where_there_is_no_end(binary):
    X, y = binary
    with pytest.raises(ValueError, match=r"class_weight_start=0\.5 cannot be used in partial_fit"):
        ImbalancedNNClassifier(cv=None, class_weight_start=0.5).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="class_weight_start"):
        ImbalancedNNClassifier(cv=None, class_weight_start=1.0).fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "warns"),
    [
        ({"loss": "logit_adjusted"}, True),
        ({"loss__pos_weight": 30.0}, True),
        ({"loss": "focal", "loss__alpha": 0.75}, True),
        ({"loss": "focal", "loss__alpha": "balanced"}, True),
        ({"loss": "logit_adjusted", "class_weight": None, "pos_weight": "balanced"}, True),
        ({"loss": "logit_adjusted", "class_weight": None}, False),
        ({"loss": "logit_adjusted", "class_weight": {1: 5.0}}, False),
        ({"loss": "logit_adjusted", "weight_power": 0.0}, False),
        ({"loss": "focal"}, False),
    ],
)
def test_correcting_twice_for_the_same_imbalance_warns(binary, params, warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ImbalancedNNClassifier("mlp", epochs=1, **params).fit(*binary)
    assert any("weighted twice" in str(w.message) for w in caught) == warns


def own_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - keras.ops.sigmoid(y_pred)), axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [own_loss, "binary_crossentropy", keras.losses.BinaryFocalCrossentropy(), "squared_hinge"],
)
def test_losses_of_keras_and_of_the_users_own_still_train(binary, loss):
    X, y = binary
    clf = ImbalancedNNClassifier(cv=None, loss=loss, epochs=60, random_state=0).fit(X, y)
    assert clf.trainer_ in ("graph", "xla")
    assert clf.score(X, y) > 0.8


@pytest.mark.parametrize("name", ["loss__target", "loss__from_logits"])
def test_what_the_estimator_fills_in_is_refused(binary, name):
    with pytest.raises(TypeError, match=f"{name} is filled in"):
        ImbalancedNNClassifier(cv=None, loss="focal", **{name: "binary"}).fit(*binary)


def test_two_outputs_for_a_loss_of_one_logit_raise_with_the_cure(binary):
    def two_outputs():
        return keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, "softmax")])

    with pytest.raises(ValueError, match=r"model ends in 2 outputs.*End in one unit"):
        ImbalancedNNClassifier(two_outputs, loss="dice").fit(*binary)


@pytest.mark.parametrize("name", ["SoftFBeta", "soft_fbeta", "Soft_F_Beta", "softfbeta"])
def test_names_of_losses_forgive_their_spelling(name):
    assert isinstance(losses.get(name), losses.SoftFBeta)


@pytest.mark.slow
def test_copies_of_a_fitted_estimator_predict_the_same(multiclass, tmp_path):
    import pickle

    X, y = multiclass
    for name in ("ldam", "class_rectification"):
        clf = classifier(name, **({"loss__level": "instance"} if name != "ldam" else {})).fit(X, y)
        again = pickle.loads(pickle.dumps(clf))
        assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
