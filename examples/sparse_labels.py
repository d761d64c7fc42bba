"""
Thirty sparse labels, and the network predicts all zeros
========================================================

Thirty labels that do not exclude each other, and of each a thirtieth of the rows is positive. The
network says 0 to everything and is right 97 times in 100. What helps?

``pos_weight="balanced"`` makes the positives of a label count as much as its negatives, so that the
network finds them. ``threshold="f1"`` chooses for each label the probability from which it counts
as found. ``prior_correction=True`` makes the probabilities of a weighted network true again.
"""

import importlib.util
import sys
import time

import numpy as np
from sklearn.base import clone
from sklearn.metrics import f1_score, precision_score, recall_score

from skimb import ImbalancedNNClassifier
from skimb.plotting import ClassBalanceDisplay

# %%
# The data
# --------
# Every label has a feature of its own, which is on for 60 % of its positives and 5 % of its
# negatives. So we know the best that any network can do: 0.29 of the rows where a feature is on
# have the label, and 0.014 of those where it is off. Never is a label more likely than not, and
# "all zeros" is no bug, it is the most probable answer. ``--small`` takes so few rows that the
# labels have too few positives to learn from, to see that the example runs.

n_rows = 300 if "--small" in sys.argv else 30_000
n_labels, prior, on_if_positive, on_if_negative = 30, 1 / 30, 0.60, 0.05


def make_rows(seed):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_rows, n_labels)) < prior).astype(int)
    X = rng.random((n_rows, n_labels)) < np.where(Y, on_if_positive, on_if_negative)
    return X.astype("float32"), Y


X, Y = make_rows(seed=0)
X_new, Y_new = make_rows(seed=1)
print(f"{n_rows} rows, {n_labels} labels, {Y.mean():.1%} of them positive.")

# %%
# Four networks
# -------------
# Features of 0 and 1 need no standardising: it would turn a rare 1 into a 4, and what the network
# makes of chance would grow with it. One hidden layer is enough: a larger network learns more by
# heart, above all a weighted one.
#
# Early stopping follows the loss, since the probabilities are to be right. Average precision, the
# default, sees only how the rows are ranked.
#
# ``class_weight`` is "balanced" unless we say otherwise, and ``pos_weight`` takes its place.

network = ImbalancedNNClassifier(
    class_weight=None,
    model__hidden_layer_sizes=(64,),
    model__normalize=False,
    early_stopping=True,
    monitor="loss",
    random_state=0,
)
variants = {
    "unweighted": {},
    "weighted": {"pos_weight": "balanced"},
    "thresholds": {"threshold": "f1"},
    "all three": {"pos_weight": "balanced", "threshold": "f1", "prior_correction": True},
}

# %%
# Compared on new rows
# --------------------
# Recall and precision are those of all labels together, F1 is the mean over the labels. The last
# columns are the mean probability of a label where its feature is on, and where it is off.


def measure(fitted):
    predicted, proba, on = fitted.predict(X_new), fitted.predict_proba(X_new), X_new == 1
    return (
        recall_score(Y_new, predicted, average="micro", zero_division=0),
        precision_score(Y_new, predicted, average="micro", zero_division=0),
        f1_score(Y_new, predicted, average="macro", zero_division=0),
        proba[on].mean(),
        proba[~on].mean(),
    )


rows = {}
for name, params in variants.items():
    start = time.perf_counter()
    variant = clone(network).set_params(**params).fit(X, Y)
    seconds = time.perf_counter() - start
    rows[name] = (*measure(variant), f"{seconds:.1f}")

# %%
# And the best there is, from the probabilities that made the data: a label is positive where its
# feature is on.

share_on = prior * on_if_positive + (1 - prior) * on_if_negative
p_on = prior * on_if_positive / share_on
p_off = prior * (1 - on_if_positive) / (1 - share_on)
best_f1 = 2 * p_on * on_if_positive / (p_on + on_if_positive)
rows["best possible"] = (on_if_positive, p_on, best_f1, p_on, p_off, "")

print(f"\n{'':15}{'recall':>8}{'precision':>11}{'F1':>7}{'p(on)':>8}{'p(off)':>8}{'seconds':>9}")
for name, (recall, precision, f1, on, off, seconds) in rows.items():
    print(f"{name:15}{recall:8.2f}{precision:11.2f}{f1:7.2f}{on:8.2f}{off:8.3f}{seconds:>9}")

# %%
# The weighted network finds the labels, but its probabilities are those of a world in which half of
# the rows have each label. Thresholds find as many, and the probabilities stay true. With all three
# a weighted network has true probabilities too; ``prior_correction`` without a threshold would
# predict zeros again, since no true probability reaches 0.5.
#
# How rare the labels are, and what "balanced" makes of it, if Matplotlib is installed:

if importlib.util.find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    ClassBalanceDisplay.from_labels(Y, sort=True)
    plt.show()
