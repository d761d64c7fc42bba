"""Every public estimator through scikit-learn's and imbalanced-learn's own checks."""

import keras
import pytest
from imblearn.utils.estimator_checks import parametrize_with_checks as imblearn_checks
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.estimator_checks import parametrize_with_checks as sklearn_checks

from skimb import ImbalancedNNClassifier


def build_network(meta):
    """A network as a user would write it: plain Keras, no dtype, no seeds."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(meta["n_outputs_"]),
        ]
    )


VARIANTS = [
    ImbalancedNNClassifier(loss="focal"),
    ImbalancedNNClassifier(class_weight=None),
    ImbalancedNNClassifier(model=build_network),
    ImbalancedNNClassifier(pos_weight="balanced", class_weight=None),
]


@pytest.mark.slow
def test_default_estimator_passes_check_estimator_with_nothing_excused():
    results = check_estimator(ImbalancedNNClassifier(), on_skip=None, on_fail="raise")
    others = {r["check_name"] for r in results if r["status"] != "passed"}
    assert others <= {"check_array_api_input"}  # scikit-learn skips it unless it is switched on
    tags = ImbalancedNNClassifier().__sklearn_tags__()
    assert not tags.non_deterministic
    assert not tags.classifier_tags.poor_score


@sklearn_checks(VARIANTS)
def test_sklearn_checks(estimator, check):
    check(estimator)


def expected_imblearn_failures(estimator):
    return {
        "check_classifier_on_multilabel_or_multioutput_targets": (
            "demands that multilabel targets are refused, which are one of this library's jobs"
        )
    }


@imblearn_checks(
    [ImbalancedNNClassifier(), *VARIANTS], expected_failed_checks=expected_imblearn_failures
)
def test_imblearn_checks(estimator, check):
    check(estimator)
