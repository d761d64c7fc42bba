"""Members of an ensemble that are sums of soft decision trees.

A tree is one of few columns at a time, so such members find out what combinations of a few columns
decide, where layers of weighted sums need many more samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from scipy.special import softmax

from skimb._types import Tensor
from skimb.networks.layers import penalty
from skimb.networks.selective import checked_rates, uniform_numbers

#: names of the layers of these members: the splits, the last one, and how those of constants begin
TREE_SPLITS, TREE_RESPONSES, TREE_SIDES = "tree_splits", "tree_responses", "tree_sides"

#: trees of a member, and the splits from the root to a leaf
N_TREES, DEPTH = 12, 4

# Adam moves all variables by about the learning rate. Trees learn with another one, which these
# factors of the variables make. Thresholds and responses move by eight times the learning rate of
# the multilayer perceptrons beside them, and logits of columns by 24 times.
FASTER = 8.0
_OF_LOGITS = 24.0


@keras.saving.register_keras_serializable(package="skimb")
class SoftTrees(layers.Layer):
    """Soft oblivious decision trees [1]_ without their responses, for each of several members.

    A split compares a mean of the inputs, whose weights are a softmax and learned, so that they
    come near to one input, with a threshold. On how far they are apart depends how much of a sample
    goes to either side. All splits of the same depth in a tree are one.

    Parameters
    ----------
    members : int
    n_trees : int
        Of each member.
    depth : int
        Splits from the root to a leaf.
    input_dropout : float in [0, 1) or sequence of float, default=0.0
        Fraction of the inputs that no split takes in a step of the training, the same ones for all
        samples and trees; the weights of the others have the sum 1. Where all would be dropped,
        none is. A sequence has one for each member.
    seed : int or None, default=None
    **kwargs
        Passed to :class:`keras.layers.Layer`.

    Raises
    ------
    ValueError
        If a number is below 1, or `input_dropout` is not accepted.

    Attributes
    ----------
    selection : keras.Variable of shape (members, n_inputs, n_trees, depth)
        Logits of the weights of the inputs, divided by a constant.
    thresholds : keras.Variable of shape (members, n_trees * depth)
        In standard deviations of a mean of independent inputs.
    steepness : keras.Variable of shape (members, n_trees * depth)
        Logarithms of factors.

    References
    ----------
    .. [1] S. Popov, S. Morozov, A. Babenko, "Neural Oblivious Decision Ensembles for Deep Learning
       on Tabular Data", ICLR 2020. https://arxiv.org/abs/1909.06312

    Examples
    --------
    The output has the share of a sample that goes to each leaf:

    >>> import numpy as np
    >>> from skimb.networks import SoftTrees
    >>> layer = SoftTrees(members=5, n_trees=12, depth=4)
    >>> leaves = np.asarray(layer(np.ones((2, 7), "float32")))
    >>> leaves.shape, bool(np.allclose(leaves.sum(axis=-1), 12))  # 12 trees of 16 leaves
    ((2, 5, 192), True)
    """

    def __init__(
        self,
        members: int,
        n_trees: int,
        depth: int,
        *,
        input_dropout: float | Sequence[float] = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, number in (("members", members), ("n_trees", n_trees), ("depth", depth)):
            if number < 1:
                raise ValueError(f"{name}={number!r} must be at least 1.")
        self.members, self.n_trees, self.depth = members, n_trees, depth
        self._rates = checked_rates(input_dropout, members)
        self.input_dropout = self._rates.tolist()
        self.seed = seed
        self.selection_initializer = keras.initializers.RandomNormal(stddev=3.0 / _OF_LOGITS)
        self.thresholds_initializer = keras.initializers.RandomNormal(stddev=1.0 / FASTER)
        if self._rates.any():
            self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Sequence[int]) -> None:
        of_splits = (self.members, self.n_trees * self.depth)
        self.selection = self.add_weight(
            name="selection", shape=(self.members, input_shape[-1], self.n_trees, self.depth),
            initializer=self.selection_initializer,
        )  # fmt: skip
        self.thresholds = self.add_weight(
            name="thresholds", shape=of_splits, initializer=self.thresholds_initializer
        )
        self.steepness = self.add_weight(name="steepness", shape=of_splits, initializer="zeros")

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        logits: Tensor = self.selection * _OF_LOGITS
        if training and self._rates.any():
            drawn = uniform_numbers(self.seed_generator.next(), logits.shape[1])
            dropped = drawn[:, None, None] < np.float32(self._rates).reshape(-1, 1, 1, 1)
            some_left = ops.logical_not(ops.all(dropped, axis=1, keepdims=True))
            # far below every other logit, and within float16
            logits = ops.where(ops.logical_and(dropped, some_left), -1e4, logits)
        # not keras.ops.softmax, which warns of a single input
        share = ops.exp(logits - ops.stop_gradient(ops.max(logits, axis=1, keepdims=True)))
        share = share / ops.sum(share, axis=1, keepdims=True)
        deviation = ops.sqrt(ops.sum(ops.square(share), axis=1))
        shape = (self.members, -1, self.n_trees * self.depth)
        kernel, bias = ops.reshape(share, shape), FASTER * self.thresholds
        bias = bias * ops.reshape(deviation, (self.members, -1))
        steepness = 2.0 * ops.exp(self.steepness)
        apart = ops.einsum("bi,kis->bks", inputs, kernel) - bias
        first = ops.sigmoid(apart * steepness)
        first = ops.reshape(first, (-1, self.members, self.n_trees, self.depth))
        on_first = _on_first(self.depth).astype(keras.backend.standardize_dtype(first.dtype))
        leaves: Any = 1.0
        for split, chosen in enumerate(on_first.T):
            # the share of the first side, or of the other
            leaves = leaves * (first[..., split, None] * (2.0 * chosen - 1.0) + (1.0 - chosen))
        return ops.reshape(leaves, (-1, self.members, self.n_trees * 2**self.depth))

    def dense(self, values: dict[int, np.ndarray]) -> list[np.ndarray]:
        """Return kernel and bias of the dense layer of how far samples are beyond each split.

        Parameters
        ----------
        values : dict of int to ndarray
            Of the variables, by their ``id``.
        """
        selection, thresholds, steepness = (
            values[id(variable)] for variable in (self.selection, self.thresholds, self.steepness)
        )
        share = softmax(_OF_LOGITS * selection, axis=1)
        deviation = np.sqrt(np.square(share).sum(axis=1)).reshape(thresholds.shape)
        slope = 2.0 * np.exp(steepness)
        kernel = share.reshape(self.members, -1, slope.shape[1]) * slope[:, None]
        bias = -FASTER * thresholds * deviation * slope
        return [kernel.astype(selection.dtype), bias.astype(selection.dtype)]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (input_shape[0], self.members, self.n_trees * 2**self.depth)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("members", "n_trees", "depth", "input_dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def tree_logits(
    x: Tensor,
    members: int,
    n_outputs: int,
    *,
    input_dropout: float | Sequence[float] | None,
    l2: float,
    dtype: str,
) -> Any:
    """Return the logits of members that are sums of trees, of shape (n, members, n_outputs).

    Parameters
    ----------
    x : symbolic tensor of shape (n, n_inputs)
        Standardised.
    members, n_outputs : int
    input_dropout : float, sequence of float or None
        See :class:`SoftTrees`. None is for networks that only predict, of Keras's layers alone.
    l2 : float
        Penalty on the responses of leaves.
    dtype : str
    """
    options: dict[str, Any] = {"dtype": dtype}
    if input_dropout is None:
        x, _ = plain_leaves(x, members, N_TREES, DEPTH, dtype=dtype, name=TREE_SPLITS)
    else:
        x = SoftTrees(
            members, N_TREES, DEPTH, input_dropout=input_dropout, name=TREE_SPLITS, **options
        )(x)
    x = layers.Rescaling(FASTER, **options)(x)
    return layers.EinsumDense(
        "bki,kio->bko", (members, n_outputs), bias_axes="ko", name=TREE_RESPONSES,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.1 / FASTER),
        kernel_regularizer=penalty(l2), **options,
    )(x)  # fmt: skip


def plain_leaves(
    x: Tensor, members: int, n_trees: int, depth: int, *, dtype: Any, name: str
) -> tuple[Any, layers.Layer]:
    """Return what :class:`SoftTrees` returns, by layers of Keras, and the one of them to set.

    Parameters
    ----------
    x : symbolic tensor of shape (n, n_inputs)
    members, n_trees, depth : int
    dtype : str or keras.DTypePolicy
    name : str
        Of the layer whose weights are to be those of :meth:`SoftTrees.dense`.
    """
    splits = layers.EinsumDense(
        "bi,kio->bko", (members, n_trees * depth), "sigmoid", bias_axes="ko", dtype=dtype, name=name
    )
    first = layers.Reshape((members * n_trees, depth), dtype=dtype)(splits(x))
    on_first = _on_first(depth)
    shares = []
    for split in range(depth):
        # the share of the first side of this split, or of the other
        kernel = np.zeros((depth, 2**depth))
        kernel[split] = 2.0 * on_first[:, split] - 1.0
        of_leaves = layers.EinsumDense(
            "bts,sl->btl", (members * n_trees, 2**depth), bias_axes="l", trainable=False,
            kernel_initializer=keras.initializers.Constant(kernel.tolist()),
            bias_initializer=keras.initializers.Constant((1.0 - on_first[:, split]).tolist()),
            dtype=dtype, name=f"{TREE_SIDES}_{split}" if name == TREE_SPLITS else None,
        )  # fmt: skip
        shares.append(of_leaves(first))
    leaves = shares[0] if depth == 1 else layers.Multiply(dtype=dtype)(shares)
    return layers.Reshape((members, n_trees * 2**depth), dtype=dtype)(leaves), splits


def _on_first(depth: int) -> np.ndarray:
    """Return for each leaf of a tree which splits it is on the first side of, as ones."""
    return np.array(list(product([1.0, 0.0], repeat=depth)))
