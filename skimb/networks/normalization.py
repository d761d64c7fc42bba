"""Normalisation over batches of few images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from skimb._types import Tensor

# A mean over about a hundred batches, since a batch of one image says little. Of fewer batches it
# is one of the last quarter, as the first ones saw another network.
_MOMENTUM, _RECENT = 0.99, 4.0


@keras.saving.register_keras_serializable(package="skimb")
class SteadyNormalization(layers.BatchNormalization):
    """Batch normalisation that can go over to the statistics that it predicts with.

    Batch normalisation trains with the statistics of a batch and predicts with those of all. With
    one image a batch these are two different functions: trained, a network never sees that an image
    is brighter than others. Batch renormalisation [1]_ moves from the one to the other step by
    step. Here the estimators do so once, by :attr:`steady`: measured on masks, that is better.

    It is about the last axis, with a scale and an offset. Where training never gets to its second
    half, it is normalised over batches: in `partial_fit` before any `fit`, and where early stopping
    ends it sooner.

    Parameters
    ----------
    momentum : float, default=0.99
        Of the averages.
    epsilon : float, default=0.001
        Added to the variance.
    name, dtype, trainable
        As of every layer.

    Attributes
    ----------
    steady : keras.Variable of shape (), float32
        0 while training normalises by the statistics of a batch, and averages them. 1 where it
        normalises by the averages, and leaves them as they are.

    References
    ----------
    .. [1] S. Ioffe, "Batch Renormalization: Towards Reducing Minibatch Dependence in
       Batch-Normalized Models", NeurIPS 2017. https://arxiv.org/abs/1702.03275

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import SteadyNormalization
    >>> layer, bright = SteadyNormalization(epsilon=0.0), np.array([[[9.0], [11.0]]], "float32")
    >>> layer(bright, training=True).numpy().ravel().tolist()
    [-1.0, 1.0]
    >>> _ = layer.steady.assign(1.0)
    >>> layer(bright + 1, training=True).numpy().ravel().tolist()
    [0.0, 2.0]
    """

    def __init__(
        self,
        *,
        momentum: float = _MOMENTUM,
        epsilon: float = 1e-3,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
    ) -> None:
        options = {"name": name, "dtype": dtype, "trainable": trainable}
        super().__init__(momentum=momentum, epsilon=epsilon, **options)

    def build(self, input_shape: Sequence[int | None]) -> None:
        super().build(input_shape)
        options = {
            "shape": (), "dtype": "float32", "initializer": "zeros", "trainable": False,
            "autocast": False,
        }  # fmt: skip
        self.steady = self.add_weight(name="steady", **options)
        self.n_batches = self.add_weight(name="n_batches", **options)

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        # as in Keras's, float16 is too coarse for the sums
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        steady = ops.cast(self.steady, x.dtype)
        n_before = ops.cast(self.n_batches, x.dtype)
        share = ops.maximum(1.0 - self.momentum, _RECENT / (n_before + _RECENT))
        found = ops.moments(x, list(range(len(x.shape) - 1)))
        used = []
        for variable, of_batch in zip((self.moving_mean, self.moving_variance), found, strict=True):
            average = ops.cast(variable, x.dtype)
            variable.assign(average + (1.0 - steady) * share * (of_batch - average))
            used.append(steady * average + (1.0 - steady) * of_batch)
        self.n_batches.assign(self.n_batches + 1.0 - self.steady)
        x = ops.batch_normalization(
            x, *used, axis=-1, offset=ops.cast(self.beta, x.dtype),
            scale=ops.cast(self.gamma, x.dtype), epsilon=self.epsilon,
        )  # fmt: skip
        return ops.cast(x, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"momentum": self.momentum, "epsilon": self.epsilon}
        return {**layers.Layer.get_config(self), **own}
