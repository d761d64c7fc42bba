"""Small fits of many configurations for `behaviour.py`, which says what they come to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from scipy.sparse import csr_array
from sklearn.datasets import make_classification, make_multilabel_classification

from skimb import (
    AutoencoderClassifier,
    AutoencoderOutlierDetector,
    ImbalancedNNClassifier,
    ImbalancedNNSegmenter,
    losses,
)

TEST = 80  # rows at the end that are for predictions, at most a quarter


@dataclass(frozen=True)
class Data:
    """Rows to train on, and others to ask about."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any


def split(X: Any, y: Any) -> Data:
    """Return the first rows for the training, and the last for predictions."""
    n = len(y) - min(TEST, len(y) // 4)
    return Data(X[:n], y[:n], X[n:], y[n:])


def table(n: int = 320, **params: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of overlapping classes, by default of two, of which 12 % are 1."""
    given = {"weights": [0.88], "n_informative": 4, "class_sep": 1.2, "random_state": 0, **params}
    return make_classification(n, 6, **given)


@cache
def binary() -> Data:
    return split(*table())


@cache
def named() -> Data:
    X, y = table()
    return split(X, np.array(["usual", "fraud"])[y])


@cache
def float32() -> Data:
    X, y = table()
    return split(X.astype("float32"), y)


@cache
def three() -> Data:
    return split(*table(n_classes=3, weights=[0.7, 0.2]))


@cache
def labels() -> Data:
    return split(*make_multilabel_classification(320, 8, n_classes=4, n_labels=1, random_state=0))


@cache
def candidates() -> Data:
    X, y = table(n_classes=4, weights=[0.5, 0.3, 0.1])
    acceptable = np.eye(4, dtype=int)[y]
    acceptable[np.arange(len(y)), np.random.default_rng(0).integers(0, 4, len(y))] = 1
    return split(X, acceptable)


@cache
def sparse() -> Data:
    X, y = table()
    data = split(np.where(np.abs(X) > 1, X, 0), y)
    return Data(csr_array(data.X), data.y, csr_array(data.X_test), data.y_test)


@cache
def frame() -> Data:
    X, y = table()
    rng = np.random.default_rng(0)
    country = rng.choice(["DE", "FR", "PL"], len(y)).astype(object)
    country[rng.random(len(y)) < 0.1] = None
    return split(
        pd.DataFrame(
            {
                "amount": np.exp(X[:, 0]),
                "age": np.where(rng.random(len(y)) < 0.1, np.nan, X[:, 1]),
                "country": country,
                "size": pd.Categorical.from_codes(np.digitize(X[:, 2], [-1, 1]), ["S", "M", "L"]),
                "known": X[:, 3] > 0,
            }
        ),
        pd.Series(np.array(["fine", "fraud"])[y]),
    )


@cache
def images() -> Data:
    y = (np.arange(80) % 5 == 0).astype(int)
    X = np.random.default_rng(0).normal(0, 0.5, (80, 8, 8)).astype("float32")
    X[:, 2:5, 2:5] += y[:, None, None]
    return split(X, y)


@cache
def masks(n_classes: int = 2) -> Data:
    rng = np.random.default_rng(0)
    y = np.zeros((32, 12, 12), int)
    for i, (row, column) in enumerate(rng.integers(0, 8, (32, 2))):
        y[i, row : row + 4, column : column + 4] = 1 + i % (n_classes - 1)
    return split((y + rng.normal(0, 0.3, y.shape)).astype("float32"), y)


@cache
def anomalies() -> Data:
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(290, 2)) @ rng.normal(size=(2, 5)), rng.normal(size=(30, 5))])
    order = rng.permutation(320)
    return split(X[order], np.repeat(["usual", "fraud"], [290, 30])[order])


def fractions(data: Data) -> np.ndarray:
    """Return a weight for each training row, or for each pixel, a quarter of them 0."""
    shape = np.shape(data.y) if np.ndim(data.y) == 3 else len(data.y)
    return np.random.default_rng(1).choice([0, 0.3, 1.0, 2.5], shape)


def logits(units: int = 8) -> keras.Model:
    """Return a network that is not told what the data are like."""
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((6,)), dense(units, activation="relu"), dense(1)])


def sigmoid(meta: dict[str, Any]) -> keras.Model:
    """Return a network that ends in a sigmoid for each output."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(8, activation="tanh")(inputs)
    return keras.Model(inputs, keras.layers.Dense(meta["n_outputs_"], "sigmoid")(hidden))


def softmax(meta: dict[str, Any], units: int = 8) -> keras.Model:
    """Return a network that ends in a softmax, with dropout and batch normalization."""
    inputs = keras.Input(meta["X_shape_"][1:])
    hidden = keras.layers.Dense(units, activation="relu")(inputs)
    hidden = keras.layers.Dropout(0.2)(keras.layers.BatchNormalization()(hidden))
    return keras.Model(inputs, keras.layers.Dense(meta["n_classes_"], "softmax")(hidden))


@keras.saving.register_keras_serializable(package="behaviour")
class Subclassed(keras.Model):
    """A network with a method for its calls."""

    def __init__(self, units: int = 8, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.hidden = keras.layers.Dense(units, activation="relu")
        self.last = keras.layers.Dense(1)

    def call(self, inputs: Any) -> Any:
        return self.last(self.hidden(inputs))

    def get_config(self) -> dict[str, Any]:
        return {"units": self.units}


def subclassed() -> keras.Model:
    """Return a subclassed network whose weights are there already."""
    model = Subclassed()
    model(np.zeros((1, 6), "float32"))
    return model


def pixels(meta: dict[str, Any]) -> keras.Model:
    """Return a network from images to a softmax a pixel."""
    inputs = keras.Input(meta["X_shape_"][1:])
    hidden = keras.layers.Reshape((*meta["X_shape_"][1:], 1))(inputs)
    hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(meta["n_classes_"], "softmax")(hidden))


def squared(y_true: Any, y_pred: Any) -> Any:
    """Return the squared differences of the probabilities."""
    difference = keras.ops.cast(y_true, y_pred.dtype) - keras.ops.sigmoid(y_pred)
    return keras.ops.mean(keras.ops.square(difference), axis=-1)


@dataclass(frozen=True)
class Fitted:
    """An estimator after its fit, and what to ask it about."""

    estimator: Any
    data: Data


def fitted(estimator: Any, data: Data, times: int = 1, **given: Any) -> Fitted:
    for _ in range(times):
        estimator.fit(data.X, data.y, **given)
    return Fitted(estimator, data)


def weighted(estimator: Any, data: Data, times: int = 1, **given: Any) -> Fitted:
    return fitted(estimator, data, times, sample_weight=fractions(data), **given)


def in_chunks(estimator: Any, data: Data, **given: Any) -> Fitted:
    """Fit on three chunks of other sizes, with `classes` for the first alone."""
    ends = np.array([0, 0.5, 0.8, 1]) * len(data.y)
    for start, end in pairwise(ends.astype(int)):
        estimator.partial_fit(data.X[start:end], data.y[start:end], **given)
        given.pop("classes", None)
    return Fitted(estimator, data)


def initialized(estimator: Any, data: Data) -> Fitted:
    return Fitted(estimator.initialize(data.X, data.y), data)


def auto(**params: Any) -> ImbalancedNNClassifier:
    """Return the default network, for a short training."""
    return ImbalancedNNClassifier(cv=None, **{"epochs": 5, "random_state": 0, **params})


def small(model: Any = "mlp", **params: Any) -> ImbalancedNNClassifier:
    """Return a network that shows differences: it is not trained to its end."""
    if model == "mlp":
        params = {"model__hidden_layer_sizes": (8,), **params}
    given = {"epochs": 3, "batch_size": 50, "optimizer__learning_rate": 0.01, "random_state": 0}
    return ImbalancedNNClassifier(model, **given | params)


def unweighted(loss: Any, **params: Any) -> ImbalancedNNClassifier:
    return small(loss=loss, class_weight=None, **params)


def segmenter(model: Any = "unet", **params: Any) -> ImbalancedNNSegmenter:
    if model == "unet":
        params = {"model__depth": 1, "model__width": 4, **params}
    given = {"epochs": 3, "optimizer__learning_rate": 0.01, "random_state": 0}
    return ImbalancedNNSegmenter(model, **given | params)


def detector(**params: Any) -> AutoencoderOutlierDetector:
    return AutoencoderOutlierDetector(**{"epochs": 5, "random_state": 0, **params})


def anomaly(**params: Any) -> AutoencoderClassifier:
    return AutoencoderClassifier(**{"epochs": 5, "random_state": 0, **params})


def held_out(estimator: Any, data: Data, **given: Any) -> Fitted:
    """Fit with the rows of the predictions to validate on."""
    return fitted(estimator, data, X_val=data.X_test, y_val=data.y_test, **given)


def stopping() -> keras.callbacks.Callback:
    return keras.callbacks.EarlyStopping("loss", patience=1, min_delta=0.05)


CONFIGURATIONS: dict[str, Callable[[], Fitted]] = {
    # kinds of data, with the default network
    "default": lambda: fitted(ImbalancedNNClassifier(cv=None, random_state=0), binary()),
    "default, f1": lambda: fitted(auto(threshold="f1", metrics=["f1"]), named()),
    "default, labels": lambda: fitted(auto(threshold="f1"), labels()),
    "default, early stopping": lambda: fitted(auto(early_stopping=True, patience=1), binary()),
    "default, adamw": lambda: fitted(auto(optimizer="adamw", model__n_members=2), binary()),
    "default, chunks": lambda: in_chunks(auto(), named(), classes=["fraud", "usual"]),
    "candidates": lambda: fitted(
        auto(target="candidates", loss="partial_label", threshold="f1"), candidates()
    ),
    "cnn": lambda: fitted(auto(augmentation=keras.layers.RandomFlip(seed=0)), images()),
    "cnn, minority augmented": lambda: fitted(
        small("cnn", model__dropout=0.2, augmentation=keras.layers.GaussianNoise(0.1, seed=0),
              augment_classes="minority"), images()),
    "sparse": lambda: fitted(small(), sparse()),
    "frame": lambda: fitted(auto(threshold="f1"), frame()),
    "frame, chunks": lambda: in_chunks(small(), frame(), classes=["fine", "fraud"]),
    # losses
    "focal": lambda: fitted(small(loss=losses.Focal(gamma=1.5)), binary()),
    "asymmetric": lambda: fitted(unweighted("asymmetric"), labels()),
    "logit_adjusted": lambda: fitted(unweighted("logit_adjusted"), binary()),
    "logit_adjusted, three classes, corrected": lambda: fitted(
        unweighted("logit_adjusted", prior_correction=True), three()),
    "vector_scaling": lambda: fitted(unweighted("vector_scaling"), three()),
    "ldam": lambda: fitted(small(loss="ldam", model__normalized_output=True), three()),
    "soft_f_beta": lambda: fitted(unweighted("soft_f_beta", loss__beta=2), binary()),
    "pairwise_auc": lambda: fitted(auto(loss="pairwise_auc", class_weight=None), binary()),
    "class_rectification, class": lambda: fitted(small(loss="class_rectification"), three()),
    "class_rectification, instance": lambda: fitted(
        small(loss="class_rectification", loss__level="instance"), labels()),
    "distribution_balanced": lambda: fitted(unweighted("distribution_balanced"), labels()),
    "loss of Keras": lambda: fitted(small(loss="binary_focal_crossentropy"), binary()),
    "loss function": lambda: fitted(small(loss=squared), labels()),
    # weights
    "no weights": lambda: fitted(small(class_weight=None), named()),
    "balanced": lambda: fitted(small(class_weight="balanced", weight_power=0.5), binary()),
    "sqrt_balanced": lambda: fitted(small(class_weight="sqrt_balanced"), three()),
    "effective": lambda: fitted(small(class_weight="effective"), labels()),
    "dict of weights": lambda: fitted(small(class_weight={"fraud": 3.0}), named()),
    "weights of labels": lambda: fitted(small(class_weight=[[1, 2], [1, 3], [2, 1], [1, 1]]),
                                        labels()),
    "pos_weight balanced": lambda: fitted(small(class_weight=None, pos_weight="balanced"),
                                          labels()),
    "pos_weight and costs": lambda: fitted(
        small(class_weight={0: 1, 1: 2.0}, pos_weight="balanced"), binary()),
    "pos_weight numbers": lambda: fitted(
        small(class_weight=None, pos_weight=[1, 2, 3, 4], weight_power=0.5), labels()),
    "deferred weights": lambda: fitted(
        small(class_weight="balanced", class_weight_start=0.5, epochs=4), three()),
    "class_prior": lambda: fitted(
        small(class_weight="balanced", class_prior=[0.97, 0.03], prior_correction=True), binary()),
    "prior_correction": lambda: fitted(
        small(prior_correction=True, threshold="f1", batching="balanced"), three()),
    "sample_weight": lambda: weighted(small(threshold="f1"), binary()),
    "sample_weight, default": lambda: weighted(auto(), three()),
    "sample_weight, labels": lambda: weighted(
        small(pos_weight="balanced", class_weight=None), labels()),
    # rows
    "SMOTE": lambda: weighted(small(sampler=SMOTE(random_state=0)), named()),
    "SMOTE, held out": lambda: fitted(
        small(sampler=SMOTE(), threshold="f1", early_stopping=True), binary()),
    "RandomUnderSampler, every epoch": lambda: fitted(
        small(sampler=RandomUnderSampler(), resample_every_epoch=True), three()),
    "stratified": lambda: fitted(small(batching="stratified"), labels()),
    "balanced batches": lambda: fitted(small(batching="balanced", class_weight="balanced"),
                                       binary()),
    # decisions, what is held out, and scores
    "f1, three classes": lambda: fitted(small(threshold="f1"), three()),
    "threshold number": lambda: fitted(small(threshold=0.3, scoring="average_precision"), named()),
    "threshold array": lambda: fitted(small(threshold=[0.2, 0.3, 0.4, 0.5]), labels()),
    "early stopping, loss": lambda: fitted(
        small(early_stopping=True, monitor="loss", epochs=30, patience=2,
              optimizer__learning_rate=0.1), binary()),
    "early stopping, X_val": lambda: held_out(
        small(epochs=12, patience=3, threshold="f1", metrics=["f1", "average_precision"],
              optimizer__learning_rate=0.1), three()),
    "X_val, weights": lambda: held_out(
        small(early_stopping=False), binary(), sample_weight=fractions(binary()),
        sample_weight_val=np.linspace(0, 2, len(binary().y_test))),
    "metrics": lambda: fitted(
        small(metrics=["recall", "balanced_accuracy"], scoring="roc_auc"), binary()),
    "metrics, labels": lambda: fitted(
        small(metrics=["precision_at_2"], validation_fraction=0.2, early_stopping=True,
              scoring="precision_at_2"), labels()),
    # more than one fit, and none
    "warm start": lambda: fitted(small(warm_start=True), binary(), times=2),
    "warm start, default": lambda: fitted(auto(warm_start=True), three(), times=2),
    "chunks": lambda: in_chunks(small(class_weight="balanced"), named(),
                                classes=["fraud", "usual"]),
    "chunks, labels": lambda: in_chunks(small(threshold=0.4), labels()),
    "initialize": lambda: initialized(small(), three()),
    "initialize, own model": lambda: initialized(small(logits()), binary()),
    # networks of a user
    "build function": lambda: fitted(small(logits, model__units=5), binary()),
    "build function, sigmoid": lambda: fitted(small(sigmoid), labels()),
    "build function, softmax": lambda: fitted(small(softmax, threshold="f1"), three()),
    "build function, two-class softmax": lambda: fitted(small(softmax, model__units=4), named()),
    "model instance": lambda: fitted(small(logits(7)), binary()),
    "subclassed, function": lambda: fitted(small(lambda: Subclassed(units=6)), binary()),
    "subclassed, instance": lambda: fitted(small(subclassed()), binary()),
    # training
    "keras trainer": lambda: fitted(small(trainer="keras", metrics=["f1"]), named()),
    "keras trainer, held out": lambda: held_out(
        small(trainer="keras", class_weight_start=0.5, model__dropout=0.1), three()),
    "compiled trainer": lambda: fitted(small(trainer="compiled", model__dropout=0.2), binary()),
    "many steps": lambda: fitted(small(epochs=60, batch_size=10), binary()),  # with XLA
    "sgd": lambda: fitted(
        small(optimizer="sgd", optimizer__momentum=0.9, optimizer__learning_rate=0.05), binary()),
    "optimizer instance": lambda: fitted(
        auto(model="mlp", optimizer=keras.optimizers.RMSprop(0.01)), binary()),
    "callbacks": lambda: fitted(small(callbacks=stopping(), epochs=30), binary()),
    "callbacks, class": lambda: fitted(
        small(callbacks=keras.callbacks.EarlyStopping, callbacks__monitor="val_loss",
              callbacks__patience=2, early_stopping=True, epochs=10), binary()),
    "dtype float32": lambda: fitted(small(dtype="float32", model__l2=1e-3), float32()),
    # masks
    "masks": lambda: fitted(segmenter(threshold="dice", metrics=["dice"]), masks()),
    "masks, three classes": lambda: fitted(
        segmenter(loss="cross_entropy", class_weight="median_frequency", threshold="f1"), masks(3)),
    "masks, augmentation": lambda: fitted(
        segmenter(augmentation=keras.layers.Pipeline(
            [keras.layers.RandomFlip(seed=0), keras.layers.RandomRotation(0.1, seed=0)]
        ), batching="stratified"), masks(3)),
    "masks, weights of pixels": lambda: weighted(
        segmenter(pixels, loss="focal", class_weight="balanced", prior_correction=True), masks()),
    "masks, early stopping": lambda: held_out(segmenter(pixels, patience=1, epochs=6), masks()),
    "masks, keras trainer": lambda: fitted(
        segmenter(pixels, loss="generalized_dice", trainer="keras"), masks(3)),
    "masks, chunks": lambda: in_chunks(segmenter(class_weight="balanced"), masks(3),
                                       classes=[0, 1, 2]),
    "masks, warm start": lambda: fitted(
        segmenter(pixels, warm_start=True, loss="tversky"), masks(3), times=2),
    # anomalies
    "outliers": lambda: fitted(detector(), anomalies()),
    "outliers, contamination": lambda: weighted(
        detector(contamination=0.1), anomalies()),
    "outliers, keras trainer": lambda: fitted(
        detector(trainer="keras", loss="mean_absolute_error", model__noise=0.1), anomalies()),
    "anomalies": lambda: fitted(anomaly(), anomalies()),
    "anomalies, recall": lambda: weighted(
        anomaly(threshold="recall", scoring="average_precision", normalize=False), anomalies()),
    "anomalies, number": lambda: fitted(anomaly(threshold=0.8), anomalies()),
    # what is refused
    "refused: two kinds of weights": lambda: fitted(
        small(class_weight="balanced", pos_weight=2.0), binary()),
    "refused: gaps": lambda: fitted(small(), frame()),
    "refused: loss of other targets": lambda: fitted(small(loss="ldam"), binary()),
    "refused: correction": lambda: fitted(small(loss="hinge", prior_correction=True), binary()),
    "refused: chunks without classes": lambda: in_chunks(small(), binary()),
    "refused: one class": lambda: fitted(small(), Data(binary().X, binary().y * 0, None, None)),
    "refused: unknown parameter": lambda: fitted(small(model__width=3), binary()),
    "refused: threshold of two": lambda: fitted(small(threshold=[0.2, 0.3]), three()),
    "refused: masks with partial_label": lambda: fitted(segmenter(loss="partial_label"), masks()),
}  # fmt: skip
