"""Metrics in Keras models: followed, saved, and refused where they do not fit."""

import copy
import pickle

import keras
import numpy as np
import pytest
from keras import ops
from metric_cases import ROWS, WEIGHT, X, linear_model
from sklearn.metrics import (
    balanced_accuracy_score,
    f1_score,
    precision_score,
    recall_score,
)

from skimb import losses
from skimb.metrics import (
    BalancedAccuracy,
    FBeta,
    MeanDice,
    MinorityScore,
    Precision,
    PrecisionAtK,
    Recall,
    minority_score,
)


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [False, True])
def test_evaluate_of_a_binary_model_is_scikit_learn_on_its_predictions(weighted):
    model, y = linear_model(1), ROWS["binary"][1]
    metrics = [Precision(), Recall(), FBeta(), BalancedAccuracy(), MinorityScore()]
    chosen = {"weighted_metrics" if weighted else "metrics": metrics}
    model.compile(loss=losses.CrossEntropy(), **chosen)
    weight = {"sample_weight": WEIGHT} if weighted else {}
    d = model.predict(X, verbose=0)[:, 0] > 0
    got = model.evaluate(X, y, batch_size=16, verbose=0, return_dict=True, **weight)
    got.pop("loss")
    expected = {
        "precision": precision_score(y, d, **weight),
        "recall": recall_score(y, d, **weight),
        "f_beta": f1_score(y, d, **weight),
        "balanced_accuracy": balanced_accuracy_score(y, d, **weight),
        "minority_score": minority_score(y, d, pos_label=1, **weight),
    }
    assert got == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_metrics_follow_the_fit_of_a_multiclass_model(jit_compile):
    model, y = linear_model(4), ROWS["multiclass"][1]
    model.compile(
        loss=losses.CrossEntropy(),
        metrics=[FBeta(), Recall(class_id=3, name="rare")],
        jit_compile=jit_compile,
    )
    history = model.fit(X, y, epochs=2, batch_size=32, validation_data=(X, y), verbose=0).history
    d = model.predict(X, verbose=0).argmax(axis=1)
    assert history["val_f_beta"][-1] == pytest.approx(f1_score(y, d, average="macro"), rel=1e-5)
    assert history["val_rare"][-1] == pytest.approx(recall_score(y == 3, d == 3), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "shape", "units"),
    [(Recall, (3,), 1), (PrecisionAtK, (3,), 12), (MeanDice, (2, 2, 3), 1)],
)
def test_early_stopping_knows_that_more_is_better(metric, shape, units):
    inputs = np.ones((8, *shape), "float32")
    y = np.ones((8, *shape[:-1], units))
    model = linear_model(units, shape)
    model.compile(loss=losses.CrossEntropy(), metrics=[metric(name="watched")])
    stopping = keras.callbacks.EarlyStopping(monitor="watched")
    model.fit(inputs, y, callbacks=[stopping], verbose=0)
    assert stopping.monitor_op is ops.greater


CONFIGURED = [
    Precision(class_id=1, threshold=0.2),
    Recall(average="micro", target="multilabel", threshold=np.array([0.1, 0.2, 0.3, 0.4])),
    FBeta(beta=2, from_logits=False, name="f2", dtype="float64"),
    BalancedAccuracy(target="multiclass"),
    MinorityScore(reward=7, penalty=2, minority_class=np.array([1, 3])),
    MinorityScore(minority_class=2),
    PrecisionAtK(k=np.int64(3)),
    MeanDice(threshold=0.3, target="pixels"),
]


@pytest.mark.parametrize("metric", CONFIGURED, ids=lambda metric: type(metric).__name__)
@pytest.mark.parametrize(
    "through",
    [
        lambda m: keras.metrics.deserialize(keras.metrics.serialize(m)),
        lambda m: pickle.loads(pickle.dumps(m)),
        copy.deepcopy,
    ],
    ids=["Keras", "pickle", "deepcopy"],
)
def test_metric_comes_back_with_its_parameters(metric, through):
    again = through(metric)
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()


@pytest.mark.slow
def test_saved_model_comes_back_with_the_same_metrics(tmp_path):
    model, y = linear_model(4), ROWS["multiclass"][1]
    model.compile(
        loss=losses.CrossEntropy(),
        metrics=[
            FBeta(beta=2.0, class_id=2),
            Precision(average="micro"),
            Recall(),
            BalancedAccuracy(),
            MinorityScore(reward=2.0, minority_class=[2, 3]),
        ],
    )
    before = model.evaluate(X, y, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(X, y, verbose=0, return_dict=True) == pytest.approx(before, rel=1e-6)


@pytest.mark.slow
def test_loss_and_metric_of_the_same_name_are_saved_as_what_they_are(tmp_path):
    model, y = linear_model(1), ROWS["binary"][1]
    model.compile(loss=losses.MinorityScore(reward=2.0), metrics=[MinorityScore(reward=2.0)])
    before = model.evaluate(X, y, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert type(loaded.loss) is losses.MinorityScore
    assert loaded.evaluate(X, y, verbose=0, return_dict=True) == pytest.approx(before, rel=1e-6)


@pytest.mark.parametrize(
    ("metric", "y_shape", "z_shape", "message"),
    [
        (Precision(), (5,), (4, 1), "Precision got y_true of shape"),
        (Recall(target="multilabel"), (4,), (4, 3), "Recall got y_true of shape"),
        (FBeta(), (4, 2), (4, 3), "FBeta got y_true of shape"),
        (Precision(class_id=3), (4,), (4, 3), "class_id=3 must be"),
        (Precision(class_id=2), (4,), (4, 1), "class_id=2 must be"),
        (MinorityScore(minority_class=3), (4,), (4, 3), "minority_class=3 must be"),
        (Precision(threshold=0.3), (4,), (4, 3), "threshold=0.3 is not used"),
        (Precision(threshold=[0.3, 0.4], target="multilabel"), (4, 3), (4, 3), "2 values for 3"),
        (Precision(target="binary"), (4, 3), (4, 3), "target='binary' does not match the 3"),
        (Recall(target="multiclass"), (4,), (4, 1), "target='multiclass' does not match the 1"),
        (MeanDice(), (4,), (4, 1), "looks like a binary target"),
        (MeanDice(target="pixels"), (4,), (4, 1), "no axes for the pixels"),
        (PrecisionAtK(k=4), (4, 3), (4, 3), "k=4 must be at most 3"),
        (PrecisionAtK(k=1), (4,), (4, 3), "PrecisionAtK got y_true of shape"),
        (PrecisionAtK(k=1), (4, 2), (4, 3), "PrecisionAtK got y_true of shape"),
    ],
)
def test_shapes_that_do_not_fit_raise(metric, y_shape, z_shape, message):
    with pytest.raises(ValueError, match=message):
        metric.update_state(np.zeros(y_shape), np.zeros(z_shape))


@pytest.mark.parametrize(
    ("metric", "y_shape", "z_shape", "shape"),
    [
        (Precision(), (4,), (4, 1), (4, 2)),
        (Precision(), (4,), (4, 3), (4, 3)),
        (Recall(), (2, 4, 4), (2, 4, 4, 1), (2, 3, 3)),
        (Recall(), (4,), (4, 1), (4, 1, 1)),
        (PrecisionAtK(k=1), (4, 3), (4, 3), (4, 3)),
    ],
)
def test_weights_that_do_not_fit_raise(metric, y_shape, z_shape, shape):
    with pytest.raises(ValueError, match="sample_weight has the shape"):
        metric.update_state(np.zeros(y_shape), np.zeros(z_shape), np.ones(shape))


def test_one_metric_for_two_outputs_raises():
    metric = Recall()
    metric.update_state(np.zeros(4), np.zeros((4, 1)))
    with pytest.raises(ValueError, match="1 columns so far, and y_pred has 3"):
        metric.update_state(np.zeros(4), np.zeros((4, 3)))


@pytest.mark.parametrize(
    ("metric", "params"),
    [
        *((Precision, {"threshold": value}) for value in (-0.1, 1.5, np.nan, [0.5, 2.0], "half")),
        *((Recall, {"class_id": value}) for value in (-1, 0.5, "rare", [1])),
        *((FBeta, {"beta": value}) for value in (-1.0, np.nan, np.inf, None)),
        (FBeta, {"average": "weighted"}),
        (FBeta, {"target": "candidates"}),
        (BalancedAccuracy, {"target": "multilabel"}),
        (MeanDice, {"target": "binary"}),
        *((MinorityScore, {"minority_class": value}) for value in (-1, 0.5, [0.5], [1, -1])),
        *((MinorityScore, {"reward": value}) for value in (-1, None)),
        (MinorityScore, {"penalty": -1}),
        *((PrecisionAtK, {"k": value}) for value in (0, -3, 2.0, None)),
    ],
    ids=str,
)
def test_invalid_parameters_raise_with_their_name(metric, params):
    (name,) = params
    with pytest.raises(ValueError, match=name):
        metric(**params)
