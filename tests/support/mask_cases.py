"""Images with small shapes, and estimators that learn them quickly."""

import keras
import numpy as np

from skimb import ImbalancedNNSegmenter
from skimb.networks import AddChannel


def drawn(n, seed, size=16, noise=0.3):
    """Images with up to two small squares, 3 % of the pixels, and their masks."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((n, size, size), bool)
    for mask in masks:
        for _ in range(rng.integers(0, 3)):
            i, j = rng.integers(0, size - 3, 2)
            mask[i : i + 3, j : j + 3] = True
    return (masks + rng.normal(0, noise, masks.shape)).astype("float32"), masks


def pixelwise(meta):
    """A network without batch statistics, each pixel on its own."""
    return keras.Sequential(
        [
            keras.Input((None, None)),
            AddChannel(),
            keras.layers.Conv2D(8, 1, activation="relu"),
            keras.layers.Conv2D(meta["n_outputs_"], 1),
        ]
    )


SMALL = ImbalancedNNSegmenter(
    model__depth=1, model__width=8, loss="dice_cross_entropy", optimizer="adam",
    optimizer__learning_rate=0.01, epochs=30, augmentation=None, random_state=0,
)  # fmt: skip
# a gradient step on all images, so that nothing depends on the batches
FULL_BATCH = ImbalancedNNSegmenter(
    pixelwise, loss="dice_cross_entropy", optimizer="sgd", optimizer__learning_rate=0.5, epochs=5,
    batch_size=100, augmentation=None, random_state=0,
)  # fmt: skip
