"""Every public estimator through scikit-learn's and imbalanced-learn's own checks."""

import functools

import keras
import pytest
from imblearn.utils.estimator_checks import estimator_checks_generator as imblearn_checks
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.estimator_checks import estimator_checks_generator as sklearn_checks

from skimb import AutoencoderClassifier, AutoencoderOutlierDetector, ImbalancedNNClassifier
from skimb.losses import available


def build_network(meta):
    """A network as a user would write it: plain Keras, no dtype, no seeds."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(meta["n_outputs_"]),
        ]
    )


def small(loss):
    """Return an estimator of one network that learns in few epochs."""
    adam = keras.optimizers.Adam(0.01)
    return ImbalancedNNClassifier("mlp", loss=loss, epochs=30, optimizer=adam)


SMALL = {"focal": small("focal")}

# beside the default estimator, which is checked as it is, and the focal loss
VARIANTS = {
    # without standardisation, and a step an epoch on the few rows of the checks
    "function": ImbalancedNNClassifier(model=build_network, epochs=200),
    "no folds": ImbalancedNNClassifier(class_weight=None, cv=None),
    "pos weight": small("cross_entropy").set_params(pos_weight="balanced", class_weight=None),
}
LOSSES = {
    name: small(name)
    for name, kinds in available().items()
    if {"binary", "multiclass"} <= set(kinds) and name not in ("cross_entropy", "focal")
}

ONE_CLASS = "looks at the rarest class alone, so the other two of three are never told apart"
NOT_MET = {
    ("soft_recall", "check_classifiers_train"): ONE_CLASS,
    ("minority_score", "check_classifiers_train"): ONE_CLASS,
    ("soft_recall", "check_class_weight_classifiers"): (
        "recall is a rate within a class, in which the weight of the class cancels"
    ),
}


def inner_name(check):
    while isinstance(check, functools.partial):
        check = check.func
    return check.__name__


# that take more than a second, of an estimator whose default is checked in full
SLOW = (
    "check_classifiers_classes", "check_classifiers_train", "check_classifiers_with_encoded_labels",
    "check_dont_overwrite_parameters", "check_dtype_object", "check_estimator_sparse_array",
    "check_estimator_sparse_matrix", "check_estimators_dtypes", "check_pipeline_consistency",
    "check_sample_weight_equivalence_on_sparse_data",
)  # fmt: skip


def parametrized(checks, variants):
    """Do what `parametrize_with_checks` does, with names that two test processes agree on.

    Those of scikit-learn hold the address of the build function.
    """
    cases = []
    for name, variant in variants.items():
        for estimator, check in checks(variant):
            parts, inner = [], check
            while isinstance(inner, functools.partial):
                parts += [f"{key}={value}" for key, value in inner.keywords.items()]
                inner = inner.func
            parts = [name, inner.__name__, *parts]
            marks = [pytest.mark.slow] if inner.__name__ in SLOW else []
            cases.append(pytest.param(estimator, check, id="-".join(parts), marks=marks))
    return pytest.mark.parametrize(("estimator", "check"), cases)


@pytest.mark.slow
@pytest.mark.parametrize(
    "estimator", [ImbalancedNNClassifier, AutoencoderOutlierDetector, AutoencoderClassifier]
)
def test_default_estimators_pass_check_estimator_with_nothing_excused(estimator):
    results = check_estimator(estimator(), on_skip=None, on_fail="raise")
    others = {r["check_name"] for r in results if r["status"] != "passed"}
    assert others <= {"check_array_api_input"}  # scikit-learn skips it unless it is switched on
    tags = estimator().__sklearn_tags__()
    assert not tags.non_deterministic
    assert tags.classifier_tags is None or not tags.classifier_tags.poor_score


@parametrized(sklearn_checks, SMALL)
def test_sklearn_checks(estimator, check):
    check(estimator)


# what a loss can change: the others look at what comes in before there is a loss
OF_A_LOSS = (
    "class_weight", "classifiers_classes", "classifiers_multilabel", "classifiers_train",
    "decision_proba", "fit2d_1sample", "fit_idempotent", "methods_subset", "partial_fit",
    "sample_weight_equivalence", "supervised_y_2d",
)  # fmt: skip


def checks_of_a_loss(estimator):
    for variant, check in sklearn_checks(estimator):
        if any(part in inner_name(check) for part in OF_A_LOSS):
            yield variant, check


@pytest.mark.slow
@parametrized(sklearn_checks, {"function": VARIANTS["function"]})
def test_sklearn_checks_of_a_network_of_the_user(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrized(
    checks_of_a_loss,
    {"no folds": VARIANTS["no folds"], "pos weight": VARIANTS["pos weight"], **LOSSES},
)
@pytest.mark.filterwarnings("ignore:.*weighted twice")
def test_sklearn_checks_of_variants_and_losses(estimator, check):
    if (estimator.loss, inner_name(check)) in NOT_MET:
        with pytest.raises(AssertionError):
            check(estimator)
    else:
        check(estimator)


MULTILABEL_REFUSAL = "check_classifier_on_multilabel_or_multioutput_targets"


@parametrized(imblearn_checks, SMALL)
def test_imblearn_checks(estimator, check):
    if check.func.__name__ == MULTILABEL_REFUSAL:
        # the one demand that is not met: multilabel targets are one of this library's jobs
        with pytest.raises(AssertionError):
            check(estimator)
    else:
        check(estimator)


# imbalanced-learn's checks fit three classes whatever the tags say, so not with pos_weight
MULTICLASS = {name: variant for name, variant in VARIANTS.items() if name != "pos weight"}
MULTICLASS["default"] = ImbalancedNNClassifier()


@pytest.mark.slow
@parametrized(imblearn_checks, MULTICLASS)
def test_imblearn_checks_of_variants(estimator, check):
    test_imblearn_checks(estimator, check)
