"""
It still evaluates accuracy, and I need F1
==========================================

Accuracy is high even if no rare sample is found. Where can F1 be used instead: in the score, the
search, the metrics of each epoch, early stopping, or the threshold? And which of them helps?
"""

import sys

from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, train_test_split

from skimb import ImbalancedNNClassifier

# %%
# The data
# --------
# One sample in twenty is "bad", and many of them overlap with the others. ``--small`` uses fewer
# samples and two epochs.

small = "--small" in sys.argv
X, y = make_classification(
    600 if small else 8_000, 10, n_informative=4, n_redundant=0, weights=[0.95], class_sep=0.5,
    random_state=0,
)  # fmt: skip
y = ["bad" if label else "good" for label in y]
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# Where F1 can be used
# --------------------
# ``score`` is the F1 of the rarer class, here "bad", and a search maximises it. These two are the
# defaults.
#
# ``metrics=["f1"]`` computes it after every epoch and stores it in ``history_``. ``monitor="f1"``
# restores the weights of the epoch with the best validation F1, instead of the best average
# precision. That F1 is computed at a threshold of 0.5 on the few rare samples of the validation
# set. It therefore fluctuates from epoch to epoch, and its maximum is partly due to chance.
# ``threshold="f1"`` tunes the threshold of the network whose weights were kept.

plain = ImbalancedNNClassifier(
    class_weight=None,
    metrics=["f1"],
    optimizer__learning_rate=0.003,
    epochs=2 if small else 40,
    early_stopping=True,
    patience=40,
    random_state=0,
)
grid = {"weight_power": [0.0, 0.25, 0.5, 0.75, 1.0]}
ways = {
    "plain": plain,
    "monitor": clone(plain).set_params(monitor="f1"),
    "threshold": clone(plain).set_params(threshold="f1"),
    "search": GridSearchCV(clone(plain).set_params(class_weight="balanced"), grid, cv=3),
}

# %%
# Comparison on the test set
# --------------------------
# The epoch whose weights were kept, and both scores. Finding more of the rare samples costs
# accuracy, for which predicting "good" for every sample is hard to beat.

print(f"{'':12}{'epoch':>6}{'accuracy':>10}{'F1':>7}")
for name, way in ways.items():
    way.fit(X, y)
    network = getattr(way, "best_estimator_", way)
    accuracy = accuracy_score(y_test, way.predict(X_test))
    print(f"{name:12}{network.best_iter_:6}{accuracy:10.3f}{way.score(X_test, y_test):7.3f}")
print(f"{'all good':12}{'':6}{y_test.count('good') / len(y_test):10.3f}{0:7.3f}")
