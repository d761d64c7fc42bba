"""Inputs of every kind for the losses, and what their tests do with a loss."""

import numpy as np
import pytest
import tensorflow as tf

SIGMOIDS = ("binary", "multilabel", "mask")
EXTREMES = np.array([-1e4, -100.0, -17.0, -1.0, 0.0, 1.0, 17.0, 100.0, 1e4], "float32")


def one_hot(codes, n_classes=3):
    return np.eye(n_classes)[codes]


def problems():
    """Target, y as given, logits, and y with a column per output, for every kind of input.

    Images are as wide as the batch is long, so that a weight a row cannot pass for one a column.
    """
    rng = np.random.default_rng(0)
    binary, codes = rng.integers(0, 2, 6), np.array([0, 1, 2, 2, 0, 1])
    labels = rng.integers(0, 2, (6, 3))
    mask, segments = rng.integers(0, 2, (3, 2, 3)), rng.integers(0, 3, (3, 2, 3))
    z, z3 = rng.normal(0, 2, (6, 1)), rng.normal(0, 2, (6, 3))
    pixels, pixels3 = rng.normal(0, 2, (3, 2, 3, 1)), rng.normal(0, 2, (3, 2, 3, 3))
    return {
        "binary (n,)": ("auto", binary, z, binary[:, None]),
        "binary logits (n,)": ("auto", binary, z[:, 0], binary[:, None]),
        "binary (n, 1)": ("binary", binary[:, None], z, binary[:, None]),
        "multiclass (n,)": ("auto", codes, z3, one_hot(codes)),
        "multiclass (n, 1)": ("multiclass", codes[:, None], z3, one_hot(codes)),
        "multiclass one-hot": ("auto", one_hot(codes), z3, one_hot(codes)),
        "multilabel": ("multilabel", labels, z3, labels),
        "mask (n, h, w)": ("pixels", mask, pixels, mask[..., None]),
        "mask (n, h, w, 1)": ("pixels", mask[..., None], pixels, mask[..., None]),
        "segments (n, h, w)": ("pixels", segments, pixels3, one_hot(segments)),
        "segments (n, h, w, 1)": ("pixels", segments[..., None], pixels3, one_hot(segments)),
        "segments one-hot": ("pixels", one_hot(segments), pixels3, one_hot(segments)),
    }


PROBLEMS = problems()
every_problem = pytest.mark.parametrize("name", PROBLEMS)
sigmoid_problems = pytest.mark.parametrize("name", [n for n in PROBLEMS if n.startswith(SIGMOIDS)])
class_problems = pytest.mark.parametrize(
    "name", [n for n in PROBLEMS if not n.startswith(SIGMOIDS)]
)


def rows(values):
    return values.reshape(len(values), -1).mean(axis=1)


def value_and_gradient(loss, y, z, weight=None):
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = loss(y, z, weight)
    return np.asarray(value), np.asarray(tape.gradient(value, z))


def finite_differences(function, z, step=1e-6):
    gradient = np.empty_like(z)
    for i in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (function(up) - function(down)) / (2 * step)
    return gradient
