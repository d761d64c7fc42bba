"""Networks that end in logits: functions that return an uncompiled :class:`keras.Model`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skimb.randomness import draw_seed

_STANDARDIZE = "standardize"


def mlp(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer_sizes: Sequence[int] = (64, 32),
    activation: Any = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    normalize: bool = True,
    normalized_output: bool = False,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a multilayer perceptron.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one row. More than one axis is flattened.
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(64, 32)
        Units of each hidden layer; empty for a linear model.
    activation : str or callable, default="relu"
        Activation of the hidden layers.
    dropout : float in [0, 1), default=0.0
        Share of the units dropped after each hidden layer while training.
    l2 : float >= 0, default=0.0
        Penalty on the squared weights of every dense layer.
    normalize : bool, default=True
        Whether to standardise the features inside the network, with a mean and a variance that
        start at 0 and 1 and are set by the estimators.
    normalized_output : bool, default=False
        Whether the network ends in :class:`Cosines` instead of a dense layer. The last hidden layer
        has no activation then, since features of one sign all lie in one corner and their cosines
        tell little. The estimators set it for losses made for cosines, such as ``"ldam"``.
    dtype : str, default="float32"
        Keras dtype policy of the layers. The logits of a mixed policy are float32.
    input_dtype : str or None, default=None
        Dtype of the input, `dtype` if None. Standardisation is computed in it, so float64 input
        keeps features with a large offset exact in a float32 network.

    Returns
    -------
    keras.Model
        Uncompiled, from (n, *input_shape) to logits of shape (n, n_outputs).

    Examples
    --------
    >>> from skimb.networks import mlp
    >>> mlp((20,), 1, hidden_layer_sizes=(16,)).output_shape
    (None, 1)
    """
    sizes = _checked(hidden_layer_sizes, dropout, l2)
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or _variable_dtype(dtype))
    # an image without channels has one, which is standardised as a whole
    x = layers.Reshape((*input_shape, 1))(inputs) if len(input_shape) == 2 else inputs
    x = _standardized(x, normalize)
    if len(input_shape) > 1:
        x = layers.Flatten(dtype=inputs.dtype)(x)
    functions = _activations(sizes, activation, normalized_output)
    for units, function in zip(sizes, functions, strict=True):
        x = layers.Dense(units, function, kernel_regularizer=_penalty(l2), dtype=dtype)(x)
        if dropout:
            x = layers.Dropout(dropout, dtype=dtype)(x)
    return keras.Model(inputs, _logits(x, n_outputs, l2, normalized_output, dtype))


def cnn(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    hidden_layer_sizes: Sequence[int] = (32, 64),
    activation: Any = "relu",
    dropout: float = 0.0,
    l2: float = 0.0,
    normalize: bool = True,
    normalized_output: bool = False,
    dtype: str = "float32",
    input_dtype: str | None = None,
) -> keras.Model:
    """Return a convolutional network for images.

    Each hidden layer is a 3x3 convolution followed by a 2x2 maximum, as long as the image is at
    least four pixels wide and high. The last maps enter the logits by their mean and by their
    maximum: a small defect shows in the maximum, however large the image.

    Parameters
    ----------
    input_shape : sequence of int
        Shape of one image: (height, width) or (height, width, channels).
    n_outputs : int
        Number of logits.
    hidden_layer_sizes : sequence of int, default=(32, 64)
        Filters of each convolution.
    activation, dropout, l2, normalized_output, dtype, input_dtype
        As in :func:`mlp`.
    normalize : bool, default=True
        Whether to standardise each channel inside the network.

    Returns
    -------
    keras.Model
        Uncompiled, from (n, *input_shape) to logits of shape (n, n_outputs).

    Examples
    --------
    >>> from skimb.networks import cnn
    >>> cnn((28, 28), 10).output_shape
    (None, 10)
    """
    sizes = _checked(hidden_layer_sizes, dropout, l2)
    if len(input_shape) not in (2, 3) or not sizes:
        raise ValueError(
            "model='cnn' takes images of shape (height, width) or (height, width, channels) and at "
            f"least one hidden layer, got rows of shape {tuple(input_shape)} and "
            f"model__hidden_layer_sizes={tuple(sizes)}. For a table use model='mlp'."
        )
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype or _variable_dtype(dtype))
    x = inputs if len(input_shape) == 3 else layers.Reshape((*input_shape, 1))(inputs)
    x = _standardized(x, normalize)
    functions = _activations(sizes, activation, normalized_output)
    for filters, function in zip(sizes, functions, strict=True):
        x = layers.Conv2D(
            filters, 3, padding="same", activation=function, kernel_regularizer=_penalty(l2),
            dtype=dtype,
        )(x)  # fmt: skip
        if min(x.shape[1:3]) >= 4:
            x = layers.MaxPooling2D(dtype=dtype)(x)
        if dropout:
            x = layers.SpatialDropout2D(dropout, dtype=dtype)(x)
    mean = layers.GlobalAveragePooling2D(dtype=dtype)(x)
    maximum = layers.GlobalMaxPooling2D(dtype=dtype)(x)
    x = layers.Concatenate(dtype=dtype)([mean, maximum])
    return keras.Model(inputs, _logits(x, n_outputs, l2, normalized_output, dtype))


@keras.saving.register_keras_serializable(package="skimb")
class Cosines(layers.Layer):
    """A last layer whose outputs are the cosines between its input and a vector for each class.

    Parameters
    ----------
    units : int
        Number of classes.
    kernel_initializer : str or keras.initializers.Initializer, default="glorot_uniform"
    **kwargs
        As in :class:`keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.networks import Cosines
    >>> float(abs(Cosines(3)(np.ones((2, 4), "float32"))).numpy().max()) <= 1.0
    True
    """

    def __init__(
        self, units: int, *, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: Sequence[int]) -> None:
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer=self.kernel_initializer, name="kernel"
        )

    def call(self, inputs: Any) -> Any:
        return ops.matmul(_unit_length(inputs, axis=-1), _unit_length(self.kernel, axis=0))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        initializer = keras.initializers.serialize(self.kernel_initializer)
        return {**super().get_config(), "units": self.units, "kernel_initializer": initializer}


def _unit_length(x: Any, axis: int) -> Any:
    # not keras.ops.normalize, whose gradient is NaN for a row of zeros
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(square, keras.config.epsilon() ** 2))


def with_features(model: keras.Model) -> keras.Model:
    """Return a network of the same layers that puts the last features behind its outputs.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, with one output of shape (n, K).

    Returns
    -------
    keras.Model
        Its output of shape (n, K + F) has the outputs of `model` and then the F features that go
        into its last layer with weights. Metrics of Keras would take all columns for outputs, so
        leave them to `model`. It shares the layers of `model`, so that training it
        trains both.

    Raises
    ------
    TypeError
        If the layers of the network cannot be told apart.

    Examples
    --------
    >>> from skimb.networks import mlp, with_features
    >>> with_features(mlp((20,), 3, hidden_layer_sizes=(16,))).output_shape
    (None, 19)
    """
    if not getattr(model, "inputs", None):
        raise TypeError(
            f"The features before the last layer of {type(model).__name__} are not known. Give a "
            "Sequential or functional network."
        )
    outputs = model.outputs[0]
    layer, node = _origin(outputs)
    # back over activations and normalisations to the layer that makes logits of features
    while not layer.weights or isinstance(layer, layers.BatchNormalization):
        if len(node.input_tensors) != 1:
            raise TypeError(
                f"The outputs of {model.name!r} come together from several layers in "
                f"{layer.name!r}, so there is no last layer to take the features before."
            )
        layer, node = _origin(node.input_tensors[0])
    if isinstance(layer, keras.Model):
        raise TypeError(
            f"The network ends in {layer.name!r}, a network itself, so the features before its "
            "last layer are out of reach. Build it of layers."
        )
    # names that no layer of the network has, which may have been loaded with its own
    features = layers.Flatten(name="features_of_last_layer", dtype=outputs.dtype)(
        node.input_tensors[0]
    )
    joined = layers.Concatenate(name="outputs_and_features", dtype=outputs.dtype)(
        [outputs, features]
    )
    return keras.Model(model.inputs[0], joined)


def _origin(tensor: Any) -> tuple[Any, Any]:
    """Return the layer that a symbolic tensor came out of, and the node of the call."""
    layer, node_index, _ = tensor._keras_history
    return layer, layer._inbound_nodes[node_index]


def initial_values(model: keras.Model, rng: np.random.RandomState) -> list[np.ndarray]:
    """Draw the start values of a network of this module without building it again.

    Parameters
    ----------
    model : keras.Model
        Not changed.
    rng : RandomState

    Returns
    -------
    list of ndarray
        In the order of ``model.variables``.
    """
    initializers = {
        id(layer.kernel): layer.kernel_initializer
        for layer in model.layers
        if hasattr(layer, "kernel")
    }
    values = []
    for variable in model.variables:
        initializer = initializers.get(id(variable))
        if initializer is not None:
            config = {**initializer.get_config(), "seed": draw_seed(rng)}
            value = type(initializer).from_config(config)(variable.shape, dtype=variable.dtype)
        elif variable.name == "seed_generator_state":
            value = np.array([draw_seed(rng), 0])
        else:
            value = variable.value.numpy()
        values.append(np.asarray(value, dtype=variable.dtype))
    return values


def standardizes(model: keras.Model) -> bool:
    """Whether a network standardises its input with statistics that are to be set."""
    return any(layer.name == _STANDARDIZE for layer in model.layers)


def with_statistics(
    model: keras.Model, values: Sequence[np.ndarray], mean: np.ndarray, variance: np.ndarray
) -> list[np.ndarray]:
    """Return values of a network's variables with other statistics for standardising.

    Parameters
    ----------
    model : keras.Model
        The network that `values` belong to, by order. Not changed.
    values : sequence of ndarray
    mean, variance : ndarray of shape (n_features,) or (n_channels,)
    """
    layer = model.get_layer(_STANDARDIZE)
    statistics = {id(layer.moving_mean): mean, id(layer.moving_variance): variance}
    return [
        statistics[id(variable)].astype(variable.dtype) if id(variable) in statistics else value
        for variable, value in zip(model.variables, values, strict=True)
    ]


def _standardized(x: Any, normalize: bool) -> Any:
    if not normalize:
        return x
    # Batch normalisation that is frozen is standardisation with a stored mean and variance, and a
    # network of Keras's own layers loads anywhere. Keras's Normalization bakes its numbers into a
    # compiled program, so that every fold of a search would compile anew.
    return layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name=_STANDARDIZE, dtype=x.dtype
    )(x)


def _logits(x: Any, n_outputs: int, l2: float, normalized: bool, dtype: str) -> Any:
    dtype = "float32" if dtype.startswith("mixed_") else dtype
    if normalized:  # no penalty, since the length of the vectors is of no effect
        return Cosines(n_outputs, dtype=dtype, name="logits")(x)
    return layers.Dense(n_outputs, kernel_regularizer=_penalty(l2), dtype=dtype, name="logits")(x)


def _activations(sizes: Sequence[int], activation: Any, normalized_output: bool) -> list[Any]:
    functions = [activation] * len(sizes)
    if normalized_output and functions:
        functions[-1] = None
    return functions


def _penalty(l2: float) -> Any:
    return keras.regularizers.L2(l2) if l2 else None


def _variable_dtype(dtype: str) -> str:
    return keras.dtype_policies.get(dtype).variable_dtype


def _checked(hidden_layer_sizes: Sequence[int], dropout: float, l2: float) -> list[int]:
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes))
    if sizes.size and (sizes.ndim > 1 or sizes.dtype.kind not in "iu" or sizes.min() < 1):
        raise ValueError(
            f"model__hidden_layer_sizes={hidden_layer_sizes!r} has to be a sequence of integers of "
            "at least 1, such as (64, 32)."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"model__dropout={dropout!r} has to be in [0, 1).")
    if not (np.isfinite(l2) and l2 >= 0):
        raise ValueError(f"model__l2={l2!r} has to be a finite number of at least 0.")
    return [int(size) for size in sizes]
