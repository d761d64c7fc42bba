"""
Three points for a hit, one point off for a false alarm
=======================================================

A row of the rare class that is found is worth 3 points, a row of the other class that is called
rare costs 1. How does a network get the most points? As a score, as a loss, as weights and as a
threshold, compared with the most points there are.
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
# Two clouds, 5 % of the rows in the rare one. ``--small`` takes fewer rows to learn from.

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
# The threshold that follows
# --------------------------
# Calling a row rare that is rare with probability p brings 3 p - (1 - p) points, more than none
# from p = 1/4 on: penalty / (reward + penalty). So a network without weights, whose probabilities
# are right, needs no other loss, only this threshold. Weights of 1 : 3 move the probability of 1/4
# to 1/2 and come to the same. "Balanced" weights here move 1/20 to 1/2: they ask for another thing.
#
# Where probabilities are not right, scikit-learn's ``TunedThresholdClassifierCV`` looks for the
# threshold with the most points, by cross-validation.
#
# As a loss, points are counted in probabilities. At the start nearly every row that is not rare
# is half a false alarm, and the gradient drives all probabilities to 0, from where no way leads
# back. So the loss follows after a training without weights: ``warm_start``.

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
# Compared on new rows
# --------------------
# Points for 1,000 rows. With ``scoring=scorer``, ``network.score`` returns the points of a row, and
# a search over the network's parameters goes by them.

print(f"{'':20}{'recall':>8}{'precision':>11}{'points':>9}")
for name, network in networks.items():
    predicted = network.predict(X_new)
    points = scorer(network, X_new, y_new)
    recall = recall_score(y_new, predicted)
    precision = precision_score(y_new, predicted, zero_division=0)
    print(f"{name:20}{recall:8.2f}{precision:11.2f}{1000 * points:9.1f}")

# %%
# The best there is cuts where the density of the rare cloud times its share is a third of that of
# the other cloud.

cut = distance / 2 + np.log((1 - share) / share / 3) / distance
recall, alarms = norm.sf(cut - distance), norm.sf(cut)
precision = share * recall / (share * recall + (1 - share) * alarms)
points = 1000 * (3 * share * recall - (1 - share) * alarms)
print(f"{'best possible':20}{recall:8.2f}{precision:11.2f}{points:9.1f}")

# %%
# The threshold and the weights that follow from the points come near the best there is. The loss
# does too, after a training without it. Balanced weights do not: they are meant for another goal.
