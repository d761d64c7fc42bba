"""
Three points for a hit, one point off for a false alarm
=======================================================

A true positive is worth 3 points, a false positive costs 1. How does a network get the most
points? This example compares the score, a loss, class weights and a threshold with the best
possible score.
"""

import sys

import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import make_scorer, precision_score, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV

from skimb import ImbalancedNNClassifier
from skimb.metrics import minority_score

# %%
# The data
# --------
# Two Gaussian classes, 5 % of the samples in the rare one. ``--small`` uses fewer training samples.

small = "--small" in sys.argv
share, distance = 0.05, 2.5


def make_rows(n, seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    X = rng.normal(0, 1, (n, 8))
    X[:, 0] += distance * y
    return X.astype("float32"), y


X, y = make_rows(1_000 if small else 10_000, seed=0)
X_new, y_new = make_rows(100_000, seed=1)

# %%
# The threshold that follows from the points
# ------------------------------------------
# Predicting a sample as rare, when it is rare with probability p, has an expected score of 3 p -
# (1 - p) points. That is positive from p = 1/4 on: penalty / (reward + penalty). So a network
# without weights, whose probabilities are calibrated, needs no other loss, only this threshold.
# Weights of 1 : 3 move the probability of 1/4 to 1/2 and are equivalent. "Balanced" weights here
# move 1/20 to 1/2: they have a different objective.
#
# Where the probabilities are not calibrated, scikit-learn's ``TunedThresholdClassifierCV`` tunes
# the threshold for the most points by cross-validation.
#
# As a loss, points are computed from probabilities. At initialisation nearly every sample of the
# common class is half a false positive, and the gradient drives all probabilities to 0, where it
# vanishes. So this loss is used after a training without weights: ``warm_start``.

scorer = make_scorer(minority_score, reward=3, penalty=1)
plain = ImbalancedNNClassifier(
    class_weight=None,
    epochs=20,
    early_stopping=False,
    scoring=scorer,
    random_state=0,
)
ways = {
    "threshold 0.5": {},
    "threshold 1/4": {"threshold": 0.25},
    "weights 1 : 3": {"class_weight": {0: 1, 1: 3}},
    "weights balanced": {"class_weight": "balanced"},
    "loss": {"loss": "minority_score", "loss__reward": 3.0, "loss__penalty": 1.0},
}
networks = {name: clone(plain).set_params(**way).fit(X, y) for name, way in ways.items()}
networks["threshold chosen"] = TunedThresholdClassifierCV(plain, scoring=scorer, cv=3).fit(X, y)

warm = clone(plain).set_params(warm_start=True).fit(X, y)
networks["loss, after plain"] = warm.set_params(**ways["loss"]).fit(X, y)

# %%
# Comparison on the test set
# --------------------------
# Points per 1,000 samples. With ``scoring=scorer``, ``network.score`` returns the points per
# sample, and a search over the network's parameters maximises them.

print(f"{'':20}{'recall':>8}{'precision':>11}{'points':>9}")
for name, network in networks.items():
    predicted = network.predict(X_new)
    points = scorer(network, X_new, y_new)
    recall = recall_score(y_new, predicted)
    precision = precision_score(y_new, predicted, zero_division=0)
    print(f"{name:20}{recall:8.2f}{precision:11.2f}{1000 * points:9.1f}")

# %%
# The optimal rule has its threshold where the density of the rare class times its share is a third
# of that of the other class.

cut = distance / 2 + np.log((1 - share) / share / 3) / distance
recall, alarms = norm.sf(cut - distance), norm.sf(cut)
precision = share * recall / (share * recall + (1 - share) * alarms)
points = 1000 * (3 * share * recall - (1 - share) * alarms)
print(f"{'best possible':20}{recall:8.2f}{precision:11.2f}{points:9.1f}")

# %%
# The threshold and the weights that follow from the points come close to the best possible score.
# The loss does too, after a training without it. Balanced weights do not: they have a different
# objective.
