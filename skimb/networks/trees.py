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
from skimb.networks.selective import checked_rates, uniform_numbers

#: name of the layer of these members, and what those of layers of Keras alone end with: of the
#: splits, of the responses, and the beginning for constants
TREE_MEMBERS, SPLITS, RESPONSES, SIDES = "trees", "_splits", "_responses", "_sides_"

#: trees of a member, and the splits from the root to a leaf
N_TREES, DEPTH = 12, 4

# Adam moves all variables by about the learning rate. Trees learn with another one, which these
# factors of the variables make. Thresholds and responses move by eight times the learning rate of
# the multilayer perceptrons beside them, and logits of columns by 24 times.
FASTER = 8.0
_OF_LOGITS = 24.0

# rows up to which the product of two matrices is written out as sums of products
_FEW = 8

# added to the logits of the columns that a split begins with
_TOWARD = 15.0


@keras.saving.register_keras_serializable(package="skimb")
class SoftTrees(layers.Layer):
    """Sums of soft oblivious decision trees [1]_, for each of several members.

    A split compares a mean of the inputs, whose weights are a softmax and learned, so that they
    come near to one input, with a threshold. On how far they are apart depends how much of a sample
    goes to either side. All splits of the same depth in a tree are one. The shares of a sample that
    go to the leaves are the weights of their responses.

    Parameters
    ----------
    members, units : int
        Number of members, and of outputs of each.
    n_trees : int
        Of each member.
    depth : int
        Splits from the root to a leaf.
    input_dropout : float in [0, 1) or sequence of float, default=0.0
        Fraction of the inputs that no split takes in a step of the training, the same ones for all
        samples and trees; the weights of the others have the sum 1. Where all would be dropped,
        none is. A sequence has one for each member.
    kernel_regularizer : str, keras.regularizers.Regularizer or None, default=None
        Penalty on the responses.
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
        In standard deviations of a mean of independent inputs, divided by a constant.
    steepness : keras.Variable of shape (members, n_trees * depth)
        Logarithms of factors.
    kernel : keras.Variable of shape (members, n_trees * 2**depth, units)
        Responses of the leaves, divided by a constant.
    bias : keras.Variable of shape (members, units)

    References
    ----------
    .. [1] S. Popov, S. Morozov, A. Babenko, "Neural Oblivious Decision Ensembles for Deep Learning
       on Tabular Data", ICLR 2020. https://arxiv.org/abs/1909.06312

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import SoftTrees
    >>> layer = SoftTrees(members=5, units=1, n_trees=12, depth=4)
    >>> outputs = layer(np.ones((2, 7), "float32"))
    >>> tuple(outputs.shape), tuple(layer.kernel.shape)  # 12 trees of 16 leaves
    ((2, 5, 1), (5, 192, 1))
    """

    def __init__(
        self,
        members: int,
        units: int,
        n_trees: int,
        depth: int,
        *,
        input_dropout: float | Sequence[float] = 0.0,
        kernel_regularizer: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        numbers = {"members": members, "units": units, "n_trees": n_trees, "depth": depth}
        for name, number in numbers.items():
            if number < 1:
                raise ValueError(f"{name}={number!r} must be at least 1.")
        self.members, self.units, self.n_trees, self.depth = numbers.values()
        self._rates = checked_rates(input_dropout, members)
        self.input_dropout = self._rates.tolist()
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.seed = seed
        self.selection_initializer = keras.initializers.RandomNormal(stddev=3.0 / _OF_LOGITS)
        self.thresholds_initializer = keras.initializers.RandomNormal(stddev=1.0 / FASTER)
        self.kernel_initializer = _initial_responses()
        self.input_spec = keras.layers.InputSpec(ndim=2)
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
        self.kernel = self.add_weight(
            name="kernel", shape=(self.members, self.n_trees * 2**self.depth, self.units),
            initializer=self.kernel_initializer, regularizer=self.kernel_regularizer,
        )  # fmt: skip
        self.bias = self.add_weight(
            name="bias", shape=(self.members, self.units), initializer="zeros"
        )

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        kernel, bias = self._splits(training)
        beyond = ops.matmul(kernel, ops.transpose(inputs)) + bias
        beyond = ops.reshape(beyond, (self.depth, self.members, self.n_trees, -1))
        of_trees = (self.members, self.n_trees, 2 ** (self.depth // 2), -1, self.units)
        responses = ops.transpose(ops.reshape(FASTER * self.kernel, of_trees), (0, 1, 2, 4, 3))
        return ops.transpose(_sums(beyond, responses), (2, 0, 1)) + self.bias

    def _splits(self, training: bool) -> tuple[Any, Any]:
        """Return kernel and bias of how far samples are beyond each split, by its depth first."""
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
        of_splits = (self.members, self.n_trees, self.depth)
        slope = ops.reshape(2.0 * ops.exp(self.steepness), of_splits)
        kernel = ops.transpose(share * slope[:, None], (3, 0, 2, 1))
        bias = -FASTER * ops.reshape(self.thresholds, of_splits) * deviation * slope
        n_splits = self.depth * self.members * self.n_trees
        bias = ops.reshape(ops.transpose(bias, (2, 0, 1)), (n_splits, 1))
        return ops.reshape(kernel, (n_splits, -1)), bias

    def beginning_with(
        self, selection: np.ndarray, pairs: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]
    ) -> np.ndarray:
        """Return initial values of `selection` with which trees begin with pairs of features.

        The upper half of a tree's splits begins with the first feature, the other one with the
        second. Of several columns of a feature a split begins with random shares.

        Parameters
        ----------
        selection : ndarray of the shape of `selection`
            Other initial values. Not changed.
        pairs : sequence of sequence of (ndarray of int, ndarray of int)
            For each of the first members, and for each of its first trees, the columns of both
            features among the inputs.
        """
        selection, n_upper = selection.copy(), self.depth // 2
        for member, of_member in enumerate(pairs):
            for tree, (upper, lower) in enumerate(of_member):
                selection[member, upper, tree, :n_upper] += _TOWARD / _OF_LOGITS
                selection[member, lower, tree, n_upper:] += _TOWARD / _OF_LOGITS
        return selection

    def plain(self, values: dict[int, np.ndarray]) -> dict[str, list[np.ndarray]]:
        """Return kernel and bias of the layers of :func:`plain_trees`, by the end of their name.

        Parameters
        ----------
        values : dict of int to ndarray
            Of the variables, by their ``id``.
        """
        variables = (self.selection, self.thresholds, self.steepness, self.kernel, self.bias)
        selection, thresholds, steepness, kernel, bias = (values[id(v)] for v in variables)
        share = softmax(_OF_LOGITS * selection, axis=1)
        deviation = np.sqrt(np.square(share).sum(axis=1)).reshape(thresholds.shape)
        slope = 2.0 * np.exp(steepness)
        splits = share.reshape(self.members, -1, slope.shape[1]) * slope[:, None]
        beyond = -FASTER * thresholds * deviation * slope
        of_splits = [value.astype(bias.dtype) for value in (splits, beyond)]
        return {SPLITS: of_splits, RESPONSES: [kernel, bias]}

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (input_shape[0], self.members, self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        names = ("members", "units", "n_trees", "depth", "input_dropout", "seed")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@ops.custom_gradient
def _sums(beyond: Tensor, responses: Tensor) -> Any:
    """Return the sums of trees, of shape (members, units, n).

    Samples are the last axis, and a tree is taken apart into its upper and its lower splits, whose
    shares are fewer than those of leaves: half the time of a step. The gradient is written out, in
    a quarter less time: XLA is slow at the products of many small matrices in a derived one.

    Parameters
    ----------
    beyond : tensor of shape (depth, members, trees, n)
        How far samples are beyond a split.
    responses : tensor of shape (members, trees, leaves of the upper splits, units, of the lower)
    """
    members, trees, n_leaves, units, n_below = responses.shape
    n_upper = n_leaves.bit_length() - 1
    first = ops.sigmoid(beyond)
    splits = [first[split] for split in range(first.shape[0])]
    one = ops.ones_like(splits[0])
    of_rows = (members, trees, n_leaves * units, -1)
    rows = ops.reshape(responses, of_rows)
    lower = ops.stack(_shares(splits[n_upper:], one), axis=2)
    below = ops.reshape(ops.matmul(rows, lower), (members, trees * n_leaves, units, -1))
    upper = ops.stack(_shares(splits[:n_upper], one), axis=2)
    upper = ops.reshape(upper, (members, trees * n_leaves, 1, -1))

    def gradient(*args: Tensor, upstream: Tensor = None) -> Any:
        # as keras.ops.custom_gradient asks for, whose backends differ in what they pass
        of_sums = args[0] if upstream is None else upstream
        of_sums = ops.reshape(of_sums, (members, 1, units, -1))
        of_upper = ops.sum(below * of_sums, axis=2)
        of_upper = ops.reshape(of_upper, (members, trees, n_leaves, -1))
        of_below = ops.reshape(upper * of_sums, of_rows)
        if rows.shape[2] <= _FEW:
            of_lower = [
                sum(rows[:, :, i, leaf, None] * of_below[:, :, i] for i in range(rows.shape[2]))
                for leaf in range(n_below)
            ]
        else:
            found = ops.matmul(ops.transpose(rows, (0, 1, 3, 2)), of_below)
            of_lower = [found[:, :, leaf] for leaf in range(n_below)]
        of_first = [
            *_of_splits([of_upper[:, :, leaf] for leaf in range(n_leaves)], splits[:n_upper]),
            *_of_splits(of_lower, splits[n_upper:]),
        ]
        of_beyond = [g * f * (1.0 - f) for g, f in zip(of_first, splits, strict=True)]
        of_responses = ops.matmul(of_below, ops.transpose(lower, (0, 1, 3, 2)))
        return ops.stack(of_beyond), ops.reshape(of_responses, responses.shape)

    return ops.sum(upper * below, axis=1), gradient


def _shares(splits: Sequence[Any], one: Any) -> list[Any]:
    """Return what goes to each combination of the sides of splits, of the shares of the first."""
    shares = [one]
    for first in splits:
        shares = [share * side for share in shares for side in (first, 1.0 - first)]
    return shares


def _of_splits(of_shares: Sequence[Any], splits: Sequence[Any]) -> list[Any]:
    """Return the gradient for each split, of that for the combinations of their sides."""
    if not splits:
        return []
    first, *others = splits
    half = len(of_shares) // 2
    sides = list(zip(of_shares[:half], of_shares[half:], strict=True))
    shares = _shares(others, ops.ones_like(first))
    of_first = sum((a - b) * share for (a, b), share in zip(sides, shares, strict=True))
    mixed = [first * a + (1.0 - first) * b for a, b in sides]
    return [of_first, *_of_splits(mixed, others)]


def plain_trees(
    x: Tensor,
    members: int,
    units: int,
    n_trees: int,
    depth: int,
    *,
    kernel_regularizer: Any = None,
    dtype: Any,
    name: str,
) -> tuple[Any, dict[str, layers.Layer]]:
    """Return what :class:`SoftTrees` returns, by layers of Keras, and those of them to set.

    Parameters
    ----------
    x : symbolic tensor of shape (n, n_inputs)
    members, units, n_trees, depth, kernel_regularizer
        As those of :class:`SoftTrees`.
    dtype : str or keras.DTypePolicy
    name : str
        What the names of the layers begin with.

    Returns
    -------
    symbolic tensor of shape (n, members, units)
    dict of str to keras.layers.Layer
        Those whose weights are to be the ones of :meth:`SoftTrees.plain`, in the same form.
    """
    splits = layers.EinsumDense(
        "bi,kio->bko", (members, n_trees * depth), "sigmoid", bias_axes="ko", dtype=dtype,
        name=name + SPLITS,
    )  # fmt: skip
    of_trees = layers.Reshape((members, n_trees, depth), dtype=dtype, name=f"{name}_each")
    first = of_trees(splits(x))
    on_first = _on_first(depth)
    shares = []
    for split in range(depth):
        # the share of the first side of this split, or of the other
        kernel = np.zeros((depth, 2**depth))
        kernel[split] = 2.0 * on_first[:, split] - 1.0
        of_leaves = layers.EinsumDense(
            "bkts,sl->bktl", (members, n_trees, 2**depth), bias_axes="l", trainable=False,
            kernel_initializer=keras.initializers.Constant(kernel.tolist()),
            bias_initializer=keras.initializers.Constant((1.0 - on_first[:, split]).tolist()),
            dtype=dtype, name=f"{name}{SIDES}{split}",
        )  # fmt: skip
        shares.append(of_leaves(first))
    leaves = shares[0]
    if depth > 1:
        leaves = layers.Multiply(dtype=dtype, name=f"{name}_shares")(shares)
    shape = (members, n_trees * 2**depth)
    leaves = layers.Reshape(shape, dtype=dtype, name=f"{name}_leaves")(leaves)
    leaves = layers.Rescaling(FASTER, dtype=dtype, name=f"{name}_scaled")(leaves)
    responses = layers.EinsumDense(
        "bki,kio->bko", (members, units), bias_axes="ko", dtype=dtype, name=name + RESPONSES,
        kernel_initializer=_initial_responses(), kernel_regularizer=kernel_regularizer,
    )  # fmt: skip
    return responses(leaves), {SPLITS: splits, RESPONSES: responses}


def _initial_responses() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.1 / FASTER)


def _on_first(depth: int) -> np.ndarray:
    """Return for each leaf of a tree which splits it is on the first side of, as ones."""
    return np.array(list(product([1.0, 0.0], repeat=depth)))
