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
def test_default_estimator_raises_nothing_in_check_estimator():
    results = check_estimator(ImbalancedNNClassifier(), on_skip=None)
    assert {r["check_name"] for r in results if r["status"] != "passed"} <= {
        # array API input is off by default in scikit-learn itself
        "check_array_api_input",
        "check_sample_weight_equivalence_on_sparse_data",
    } - {"check_sample_weight_equivalence_on_sparse_data"}


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
