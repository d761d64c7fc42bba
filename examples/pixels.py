"""
A few foreground pixels
=======================

Every image has at most two small spots, and all the rest is background. The network's outputs go
to zero everywhere, which is right for 99.6 % of the pixels. Does pixel-wise cross-entropy work,
can it be weighted, and what is the advantage of Dice?
"""

import importlib.util
import sys

import numpy as np
from sklearn.base import clone
from sklearn.metrics import precision_score, recall_score

from skimb import ImbalancedNNSegmenter
from skimb.plotting import SegmentationDisplay

# %%
# The images
# ----------
# Spots with a radius of two pixels, under noise that is nearly as strong. A third of the images
# have no spot. ``--small`` uses fewer and smaller images and one epoch, as a smoke test.

small = "--small" in sys.argv
size = 24 if small else 48
rows, columns = np.mgrid[:size, :size]


def make_images(n, seed):
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, size, size), dtype=bool)
    for mask in masks:
        for _ in range(rng.integers(3)):
            (i, j), radius = rng.uniform(4, size - 4, 2), rng.uniform(1.5, 2.5)
            mask |= (rows - i) ** 2 + (columns - j) ** 2 < radius**2
    images = rng.normal(0, 1, masks.shape) + 1.2 * masks
    return images.astype("float32"), masks


images, masks = make_images(8 if small else 80, seed=0)
new_images, new_masks = make_images(8 if small else 100, seed=1)
print(f"{len(images)} images, {masks.mean():.1%} of the pixels are foreground.")

# %%
# Five networks
# -------------
# Keras's ``fit`` refuses ``class_weight`` for masks; here the weights are inside the loss. Only
# their ratio matters, so N / (2 n) and N / n for a class of n pixels are equivalent.
# "sqrt_balanced" is the square root of that ratio.
#
# Dice measures the overlap of predicted and true spots per image, so the background counts only
# where it is predicted as a spot. But in an image without spots one false positive pixel is as bad
# as a thousand, so the network learns next to nothing from such images. With cross-entropy it
# does, and the sum of both is the default.

network = ImbalancedNNSegmenter(
    model__depth=0 if small else 2,
    model__width=8,
    optimizer__learning_rate=0.003,
    epochs=1 if small else 20,
    early_stopping=False,
    random_state=0,
)
ways = {
    "cross-entropy": {"loss": "cross_entropy"},
    "balanced": {"loss": "cross_entropy", "class_weight": "balanced"},
    "sqrt_balanced": {"loss": "cross_entropy", "class_weight": "sqrt_balanced"},
    "Dice": {"loss": "dice"},
    "Dice + cross-entropy": {"loss": "dice_cross_entropy"},
}

# %%
# Comparison on the validation set
# --------------------------------
# The Dice coefficient of the foreground over all validation images, which for two classes is the
# F1 of the pixels, after five epochs, ten and all; recall and precision; and the accuracy.
# ``history_`` has the coefficient of every epoch, since the validation images are passed to
# ``fit``.

print(f"\n{'epochs':22}{5:>6}{10:>6}{20:>6}{'recall':>8}{'precision':>11}{'pixels right':>14}")
for name, way in ways.items():
    fitted = clone(network).set_params(**way)
    fitted.fit(images, masks, X_val=new_images, y_val=new_masks)
    found, true = fitted.predict(new_images).ravel(), new_masks.ravel()
    recall = recall_score(true, found)
    precision = precision_score(true, found, zero_division=0)
    dice = "".join(f"{fitted.history_['val_dice'][:n][-1]:6.2f}" for n in (5, 10, 20))
    print(f"{name:22}{dice}{recall:8.2f}{precision:11.2f}{np.mean(found == true):14.2%}")

# %%
# Weights and overlap losses determine how soon the spots are found: after five epochs the plain
# cross-entropy has found none. Fully balanced weights initially find too many. The longer the
# training and the larger the learning rate, the smaller the differences.
#
# The predictions of the last network, the default, in images with spots, if Matplotlib is
# installed:

if importlib.util.find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    with_spots = new_masks.any(axis=(1, 2))
    SegmentationDisplay.from_estimator(fitted, new_images[with_spots], new_masks[with_spots])
    plt.show()
