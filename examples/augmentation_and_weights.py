"""
Augmentation, sample weights and validation samples
===================================================

Images are randomly shifted during training. Which weight applies to a shifted image? Are the
validation images shifted too? And does it help to augment only the rare class?
"""

import sys

from skimb import ImbalancedNNClassifier

# isort: split
# skimb before Keras, to silence TensorFlow's startup messages

import numpy as np
from keras.layers import RandomTranslation
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score
from sklearn.model_selection import train_test_split

# %%
# Twelve eights
# -------------
# The task is to detect the digit eight. Of the 823 training images, twelve are eights. ``--small``
# trains for two epochs, as a smoke test.

small = "--small" in sys.argv
X, digits = load_digits(return_X_y=True)
X, y = X.reshape(-1, 8, 8).astype("float32"), (digits == 8).astype(int)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
kept = np.sort(np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:12]]))
X, y = X[kept], y[kept]
sample_weight = np.random.default_rng(0).uniform(0.5, 2, len(y))

# %%
# Where the weights apply
# -----------------------
# A weight belongs to its sample and applies to everything derived from it. Validation samples are
# neither augmented nor resampled, and weights do not change which samples they are. To verify
# this, the losses are computed by hand: the augmentation halves the brightness, and the learning
# rate is so small that the network does not change, which has no batch normalisation, so that it
# computes the same in training. The averages use ``sample_weight`` times the
# class weight.


def halved(images):
    return images / 2


X_fit, X_val, y_fit, y_val, weight_fit, weight_val = train_test_split(
    X, y, sample_weight, stratify=y, random_state=0
)
network = ImbalancedNNClassifier(
    augmentation=halved,
    model__batch_normalization=False,
    optimizer__learning_rate=1e-12,
    epochs=1,
    monitor="loss",
    random_state=0,
)
network.fit(X_fit, y_fit, weight_fit, X_val=X_val, y_val=y_val, sample_weight_val=weight_val)


def loss_by_hand(images, labels, weight):
    weight = weight * np.array([network.class_weight_[label] for label in labels])
    logits = network.decision_function(images)
    return np.average(np.logaddexp(0, np.where(labels == 1, -logits, logits)), weights=weight)


print(f"{'':18}{'by hand':>10}{'reported':>10}")
for name, computed, reported in (
    ("training, halved", loss_by_hand(halved(X_fit), y_fit, weight_fit), "loss"),
    ("validation, as is", loss_by_hand(X_val, y_val, weight_val), "val_loss"),
):
    reported = network.history_[reported][0]
    np.testing.assert_allclose(computed, reported, rtol=1e-4)
    print(f"{name:18}{computed:10.5f}{reported:10.5f}")

# %%
# Does it help?
# -------------
# Shifts by up to one pixel, of all images or of the eights only. Keras shifts by fractions of a
# pixel by default, which also blurs the image. If only the eights are shifted, a network may learn
# that a blurred image is an eight, but no test image is blurred. An augmentation of a single class
# must therefore leave no artefacts: ``interpolation="nearest"`` shifts by whole pixels, and
# ``fill_mode="constant"`` fills the border with 0, as in the margins.

blurring = RandomTranslation(0.13, 0.13)
traceless = RandomTranslation(0.13, 0.13, interpolation="nearest", fill_mode="constant")
ways = {
    "none": {"augmentation": None},
    "blurring, all": {"augmentation": blurring},
    "blurring, eights": {"augmentation": blurring, "augment_classes": "minority"},
    "traceless, all": {"augmentation": traceless},
    "traceless, eights": {"augmentation": traceless, "augment_classes": "minority"},
}
network = ImbalancedNNClassifier(
    optimizer__learning_rate=0.003, epochs=2 if small else 40, random_state=0
)

print(f"\n{'shifts':19}{'recall':>8}{'precision':>11}{'F1':>7}{'av. precision':>15}")
for name, way in ways.items():
    fitted = clone(network).set_params(**way).fit(X, y)
    predicted = fitted.predict(X_test)
    print(
        f"{name:19}{recall_score(y_test, predicted):8.2f}"
        f"{precision_score(y_test, predicted, zero_division=0):11.2f}"
        f"{f1_score(y_test, predicted):7.2f}"
        f"{average_precision_score(y_test, fitted.predict_proba(X_test)[:, 1]):15.2f}"
    )

# %%
# Twelve eights at many positions are better than twelve at one, if the shift leaves no artefacts.
