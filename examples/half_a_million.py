"""
Half a million against thirty-one thousand
==========================================

There are 500,000 samples of one class and 31,000 of the other, and the goal is the recall of the
smaller class: "minimise 100 minus the percentage". This example uses a tenth of the samples, in
the same proportion, and compares three common but wrong answers with the right ones.
"""

import importlib.util
import sys

from skimb import ImbalancedNNClassifier

# isort: split
# skimb before Keras, to silence TensorFlow's startup messages

import keras
import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.metrics import precision_score, recall_score

from skimb.plotting import ThresholdDisplay

# %%
# The data
# --------
# Two Gaussian classes whose centres are a distance of 1.73 apart, so that the best possible score
# is known. ``--small`` uses fewer samples.

small = "--small" in sys.argv
n_common, n_rare = (5_000, 310) if small else (50_000, 3_100)
n_rows = n_common + n_rare


def make_rows(seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1], [n_common, n_rare]))
    X = rng.normal(0, 1, (n_rows, 10))
    X[:, :3] += y[:, None]
    return X.astype("float32"), y


X, y = make_rows(seed=0)
X_new, y_new = make_rows(seed=1)

# %%
# Weights
# -------
# ``pos_weight="balanced"`` is negatives / positives, 16.1. Two other values are in circulation.
# One is 1 / share of the positives, which is always too large by 1 (17.1 here, but 2 instead of 1
# for balanced classes). The other is N / (2 positives), which belongs together with N / (2
# negatives) for the other class: alone it is only about half of the balanced weight.
#
# Multiplying the logits by weights is something else entirely. The network learns logits that are
# smaller by the same factor, and its predictions are the same as without weights.

plain = ImbalancedNNClassifier(
    class_weight=None, epochs=10, batch_size=500, early_stopping=False, random_state=0
)


def with_scaled_logits(meta):
    weights = n_rows / (2 * np.array([n_common, n_rare]))
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dense(2),
            keras.layers.Rescaling(weights.tolist()),
        ]
    )


# %%
# Recall as the loss
# ------------------
# ``soft_recall`` is 1 minus the recall, computed from probabilities. Without a penalty it is
# minimised by predicting every sample as positive; ``penalty`` is the cost of false positives.
# With a penalty of 1, one per cent of false positives in the common class costs as much as one per
# cent of false negatives in the rare class. Balanced weights have the same objective.

ways = {
    "no weights": {},
    "logits * weights": {"model": with_scaled_logits},
    "N / (2 positives)": {"pos_weight": n_rows / (2 * n_rare)},
    "1 / share": {"pos_weight": n_rows / n_rare},
    "balanced": {"pos_weight": "balanced"},
    "soft recall, 0": {"loss": "soft_recall", "loss__penalty": 0.0},
    "soft recall, 0.3": {"loss": "soft_recall", "loss__penalty": 0.3},
    "soft recall, 1": {"loss": "soft_recall", "loss__penalty": 1.0},
}

# %%
# Comparison on the test set
# --------------------------
# The percentage of the rare class that is missed, the percentage of the common class that is
# predicted as rare, the mean of the two, and the precision. The last line is the best possible
# mean, known from the data-generating distribution.

print(f"{'':19}{'missed %':>10}{'false alarms %':>16}{'mean %':>8}{'precision':>11}")
for name, way in ways.items():
    predicted = clone(plain).set_params(**way).fit(X, y).predict(X_new)
    missed = 100 - 100 * recall_score(y_new, predicted)
    alarms = 100 * predicted[y_new == 0].mean()
    precision = precision_score(y_new, predicted, zero_division=0)
    mean = (missed + alarms) / 2
    print(f"{name:19}{missed:10.1f}{alarms:16.1f}{mean:8.1f}{precision:11.2f}")

best = 100 * norm.cdf(-np.sqrt(3) / 2)
precision = n_rare * (100 - best) / (n_rare * (100 - best) + n_common * best)
print(f"{'best mean possible':19}{best:10.1f}{best:16.1f}{best:8.1f}{precision:11.2f}")

# %%
# Weights have a cost: of five samples that a balanced network predicts as rare, one is. Whether
# that is worthwhile depends on the application. ``pos_weight`` between 1 and "balanced" finds
# fewer at a lower cost.
#
# So does the threshold, with one and the same network. If Matplotlib is installed, a plot shows
# all trade-offs:

if importlib.util.find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    ThresholdDisplay.from_estimator(
        clone(plain).set_params(pos_weight="balanced").fit(X, y), X_new, y_new
    )
    plt.show()
