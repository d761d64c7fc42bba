"""
Any of these classes is acceptable
==================================

"Class 2, 3 or 5, any of them will do for this row." Somebody who reads digits in a hurry notes all
that a digit might be. How does a network learn from such sets, and which digit does it predict?
"""

import sys

from skimb import ImbalancedNNClassifier

# isort: split
# skimb before Keras, which otherwise lets TensorFlow talk while it starts

import numpy as np
from keras import ops
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

# %%
# The sets
# --------
# Each digit has two that look like it, and each of those is noted too with a probability of 0.7.
# So y is an indicator matrix, a column for each class and at least one 1 in a row.
# ``--small`` trains for two epochs, to see that the example runs.

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
print(f"{acceptable.sum(axis=1).mean():.1f} acceptable classes a row, the first row has:")
print(np.flatnonzero(acceptable[0]))

# %%
# Two losses that are going round
# -------------------------------
# Cross-entropy with a row of several 1s asks for a probability of 1 for each of them, and there is
# only one to share out. Raising the candidates to the largest logit does not mend that.


def several_ones(y_true, logits):
    return -ops.sum(y_true * ops.log_softmax(logits), axis=-1)


def raised(y_true, logits):
    largest = ops.max(logits, axis=-1, keepdims=True)
    return several_ones(y_true, ops.where(y_true > 0, largest, logits))


# %%
# ``partial_label`` is minus the logarithm of the probability of the whole set, wherever in the set
# it lies. Sets overlap in the digit that is there, so that is where it ends up. ``variant="max"``
# goes by the candidate that is the most probable already, and holds on to early mistakes.
#
# Without the set, one of its classes may be drawn for each row.

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
# Compared on new rows
# --------------------
# How often the prediction is in the set, how often it is the digit that is there, and the mean
# probability of that digit.

print(f"\n{'':23}{'acceptable':>12}{'true':>7}{'p(true)':>9}")
for name, (params, y) in ways.items():
    fitted = clone(network).set_params(**params).fit(X_train, y)
    predicted, proba = fitted.predict(X_test), fitted.predict_proba(X_test)
    rows = np.arange(len(X_test))
    print(
        f"{name:23}{acceptable_test[rows, predicted].mean():12.2f}"
        f"{np.mean(predicted == true_test):7.2f}{proba[rows, true_test].mean():9.2f}"
    )
