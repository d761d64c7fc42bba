"""
A long tail, and the class rectification loss
=============================================

Ten classes, of one there are a hundred rows and of another two. Cross-entropy learns the frequent
ones and forgets the rest. Does the class rectification loss, which mines the hardest rows of the
rare classes in every batch, bring them back? And what else does?
"""

import sys

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split

from skimb import ImbalancedNNClassifier

# %%
# The tail
# --------
# Digits, thinned from a hundred rows to two by equal factors. Which digits are the rare ones
# differs from seed to seed, since some are harder than others. Test rows are as many of each digit.
# ``--small`` takes one seed and few epochs.

small = "--small" in sys.argv
seeds = range(1 if small else 5)
counts = np.round(np.geomspace(100, 2, 10)).astype(int)
digits = load_digits()


def long_tail(seed):
    X, X_test, y, y_test = train_test_split(
        digits.data.astype("float32"),
        digits.target,
        test_size=700,
        stratify=digits.target,
        random_state=seed,
    )
    rng = np.random.default_rng(seed)
    kept = np.concatenate(
        [
            rng.choice(np.flatnonzero(y == digit), count, replace=False)
            for digit, count in zip(rng.permutation(10), counts, strict=True)
        ]
    )
    return X[kept], X_test, y[kept], y_test


splits = [long_tail(seed) for seed in seeds]
print(f"{counts.sum()} rows to learn from: {', '.join(map(str, counts))} of the ten classes.")

# %%
# The ways
# --------
# The share of the rectification in the loss is ``eta`` times how uneven the classes are, 0.01 *
# 0.72 here. A hundred times as much is in the table too, and the comparison of features in the
# place of probabilities. Logit adjustment gives every class an advantage as large as it is rare,
# and vector scaling also other slopes.

plain = ImbalancedNNClassifier(class_weight=None, epochs=3 if small else 100, batch_size=32)
rectified = {"loss": "class_rectification"}
ways = {
    "cross-entropy": {},
    "rectification": rectified,
    "rectification, eta=1": rectified | {"loss__eta": 1.0},
    "rectification, instances": rectified | {"loss__level": "instance"},
    "balanced weights": {"class_weight": "balanced"},
    "balanced batches": {"batching": "balanced"},
    "batches, rectification": rectified | {"batching": "balanced"},
    "logit_adjusted": {"loss": "logit_adjusted"},
    "vector_scaling": {"loss": "vector_scaling"},
}

# %%
# Compared on balanced rows
# -------------------------
# Recall, averaged over the ten classes (with its standard deviation over the seeds), over the four
# rarest, and over the three most frequent.


def recalls(way, seed):
    X, X_test, y, y_test = splits[seed]
    network = clone(plain).set_params(random_state=seed, **way).fit(X, y)
    recall = recall_score(y_test, network.predict(X_test), average=None)
    recall = recall[np.argsort(network.class_counts_)]
    return recall.mean(), recall[:4].mean(), recall[-3:].mean()


print(f"\n{'recall of':26}{'all classes':>16}{'rarest':>9}{'frequent':>10}")
for name, way in ways.items():
    found = np.array([recalls(way, seed) for seed in seeds])
    (every, rarest, frequent), spread = found.mean(axis=0), found[:, 0].std()
    print(f"{name:26}{every:8.3f} ± {spread:.3f}{rarest:9.3f}{frequent:10.3f}")

# %%
# On these rows the rectification changes nothing, whatever it compares, and more of it does harm:
# a batch of 32 rows seldom has two of a rare class, and without two there is nothing to mine.
# Balanced batches have them, but leave nothing to mend. What helps is to tell the loss how rare the
# classes are: that finds most of the rarest, and costs a little of the most frequent. The paper has
# images of people and clothes, with deep networks and many more rows; try it where you have those.
