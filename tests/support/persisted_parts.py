"""A loss, a layer and a build function that a saved estimator refers to by name."""

import keras


@keras.saving.register_keras_serializable(package="persisted_parts")
class OwnLoss(keras.losses.Loss):
    """The squared difference of the probability, times `factor`."""

    def __init__(self, factor=1.0, name="own_loss", reduction="sum_over_batch_size", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * keras.ops.mean(
            keras.ops.square(y_true - keras.ops.sigmoid(y_pred)), axis=-1
        )

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class OwnLayer(keras.layers.Layer):
    """Doubles its input; registered nowhere."""

    def call(self, inputs):
        return 2 * inputs


def own_network(meta, units=5):
    """Return a network with :class:`OwnLayer` in it."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(units, activation="relu")(OwnLayer()(inputs))
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


class OwnOptimizer(keras.optimizers.SGD):
    """An optimizer that is registered nowhere."""


class OwnActivation(keras.layers.Layer):
    """A layer with an argument, registered nowhere."""

    def __init__(self, factor=1.5, **config):
        super().__init__(**config)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class OwnCallback(keras.callbacks.Callback):
    """A callback that holds a network of its own."""

    def __init__(self, factor=1):
        super().__init__()
        self.factor, self.file = factor, None
        self.other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def own_activation(meta, activation="relu", units=3):
    """Return a network with an activation of the user's."""
    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Dense(units, activation)(inputs)))


def own_mean_square(y_true, y_pred):
    """Return a loss of a function."""
    return keras.ops.mean(keras.ops.square(y_true - keras.ops.sigmoid(y_pred)), axis=-1)
