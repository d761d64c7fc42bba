"""
What weights do to the loss, computed by hand
=============================================

``class_weight``, ``pos_weight`` and ``sample_weight``: what exactly do they multiply, and what is
the sum divided by? With ten samples, every loss that the classifier reports is computed again in
NumPy.
"""

from skimb import ImbalancedNNClassifier

# isort: split
# skimb before Keras, to silence TensorFlow's startup messages

import keras
import numpy as np
from sklearn.base import clone

# %%
# Ten samples, two of them rare
# -----------------------------
# The learning rate is so small that the network keeps its initial weights: its logits after
# training are those that the reported loss was computed from. ``normalize`` is off, since
# ``sample_weight`` also enters the mean and variance that the network standardises with.

rng = np.random.default_rng(0)
X = rng.normal(0, 5, (10, 3))
y = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1])
network = ImbalancedNNClassifier(
    model="mlp",  # a single network, so the loss is a function of its predictions
    class_weight=None,
    model__normalize=False,
    optimizer__learning_rate=1e-12,
    epochs=1,
    random_state=0,
)

# %%
# The loss of a sample is the negative log of the predicted probability of its class.

logits = network.fit(X, y).decision_function(X)
p = 1 / (1 + np.exp(-logits))
loss_of_row = -np.log(np.where(y == 1, p, 1 - p))

# %%
# The rule
# --------
# The weight of a sample is ``sample_weight`` times its class weight. All weights are scaled once
# to a mean of 1, so that {0: 1, 1: 4} and {0: 100, 1: 400} are equivalent, and neither changes the
# step size. The loss of a batch is the weighted sum of the losses divided by the *number* of its
# samples.


def by_hand(weight):
    weight = weight / weight.mean()
    return np.sum(weight * loss_of_row) / len(y)


def reported(sample_weight=None, **params):
    return clone(network).set_params(**params).fit(X, y, sample_weight).loss_


# %%
# "balanced" is N / (2 n) for a class of n samples: 10 / (2 * 8) and 10 / (2 * 2). It is equivalent
# to a ``pos_weight`` of negatives / positives = 8 / 2, since 2.5 / 0.625 = 4.

one_to_four = np.where(y == 1, 4.0, 1.0)
rows = {
    "no weights": (by_hand(np.ones(10)), reported()),
    "class_weight balanced": (
        by_hand(np.where(y == 1, 2.5, 0.625)),
        reported(class_weight="balanced"),
    ),
    "class_weight 1 : 4": (by_hand(one_to_four), reported(class_weight={0: 1, 1: 4})),
    "class_weight 100 : 400": (by_hand(one_to_four), reported(class_weight={0: 100, 1: 400})),
    "pos_weight balanced": (by_hand(one_to_four), reported(pos_weight="balanced")),
}

# %%
# A sample of weight 3 is equivalent to repeating it three times, one of weight 0 to leaving it
# out. So class counts are sums of ``sample_weight``: here 7 against 2 + 3, and "balanced" is 12 /
# (2 * 7) and 12 / (2 * 5).

times = np.array([1, 1, 1, 1, 1, 1, 1, 0, 2, 3])
rows["sample_weight"] = (by_hand(times), reported(times))
rows["sample_weight, 1 : 4"] = (
    by_hand(times * one_to_four),
    reported(times, class_weight={0: 1, 1: 4}),
)
rows["sample_weight, balanced"] = (
    by_hand(times * np.where(y == 1, 12 / 10, 12 / 14)),
    reported(times, class_weight="balanced"),
)
repeated = clone(network).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
rows["rows repeated"] = (by_hand(times), repeated.loss_)

# %%
# Keras alone
# -----------
# Keras divides by the number of samples too, but does not scale the weights, so larger weights
# mean a larger loss and larger steps. Keras 2 divided by the number of samples with a nonzero
# weight; Keras 3 does not.

keras_loss = keras.losses.BinaryCrossentropy(from_logits=True)
rows["Keras, 1 : 4"] = (
    np.sum(one_to_four * loss_of_row) / 10,
    float(keras_loss(y[:, None], logits[:, None], sample_weight=one_to_four)),
)
rows["Keras, with a weight of 0"] = (
    np.sum(times * loss_of_row) / 10,
    float(keras_loss(y[:, None], logits[:, None], sample_weight=times)),
)

# %%
# The losses side by side
# -----------------------

print(f"{'':27}{'by hand':>10}{'reported':>10}")
for name, (computed, found) in rows.items():
    np.testing.assert_allclose(found, computed, rtol=1e-6)
    print(f"{name:27}{computed:10.6f}{found:10.6f}")
