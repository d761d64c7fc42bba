"""The main job on real data: 11,183 mammograms, 2.3 % of them with microcalcifications."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from skimb import ImbalancedNNClassifier

pytestmark = pytest.mark.slow

FOLDS = StratifiedKFold(5, shuffle=True, random_state=0)


def test_default_estimator_ranks_the_rare_class_high_without_scaling(mammography):
    X, y = mammography
    scores = cross_val_score(
        ImbalancedNNClassifier(random_state=0), X, y, cv=FOLDS, scoring="average_precision"
    )
    assert scores.mean() >= 0.70


def test_search_over_class_weights_finds_the_f1(mammography):
    """Nested, so that the weight is never chosen on the rows that it is measured on."""
    X, y = mammography
    search = GridSearchCV(
        ImbalancedNNClassifier(cv=None, random_state=0),
        {"class_weight": [None, "sqrt_balanced", "balanced"]},
        scoring="f1",
        cv=3,
    )
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    scores = cross_val_score(search, X, y, cv=folds, scoring="f1")
    assert scores.mean() >= 0.65
    assert np.min(scores) > 0.5
