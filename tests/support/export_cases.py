"""Estimators to export, each with features, and the same features as the exported model takes them.

As a program, with the folder that a test wrote: what the exported models answer without skimb.
"""

import pickle
import sys
from pathlib import Path

import numpy as np


def _text(column):
    return np.array(["" if value is None or value != value else value for value in column], object)


def _tables():
    from sklearn.datasets import make_classification, make_multilabel_classification

    X, y = make_classification(240, 6, weights=[0.85], flip_y=0, class_sep=1.5, random_state=0)
    X3, y3 = make_classification(
        300, 8, n_informative=6, n_classes=3, weights=[0.6, 0.3], flip_y=0, random_state=0
    )
    XL, L = make_multilabel_classification(240, 6, n_classes=3, random_state=0)
    return X, y, X3, y3, XL, L


def _frame(X, seed=0):
    import pandas as pd

    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "monthly income (€)": X[:, 0],
            "class": rng.choice(["first", "second", "[UNK]"], len(X)),
            "where": X[:, 1].astype("float32"),
            "size": pd.Categorical(rng.choice([1.0, 2.0, 40.0], len(X))),
            "city": pd.Series(rng.choice(["Rome", "Oslo"], len(X)), dtype="category"),
        }
    )
    frame.loc[rng.random(len(X)) < 0.2, "monthly income (€)"] = np.nan
    frame.loc[rng.random(len(X)) < 0.2, "class"] = None
    frame.loc[rng.random(len(X)) < 0.2, "size"] = np.nan
    return frame


def _inputs_of_frame(frame):
    return {
        "monthly_income": frame["monthly income (€)"].to_numpy(),
        "class_": _text(frame["class"]),
        "where": frame["where"].to_numpy(),
        "size": np.asarray(frame["size"], float),
        "city": _text(frame["city"]),
    }


def _images(labels):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(48, 10, 9)).astype("float32")
    y = np.arange(48) % 4 == 0
    images[y, 2:5, 3:6] += 3
    return images, np.asarray(labels)[y.astype(int)]


def _masks(classes):
    rng = np.random.default_rng(0)
    masks = np.zeros((10, 18, 13), int)
    masks[:, 3:7, 4:8] = 1
    masks[::2, 10:14, 2:6] = len(classes) - 1
    return masks + rng.normal(0, 0.3, masks.shape), np.asarray(classes)[masks]


def cases():
    """Return for each name a function that returns an estimator, features and inputs."""
    import keras
    import pandas as pd
    import scipy.sparse as sp

    from skimb import (
        AutoencoderClassifier,
        AutoencoderOutlierDetector,
        ImbalancedNNClassifier,
        ImbalancedNNSegmenter,
    )

    X, y, X3, y3, XL, L = _tables()
    names, three = np.array(["usual", "fraud"]), np.array(["a", "c", "b"])

    def fitted(X, y, inputs=None, more=None, **params):
        params = {"epochs": 3, "random_state": 0, **params}
        if params.get("model") is not None or X.ndim > 2:
            params.setdefault("cv", None)
        clf = ImbalancedNNClassifier(**params).fit(X, y)
        X = X if more is None else more
        return clf, X, X if inputs is None else inputs

    def one(X, y, **params):
        """One network, for what does not depend on how many there are."""
        return fitted(X, y, model="mlp", **params)

    def segmented(images, masks, **params):
        network = {"model__depth": 2, "model__width": 4}
        seg = ImbalancedNNSegmenter(epochs=2, random_state=0, **network, **params)
        return seg.fit(images, masks), images, images

    def of_frame(**params):
        frame = _frame(X)
        others = pd.concat([_frame(X, seed=1)] * 2, ignore_index=True)
        others.loc[3, "class"] = "never seen"
        return fitted(frame, names[y], _inputs_of_frame(others), others, **params)

    def many_texts():
        rng = np.random.default_rng(0)
        texts = np.array([f"t{i}" for i in range(300)])
        frame = pd.DataFrame(
            {"code": np.r_[texts, rng.choice(texts[:40], 180)], "x": X[[0] * 480, 0]}
        )
        labels = (rng.random(480) < 0.2).astype(int)
        return fitted(frame, labels, {"code": _text(frame["code"]), "x": frame["x"].to_numpy()})

    def with_gaps(X):
        return np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)

    def own_network(ends, units):
        inputs = keras.Input((6,), name="table")
        x = keras.layers.Dense(8, "relu")(keras.layers.BatchNormalization()(inputs))
        return keras.Model(inputs, keras.layers.Dense(units, ends)(x), name="take")

    def sequential():
        layers = [
            keras.Input((6,)),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dense(1, "sigmoid"),
        ]
        return keras.Sequential(layers)

    def anomalies(kind, **params):
        estimator = kind(epochs=2, random_state=0, **params)
        return (
            (estimator.fit(X) if "Outlier" in kind.__name__ else estimator.fit(X, names[y])),
            X,
            X,
        )

    costs = [[0, 1, 2], [3, 0, 1], [8, 4, 0]]
    return {
        "binary": lambda: fitted(X, y),
        "text and gaps": lambda: of_frame(costs={"fp": 1, "fn": 6}),
        "masks": lambda: segmented(*_masks([False, True])),
        "text, user's network": lambda: of_frame(model="mlp", prior_correction=True),
        "many texts": many_texts,
        "gaps": lambda: fitted(with_gaps(X), names[y], threshold="f1", prior_correction=True),
        "gaps, float32": lambda: fitted(with_gaps(X).astype("float32"), y, threshold="f1"),
        "sparse": lambda: fitted(sp.csr_matrix(np.round(X)), y, np.round(X)),
        "string labels": lambda: fitted(X, names[y], class_weight="balanced", threshold=0.3),
        "multiclass": lambda: fitted(X3, y3 - 1),
        "costs": lambda: one(X3, three[y3], costs=costs, class_weight="balanced"),
        "threshold of each class": lambda: one(X3, three[y3], threshold=[0.6, 0.3, 0.1]),
        "threshold by f1": lambda: one(X3, y3 * 2.0, threshold="f1"),
        "indicators": lambda: fitted(XL, L, threshold=[0.2, 0.5, 0.7]),
        "indicators, corrected": lambda: fitted(
            XL, L, pos_weight="balanced", prior_correction=True, threshold="f1"
        ),
        "first class positive": lambda: one(X, names[1 - y], threshold=0.2),
        "rule": lambda: one(X, y, threshold={"recall": 0.8}),
        "prior": lambda: one(X, y, class_prior=[0.99, 0.01], prior_correction=True),
        "logit adjustment": lambda: one(X3, y3, loss="logit_adjusted", prior_correction=True),
        "vector scaling": lambda: one(X3, y3, loss="vector_scaling", prior_correction=True),
        "focal": lambda: one(X, y, loss="focal", prior_correction=True, class_weight="balanced"),
        "focal, multiclass": lambda: one(X3, y3, loss="focal", prior_correction=True),
        "focal, indicators": lambda: one(XL, L, loss="focal", prior_correction=True),
        "cosines": lambda: fitted(X3, y3, loss="ldam"),
        "cosines, one network": lambda: fitted(X3, y3, loss="ldam", model="mlp"),
        "members of one's own": lambda: fitted(
            X, y, cv=None, model__n_members=6, model__n_piecewise=2, model__n_tree_members=2,
            model__input_factors=True, model__input_dropout=0.2,
        ),
        "one image a batch": lambda: segmented(*_masks([False, True]), batch_size=1),
        "without folds": lambda: fitted(X, y, cv=None, dtype="float32"),
        "mixed precision": lambda: fitted(X, y, model="mlp", dtype="mixed_bfloat16"),
        "softmax": lambda: fitted(X, y, model=own_network("softmax", 2)),
        "sigmoid": lambda: fitted(X, y, model=sequential()),
        "logits, folds": lambda: fitted(X, y, model=own_network(None, 1), cv=3),
        "candidates": lambda: fitted(
            X3, np.eye(3, dtype=int)[y3], target="candidates", loss="partial_label"
        ),
        "images": lambda: fitted(*_images([False, True])),
        "images, text labels": lambda: fitted(*_images(["good", "scratch"]), threshold="f1"),
        "masks of three classes": lambda: segmented(*_masks([0, 7, 9]), threshold=[0.5, 0.3, 0.2]),
        "masks, corrected": lambda: segmented(
            *_masks(["n", "y"]), loss="focal", class_weight="balanced", prior_correction=True
        ),
        "outliers": lambda: anomalies(AutoencoderOutlierDetector),
        "anomalies": lambda: anomalies(AutoencoderClassifier),
        "anomalies of images": lambda: (
            AutoencoderOutlierDetector(epochs=2, random_state=0).fit(_images([0, 1])[0]),
            *[_images([0, 1])[0]] * 2,
        ),
    }  # fmt: skip


def answers(folder):
    """Load the exported models of a folder, each in two formats, and write their answers."""
    sys.modules["skimb"] = None  # whatever needs it fails
    import keras
    import tensorflow as tf

    found = {}
    for path in sorted(folder.glob("*.inputs")):
        model = keras.models.load_model(path.with_suffix(".keras"))
        inputs = pickle.loads(path.read_bytes())
        if isinstance(inputs, dict):
            inputs = {
                name: tf.constant(column[:, np.newaxis], model.input[name].dtype)
                for name, column in inputs.items()
            }
        else:
            inputs = tf.constant(inputs, model.input.dtype)
        saved = tf.saved_model.load(path.with_suffix(""))
        for kind, answer in (("keras", model(inputs)), ("SavedModel", saved.serve(inputs))):
            found[path.stem, kind] = {name: x.numpy() for name, x in answer.items()}
    (folder / "answers").write_bytes(pickle.dumps(found))


if __name__ == "__main__":
    answers(Path(sys.argv[1]))
