"""
A thousand labels, and everything is predicted 0
================================================

Every sample has ten labels out of a thousand. The network predicts none of them anywhere, and its
accuracy is 99 %. Do weights help? And what is a good score?
"""

import sys

import numpy as np
from sklearn.base import clone
from sklearn.metrics import f1_score

from skimb import ImbalancedNNClassifier
from skimb.metrics import precision_at_k
from skimb.probability import best_threshold
from skimb.weighting import label_weights

# %%
# The data
# --------
# A sample is a point in 32 dimensions, each label is a direction in them, and some labels are more
# frequent than others. A sample has the ten labels with the largest projection plus noise, so the
# ten best predictions are known. ``--small`` uses 100 labels and fewer samples.

small = "--small" in sys.argv
n_labels, n_train = (100, 400) if small else (1_000, 4_000)
rng = np.random.default_rng(0)
directions = 0.4 * rng.normal(size=(32, n_labels))
popularity = -np.log(1 + np.arange(n_labels) / 20)


def make_rows(n):
    X = rng.normal(size=(n, 32))
    scores = X @ directions + popularity
    chosen = np.argsort(-(scores + rng.gumbel(size=scores.shape)))[:, :10]
    Y = np.zeros((n, n_labels), dtype=int)
    np.put_along_axis(Y, chosen, 1, axis=1)
    return X.astype("float32"), Y, scores


X, Y, _ = make_rows(n_train)
X_val, Y_val, _ = make_rows(n_train // 4)
X_new, Y_new, scores_new = make_rows(n_train // 2)

# %%
# Weights of labels
# -----------------
# ``label_weights`` has one row per label with the weights of 0 and of 1. The loss of label j in a
# sample is weighted with w[j, 1] where the label is 1 and with w[j, 0] where it is 0. A label
# without positives gets the weight 1, and a warning.

weights = label_weights(Y)
print(
    f"label_weights: shape {weights.shape}, of the rarest label {weights[weights[:, 1].argmax()]}"
)

# %%
# The networks
# ------------
# If the goal is the ten best labels per sample, no probability has to reach 0.5. Precision at ten
# is the fraction of the ten most probable labels that are correct, and early stopping monitors it.

plain = ImbalancedNNClassifier(
    class_weight=None,
    optimizer__learning_rate=0.003,
    epochs=3 if small else 60,
    monitor="precision_at_10",
    random_state=0,
)
ways = {
    "no weights": {},
    "balanced": {"class_weight": "balanced"},
    "sqrt_balanced": {"class_weight": "sqrt_balanced"},
    "positives * 10": {"pos_weight": 10.0},
    "asymmetric loss": {"loss": "asymmetric"},
}

# %%
# Comparison on the test set
# --------------------------
# Precision at ten; accuracy and F1 of all labels together with a threshold of 0.5; and F1 with one
# threshold for all labels, tuned on the validation set. Thresholds per label, ``threshold="f1"``,
# would have to be tuned on ten positives each here, which are too few.


def f1(predicted):
    return f1_score(Y_new, predicted, average="micro", zero_division=0)


print(
    f"\n{'':16}{'precision at 10':>17}{'accuracy':>10}{'F1':>6}{'F1, chosen':>12}{'threshold':>11}"
)
for name, way in ways.items():
    fitted = clone(plain).set_params(**way).fit(X, Y, X_val=X_val, y_val=Y_val)
    p, predicted = fitted.predict_proba(X_new), fitted.predict(X_new)
    threshold = best_threshold(Y_val.ravel(), fitted.predict_proba(X_val).ravel(), metric="f1")
    print(
        f"{name:16}{precision_at_k(Y_new, p, k=10):17.3f}{np.mean(predicted == Y_new):10.3f}"
        f"{f1(predicted):6.2f}{f1(p >= threshold):12.2f}{threshold:11.2f}"
    )

# %%
# Lower and upper references: always predicting the ten most frequent labels, and the best possible
# predictions:

popular = np.tile(Y.mean(axis=0), (len(Y_new), 1))
for name, scores in {"most popular": popular, "best possible": scores_new}.items():
    print(f"{name:16}{precision_at_k(Y_new, scores, k=10):17.3f}")

# %%
# Accuracy is uninformative: predicting nothing has 0.99. The network without weights predicts next
# to nothing, yet its top ten are nearly as good as any. Balanced weights, a thousand for the
# rarest labels, degrade them. A tenfold weight, or the asymmetric loss, finds labels at a
# threshold of 0.5 without that cost, and a tuned threshold compensates for most of the difference.
