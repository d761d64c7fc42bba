"""Values of parameters left at "auto"."""

from __future__ import annotations

import numpy as np

#: the network for tables
TABLE_NETWORK = "mlp_ensemble"

#: epochs with a network of the user's own for samples
EPOCHS = 100

#: samples a batch, and images or patches with masks a batch
BATCH_SIZE, MASK_BATCH_SIZE = 200, 8

#: samples from which early stopping is on by default, as in HistGradientBoostingClassifier
EARLY_STOPPING_FROM = 10_000

# Measured: with more steps an autoencoder reconstructs a large set's anomalies as well, and with
# more epochs it memorises a small set, so that its errors do not carry over to new samples.
AUTOENCODER_STEPS, AUTOENCODER_EPOCHS = 2000, 100

# Values of X up to which a network is trained in float64, so that weights and repetitions of
# samples agree to many digits. Above, it would double the time of what is nearly all arithmetic.
FLOAT64_VALUES, ENSEMBLE_FLOAT64_VALUES = 2**13, 2**11

# Measured over all tables of benchmarks.quality; docs/guide/defaults.rst has the figures.
LEARNING_RATE = 1e-2
WEIGHT_POWER = 0.25

# Images a batch from which their own statistics are good enough to normalise by: of 4, 8 and 16 all
# are the same, of 1 training lags by .02 to .04 (Dice of membranes).
FEW_PER_BATCH = 4

# For images and masks, measured in benchmarks.images and benchmarks.masks. A network of the user's
# own gets the rate that Keras has for it.
IMAGE_LEARNING_RATE, OWN_LEARNING_RATE = 3e-3, 1e-3

# Pixels that a network for masks sees in all, and in an epoch of patches. Time is a default too: on
# two cores the built-in network takes 1 to 2 s for a million pixels.
_PIXELS, PIXELS_OF_EPOCH = 30_000_000, 1_500_000
_MOST_MASK_EPOCHS, _LEAST_MASK_EPOCHS = 100, 10

# Side of patches as a share of the image's, and the least and the largest
_PATCHES_OF_SIDE, _LEAST_PATCH, _LARGEST_PATCH = 8, 64, 256

# Images are classified with fewer and larger batches than masks: 15 epochs of 50
_IMAGE_STEPS, _MOST_IMAGE_EPOCHS, _LEAST_IMAGE_EPOCHS = 106, 60, 8
_LEAST_IMAGE_BATCH, _LARGEST_IMAGE_BATCH = 16, 100

# Small tables need more passes for enough steps, large ones fewer. It grows with the root of the
# number of batches, so that the steps do too.
_STEPS = 300
_MOST_EPOCHS, _LEAST_EPOCHS = 300, 10

# Samples of rare classes for which the decay is 1. AdamW keeps every weight below 1 / decay.
_DECAY_1, _MOST_DECAY = 60.0, 4.0

#: what members of a cross-fitted ensemble are made for
STANDARDIZED, PIECEWISE, TREES = "standardized", "piecewise_linear", "trees"

# Of the members of a cross-fitted ensemble, of which the held-out loss prefers one or some. Two
# settings of trees predict better than one with twice as many trees, and three no better than two.
_WEIGHT_DECAYS: dict[str, tuple[float, ...]] = {
    STANDARDIZED: (0.3, 1.5, 5.0), PIECEWISE: (0.3, 5.0), TREES: (0.5, 2.0)
}  # fmt: skip

# Rare samples from which the first decay of a view falls as one over their number, and the share of
# it that is left at least. The other decays stay, for large tables of much noise.
_RARE_FOR_DECAY, _LEAST_DECAY = {PIECEWISE: 400.0, TREES: 100.0}, 0.02

# Above these numbers of features, as of a text of many words, and of outputs the members would take
# too much memory; above this number of samples three folds say as much as five.
MOST_FEATURES, MOST_OUTPUTS, MANY_SAMPLES = 2048, 20, 20_000

# There are up to 35 members, where the ensemble without folds has four, and so smaller ones.
MEMBER_LAYERS = (32, 32)

# Intervals of the piecewise-linear encoding, whose inputs take most of the arithmetic; twice as
# many predict no better beside the standardised features.
_BINS, _MOST_INPUTS = 4, 512

# Of these inputs, dropped in a step by members of at least this weight decay. The others are there
# for tables of which much can be learned: mammography with its 11,000 samples, and car, where each
# of six columns decides.
_INPUT_DROPOUT, _DROPPING_DECAY = 0.2, 1.0

# Trees are for tables with at least this many samples outside the largest class, since below they
# overfit on those that are chosen on, and at most this many columns, as the way to the few that
# count is long.
RARE_FOR_TREES, MOST_TREE_COLUMNS = 20, 256

# of the epochs in which the learning rate rises
_WARM_UP = 0.05


def table_epochs(n_batches: int) -> int:
    """Return the number of epochs for a table.

    Parameters
    ----------
    n_batches : int
        Batches an epoch.

    Examples
    --------
    >>> from skimb.fitting.defaults import table_epochs
    >>> table_epochs(1), table_epochs(5), table_epochs(56), table_epochs(5000)
    (300, 134, 40, 10)
    """
    return int(np.clip(round(_STEPS / np.sqrt(n_batches)), _LEAST_EPOCHS, _MOST_EPOCHS))


def image_epochs(n_batches: int) -> int:
    """Return the number of epochs for images with a label each.

    Examples
    --------
    >>> from skimb.fitting.defaults import image_epochs
    >>> image_epochs(1), image_epochs(10), image_epochs(50), image_epochs(5000)
    (60, 34, 15, 8)
    """
    epochs = round(_IMAGE_STEPS / np.sqrt(n_batches))
    return int(np.clip(epochs, _LEAST_IMAGE_EPOCHS, _MOST_IMAGE_EPOCHS))


def image_batch_size(n_images: int) -> int:
    """Return the number of images a batch: a twentieth, so that few images have enough steps.

    Examples
    --------
    >>> from skimb.fitting.defaults import image_batch_size
    >>> image_batch_size(50), image_batch_size(600), image_batch_size(60_000)
    (16, 30, 100)
    """
    return int(np.clip(n_images // 20, _LEAST_IMAGE_BATCH, _LARGEST_IMAGE_BATCH))


def mask_epochs(n_pixels: int) -> int:
    """Return the number of epochs for masks.

    Parameters
    ----------
    n_pixels : int
        Pixels that an epoch has.

    Examples
    --------
    >>> from skimb.fitting.defaults import mask_epochs
    >>> mask_epochs(20 * 32 * 32), mask_epochs(1_500_000), mask_epochs(10**8)
    (100, 20, 10)
    """
    epochs = round(_PIXELS / n_pixels)
    return int(np.clip(epochs, _LEAST_MASK_EPOCHS, _MOST_MASK_EPOCHS))


def patch_side(side: int) -> int:
    """Return the side of the patches that images of this side are cut into in training.

    Small patches make more and more varied batches of as many pixels. Large images tend to show
    large things, whose surroundings count.

    Examples
    --------
    >>> from skimb.fitting.defaults import patch_side
    >>> patch_side(50), patch_side(128), patch_side(1000), patch_side(4096)
    (50, 64, 128, 256)
    """
    share = -(-side // _PATCHES_OF_SIDE // 16) * 16
    return min(side, int(np.clip(share, _LEAST_PATCH, _LARGEST_PATCH)))


def n_bins(n_features: int) -> int:
    """Return the number of intervals for each feature, 0 where they would be too few.

    Examples
    --------
    >>> from skimb.fitting.defaults import n_bins
    >>> n_bins(10), n_bins(60), n_bins(500)
    (4, 4, 0)
    """
    return _BINS if 0 < n_features * _BINS <= _MOST_INPUTS else 0


def input_dropout(decay: float) -> float:
    """Return the share of the inputs that members of this weight decay go without in a step.

    Examples
    --------
    >>> from skimb.fitting.defaults import input_dropout
    >>> input_dropout(0.3), input_dropout(5.0)
    (0.0, 0.2)
    """
    return _INPUT_DROPOUT if decay >= _DROPPING_DECAY else 0.0


def weight_decay(counts: np.ndarray) -> float:
    """Return the weight decay, stronger the fewer samples of rare classes there are.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights of the classes, or of 0 and 1 for each label.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.fitting.defaults import weight_decay
    >>> [weight_decay(np.array([1000.0, n])) for n in (10, 60, 240)]
    [4.0, 1.0, 0.0625]
    """
    return min(_MOST_DECAY, (_DECAY_1 / max(outside_largest(counts), 1.0)) ** 2)


def weight_decays(view: str, counts: np.ndarray) -> tuple[float, ...]:
    """Return the weight decay of each setting of the members of a view.

    The more samples of rare classes there are, the more detail can be learned from them, for which
    the first of two settings has a weaker decay.

    Parameters
    ----------
    view : str
        "standardized", "piecewise_linear" or "trees".
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        As in :func:`weight_decay`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.fitting.defaults import weight_decays
    >>> [weight_decays("trees", np.array([9000, n])) for n in (40, 200, 1000)]
    [(0.5, 2.0), (0.25, 2.0), (0.05, 2.0)]
    >>> weight_decays("trees", np.array([10**6, 10**5]))  # a fiftieth at least
    (0.01, 2.0)
    >>> weight_decays("trees", np.array([[700, 300], [900, 100]]))  # two labels, 200 on average
    (0.25, 2.0)
    >>> weight_decays("standardized", np.array([9000, 1000]))
    (0.3, 1.5, 5.0)
    """
    first, *others = _WEIGHT_DECAYS[view]
    if view not in _RARE_FOR_DECAY:
        return first, *others
    share = min(1.0, _RARE_FOR_DECAY[view] / max(outside_largest(counts), 1.0))
    return first * max(_LEAST_DECAY, share), *others


def outside_largest(counts: np.ndarray) -> float:
    """Return the weight of the samples outside the largest class, of several labels the mean.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        As in :func:`weight_decay`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.fitting.defaults import outside_largest
    >>> outside_largest(np.array([1000, 20, 10])), outside_largest(np.array([[90, 10], [40, 60]]))
    (30.0, 25.0)
    """
    return float(np.mean(counts.sum(axis=-1) - counts.max(axis=-1)))


def learning_rates(epochs: int, peak: float = LEARNING_RATE) -> list[float]:
    """Return the learning rate of each epoch: a short rise, and half a cosine down to 0.

    Parameters
    ----------
    epochs : int
    peak : float

    Returns
    -------
    list of float

    Examples
    --------
    >>> from skimb.fitting.defaults import learning_rates
    >>> [round(rate, 3) for rate in learning_rates(5, peak=1.0)]
    [0.976, 0.794, 0.5, 0.206, 0.024]
    """
    done = (np.arange(epochs) + 0.5) / epochs
    rates = peak * np.minimum(1.0, done / _WARM_UP) * 0.5 * (1.0 + np.cos(np.pi * done))
    return rates.tolist()
