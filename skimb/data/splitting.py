"""Held-out samples: the same share of every class, drawn before anything is learnt."""

from __future__ import annotations

import numpy as np

from skimb.data.batching import rarest_label


def stratified_split(
    codes: np.ndarray, fraction: float, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the samples to hold out, the same share of every class.

    Parameters
    ----------
    codes : ndarray of int of shape (n,) or (n, n_labels)
        Samples of an indicator matrix belong to the rarest label that they have.
    fraction : float in (0, 1)
        Share that is held out. Of a class with at least two samples, at least one is held out and
        at least one is left.
    rng : RandomState

    Returns
    -------
    training, held_out : ndarray of int
        Positions of the samples, ascending.

    Raises
    ------
    ValueError
        If that leaves one of the two without samples.
    """
    group = codes if codes.ndim == 1 else rarest_label(codes)
    held_out = []
    for value in np.unique(group):
        rows = rng.permutation(np.flatnonzero(group == value))
        n_held = int(np.clip(round(fraction * len(rows)), 1, len(rows) - 1)) if len(rows) > 1 else 0
        held_out.append(rows[:n_held])
    held = np.sort(np.concatenate(held_out))
    if not len(held):
        raise ValueError(
            f"validation_fraction={fraction!r} of {len(codes)} samples, one of each class, cannot "
            "be held out. Pass X_val and y_val, or set early_stopping=False and a number as "
            "threshold."
        )
    return np.setdiff1d(np.arange(len(codes)), held), held
