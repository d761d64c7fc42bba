"""Outputs of the members of an ensemble, beside their mean."""

from __future__ import annotations

import keras

from skimb._types import Tensor

#: name of the layer that averages over the members
MEAN_OF_MEMBERS = "mean_of_members"


def members_of(model: keras.Model) -> int:
    """Return the number of ensemble members, 1 for a single network.

    Examples
    --------
    >>> from skimb.networks import members_of, mlp, mlp_ensemble
    >>> members_of(mlp((20,), 1)), members_of(mlp_ensemble((20,), 1))
    (1, 4)
    """
    last: Tensor = model.layers[-1] if model.layers else None
    return int(last.input.shape[1]) if getattr(last, "name", None) == MEAN_OF_MEMBERS else 1


def with_members(model: keras.Model) -> keras.Model:
    """Return a network with shared layers that outputs the logits of each ensemble member.

    Parameters
    ----------
    model : keras.Model
        Ensemble of networks, see :func:`mlp_ensemble`.

    Returns
    -------
    keras.Model
        Maps the same inputs to outputs of shape (n, n_members, n_outputs). It shares the layers of
        `model`, so that training one trains both.

    Examples
    --------
    >>> from skimb.networks import mlp_ensemble, with_members
    >>> with_members(mlp_ensemble((20,), 3)).output_shape
    (None, 4, 3)
    """
    return keras.Model(model.inputs[0], model.layers[-1].input)
