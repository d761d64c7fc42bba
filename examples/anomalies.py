"""
Anomalies instead of classes
============================

"I have five positives. Is that enough to train a classifier?" A binary classifier needs samples of
both classes. An autoencoder needs none of the rare class: it learns to reconstruct normal samples,
and a high reconstruction error indicates an anomaly. When is which better?

Where the rare samples resemble each other, as eights do, a handful of them is more informative
than all the normal samples. The autoencoder is for no positives at all, and for anomalies that
have nothing in common.
"""

import sys

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score

from skimb import AutoencoderClassifier, AutoencoderOutlierDetector, ImbalancedNNClassifier

# %%
# The data
# --------
# Eights among the other digits. 600 samples of the others are for training, with 0 to 40 eights,
# and all the rest are the test set. ``--small`` trains for two epochs, as a smoke test.

small = "--small" in sys.argv
X, digit = load_digits(return_X_y=True)
y = (digit == 8).astype(int)
rng = np.random.default_rng(0)
others, eights = (rng.permutation(np.flatnonzero(y == label)) for label in (0, 1))
test = np.concatenate([others[600:], eights[40:]])


def rows(n_rare):
    train = np.concatenate([others[:600], eights[:n_rare]])
    return X[train], y[train]


# %%
# Four methods
# ------------
# The detectors are fitted without labels, the classifiers with them. ``AutoencoderClassifier``
# trains on the common class only, and uses the rare samples to tune its threshold.

settings = {"epochs": 2} if small else {}
detectors = {
    "autoencoder, no labels": AutoencoderOutlierDetector(random_state=0, **settings),
    "isolation forest, no labels": IsolationForest(random_state=0),
}
classifiers = {
    "autoencoder classifier": AutoencoderClassifier(random_state=0, **settings),
    "network of two classes": ImbalancedNNClassifier(random_state=0, **settings),
}

print(
    f"average precision on {len(test)} samples, {y[test].mean():.0%} of them eights, by the number"
)
print("of eights among the 600 training samples")
counts = (0, 2, 5, 40)
print(f"{'':30}" + "".join(f"{n:>7}" for n in counts))
for name, detector in detectors.items():
    found = []
    for n in counts:
        X_train, _ = rows(n)
        odd = -clone(detector).fit(X_train).score_samples(X[test])
        found.append(average_precision_score(y[test], odd))
    print(f"{name:30}" + "".join(f"{score:7.2f}" for score in found))
for name, classifier in classifiers.items():
    found = [np.nan]  # a classifier needs two classes
    for n in counts[1:]:
        fitted = clone(classifier).fit(*rows(n))
        found.append(average_precision_score(y[test], fitted.decision_function(X[test])))
    print(f"{name:30}" + "".join(f"{score:7.2f}" for score in found))
