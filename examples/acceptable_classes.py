"""
Any of these classes is acceptable
==================================

"Class 2, 3 or 5, any of them is acceptable for this sample." Suppose an annotator reads digits in
a hurry and notes every class that an image might be. How does a network learn from such candidate
sets, and which digit does it predict?
"""

import sys

from skimb import ImbalancedNNClassifier

# isort: split
# skimb before Keras, to silence TensorFlow's startup messages

import numpy as np
from keras import ops
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

# %%
# The sets
# --------
# Each digit has two look-alikes, and each of those is also noted with a probability of 0.7.
# So y is an indicator matrix with one column per class and at least one 1 per row.
# ``--small`` trains for two epochs, as a smoke test.

small = "--small" in sys.argv
look_alikes = np.array(
    [[6, 8], [7, 4], [3, 7], [5, 8], [9, 1], [3, 6], [0, 5], [1, 2], [3, 0], [4, 7]]
)
X, digits = load_digits(return_X_y=True)
X_train, X_test, true_train, true_test = train_test_split(
    X.astype("float32"), digits, test_size=0.5, stratify=digits, random_state=0
)
rng = np.random.default_rng(0)


def noted(true):
    acceptable = np.eye(10, dtype=int)[true]
    rows, which = np.nonzero(rng.random((len(true), 2)) < 0.7)
    acceptable[rows, look_alikes[true[rows], which]] = 1
    return acceptable


acceptable, acceptable_test = noted(true_train), noted(true_test)
print(f"{acceptable.sum(axis=1).mean():.1f} acceptable classes per sample, the first sample has:")
print(np.flatnonzero(acceptable[0]))

# %%
# Two common but wrong losses
# ---------------------------
# Cross-entropy with several 1s per sample requires a probability of 1 for each of them, although
# the probabilities sum to 1. Raising the candidates to the largest logit does not solve that.


def several_ones(y_true, logits):
    return -ops.sum(y_true * ops.log_softmax(logits), axis=-1)


def raised(y_true, logits):
    largest = ops.max(logits, axis=-1, keepdims=True)
    return several_ones(y_true, ops.where(y_true > 0, largest, logits))


# %%
# ``partial_label`` is the negative log of the total probability of the candidate set, however it
# is distributed within the set. The candidate sets of a class have the true digit in common, so
# that is where the probability accumulates. ``variant="max"`` uses the most probable candidate
# only, and reinforces early mistakes.
#
# A baseline without candidate sets draws one candidate at random for each sample.

network = ImbalancedNNClassifier(
    target="candidates",
    class_weight=None,
    epochs=2 if small else 50,
    batch_size=64,
    random_state=0,
)
drawn = np.array([rng.choice(np.flatnonzero(row)) for row in acceptable])
ways = {
    "several ones": ({"loss": several_ones}, acceptable),
    "raised to the largest": ({"loss": raised}, acceptable),
    "one class drawn": ({"target": "auto"}, drawn),
    "partial_label, max": ({"loss": "partial_label", "loss__variant": "max"}, acceptable),
    "partial_label": ({"loss": "partial_label"}, acceptable),
}

# %%
# Comparison on the test set
# --------------------------
# The fraction of predictions that are in the candidate set, the accuracy with respect to the true
# digit, and the mean predicted probability of that digit.

print(f"\n{'':23}{'acceptable':>12}{'true':>7}{'p(true)':>9}")
for name, (params, y) in ways.items():
    fitted = clone(network).set_params(**params).fit(X_train, y)
    predicted, proba = fitted.predict(X_test), fitted.predict_proba(X_test)
    rows = np.arange(len(X_test))
    print(
        f"{name:23}{acceptable_test[rows, predicted].mean():12.2f}"
        f"{np.mean(predicted == true_test):7.2f}{proba[rows, true_test].mean():9.2f}"
    )
