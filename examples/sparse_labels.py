"""
Thirty sparse labels, and the network predicts all zeros
========================================================

There are thirty labels that do not exclude each other, each positive in a thirtieth of the
samples. The network predicts 0 for everything and has an accuracy of 97 in 100. What helps?

``pos_weight="balanced"`` gives the positives of a label the same total weight as its negatives, so
that the network finds them. ``threshold="f1"`` tunes one threshold per label.
``prior_correction=True`` corrects the predicted probabilities of a weighted network.
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
# Every label has its own feature, which is 1 for 60 % of its positives and 5 % of its negatives.
# So we know the best possible prediction: the label is positive in 0.29 of the samples where its
# feature is 1, and in 0.014 of those where it is 0. A label is never more likely than not, and
# "all zeros" is no bug but the most probable answer. ``--small`` uses so few samples that there
# are too few positives to learn from, as a smoke test.

n_rows = 300 if "--small" in sys.argv else 30_000
n_labels, prior, on_if_positive, on_if_negative = 30, 1 / 30, 0.60, 0.05


def make_rows(seed):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_rows, n_labels)) < prior).astype(int)
    X = rng.random((n_rows, n_labels)) < np.where(Y, on_if_positive, on_if_negative)
    return X.astype("float32"), Y


X, Y = make_rows(seed=0)
X_new, Y_new = make_rows(seed=1)
print(f"{n_rows} samples, {n_labels} labels, {Y.mean():.1%} of them positive.")

# %%
# Four networks
# -------------
# Binary features need no standardisation: it would turn a rare 1 into a 4 and amplify the noise
# that the network fits. One hidden layer is enough: a larger network overfits more, above all with
# weights.
#
# Early stopping monitors the loss, since the probabilities should be calibrated. Average
# precision, the default, depends only on the ranking of the samples.
#
# ``class_weight`` is "balanced" by default, and ``pos_weight`` replaces it.

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
# Comparison on the test set
# --------------------------
# Recall and precision are micro-averaged over all labels, F1 is macro-averaged. The last columns
# are the mean predicted probability of a label where its feature is 1, and where it is 0.


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
# The best possible scores, from the probabilities that generated the data: a label is predicted as
# positive where its feature is 1.

share_on = prior * on_if_positive + (1 - prior) * on_if_negative
p_on = prior * on_if_positive / share_on
p_off = prior * (1 - on_if_positive) / (1 - share_on)
best_f1 = 2 * p_on * on_if_positive / (p_on + on_if_positive)
rows["best possible"] = (on_if_positive, p_on, best_f1, p_on, p_off, "")

print(f"\n{'':15}{'recall':>8}{'precision':>11}{'F1':>7}{'p(on)':>8}{'p(off)':>8}{'seconds':>9}")
for name, (recall, precision, f1, on, off, seconds) in rows.items():
    print(f"{name:15}{recall:8.2f}{precision:11.2f}{f1:7.2f}{on:8.2f}{off:8.3f}{seconds:>9}")

# %%
# The weighted network finds the labels, but its probabilities are those of a distribution in which
# half of the samples have each label. Thresholds find as many, and leave the probabilities
# unchanged. With all three, a weighted network has calibrated probabilities too;
# ``prior_correction`` without a threshold would predict zeros again, since no true probability
# reaches 0.5.
#
# The frequencies of the labels and the "balanced" weights, if Matplotlib is installed:

if importlib.util.find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    ClassBalanceDisplay.from_labels(Y, sort=True)
    plt.show()
