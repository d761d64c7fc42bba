"""What parameters left at "auto" stand for where the network is the default one for tables."""

from __future__ import annotations

import numpy as np

#: the network for tables
TABLE_NETWORK = "mlp_ensemble"

#: epochs with any other network
EPOCHS = 100

# Measured over all tables of benchmarks.quality; docs/guide/defaults.rst has the figures.
LEARNING_RATE = 3e-3
WEIGHT_POWER = 0.25

# Small tables need more passes for enough steps, large ones fewer. It grows with the root of the
# number of batches, so that the steps do too.
_STEPS = 350
_MOST_EPOCHS, _LEAST_EPOCHS = 350, 10

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
    >>> from skimb.defaults import table_epochs
    >>> table_epochs(1), table_epochs(5), table_epochs(56), table_epochs(5000)
    (350, 157, 47, 10)
    """
    return int(np.clip(round(_STEPS / np.sqrt(n_batches)), _LEAST_EPOCHS, _MOST_EPOCHS))


def learning_rates(epochs: int, peak: float = LEARNING_RATE) -> np.ndarray:
    """Return the learning rate of each epoch: a short rise, and half a cosine down to 0.

    Parameters
    ----------
    epochs : int
    peak : float

    Returns
    -------
    ndarray of shape (epochs,)

    Examples
    --------
    >>> from skimb.defaults import learning_rates
    >>> learning_rates(5, peak=1.0).round(3).tolist()
    [0.976, 0.794, 0.5, 0.206, 0.024]
    """
    done = (np.arange(epochs) + 0.5) / epochs
    return peak * np.minimum(1.0, done / _WARM_UP) * 0.5 * (1.0 + np.cos(np.pi * done))
