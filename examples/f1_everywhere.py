"""
It still evaluates accuracy, and I need F1
==========================================

Accuracy is high where nothing is found. Where does F1 go in: into the score, the search, the
epochs that are followed, the network that is kept, or the threshold? And which of them helps?
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
# One row in twenty is "bad", and many of them look like the others. ``--small`` takes fewer rows
# and two epochs.

small = "--small" in sys.argv
X, y = make_classification(
    600 if small else 8_000, 10, n_informative=4, n_redundant=0, weights=[0.95], class_sep=0.5,
    random_state=0,
)  # fmt: skip
y = ["bad" if label else "good" for label in y]
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# Where F1 goes in
# ----------------
# ``score`` is the F1 of the rarer class, here "bad", and so is what a search maximises. Nothing has
# to be set for these two.
#
# ``metrics=["f1"]`` follows it after every epoch, in ``history_``. ``monitor="f1"`` keeps the
# network of the epoch with the best F1 on rows held out, in place of the best average precision.
# That is the F1 at a threshold of 0.5 of the few rare rows held out, so it jumps from epoch to
# epoch, and keeping its highest leap is keeping some luck. ``threshold="f1"`` suits the threshold
# to the network that was kept.

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
# Compared on new rows
# --------------------
# The epoch whose network was kept, and both scores. What finds more of the rare rows pays for it in
# accuracy, in which calling every row "good" is as good as anything.

print(f"{'':12}{'epoch':>6}{'accuracy':>10}{'F1':>7}")
for name, way in ways.items():
    way.fit(X, y)
    network = getattr(way, "best_estimator_", way)
    accuracy = accuracy_score(y_test, way.predict(X_test))
    print(f"{name:12}{network.best_iter_:6}{accuracy:10.3f}{way.score(X_test, y_test):7.3f}")
print(f"{'all good':12}{'':6}{y_test.count('good') / len(y_test):10.3f}{0:7.3f}")
