"""`exchange.py save FILE` writes fitted estimators and what they say, `load FILE` compares."""

import sys

import joblib
import keras
import numpy as np
import sklearn
import tensorflow as tf
from sklearn.datasets import make_classification, make_multilabel_classification

from skimb import AutoencoderOutlierDetector, ImbalancedNNClassifier, ImbalancedNNSegmenter


def fitted():
    """Return estimators, rows to ask them about, and the method to ask by."""
    X, y = make_classification(300, 8, weights=[0.9], random_state=0)
    names = np.array(["common", "rare"])[y]
    images = np.random.default_rng(0).normal(size=(8, 16, 16)).astype("float32")
    many = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    quick = {"epochs": 3, "random_state": 0}
    focal = ImbalancedNNClassifier(
        cv=None, loss="focal", class_weight=None, threshold="f1", **quick
    )
    return [
        (ImbalancedNNClassifier(cv=None, **quick).fit(X, names), X, "predict_proba"),
        (focal.fit(X, y), X, "predict_proba"),
        (ImbalancedNNClassifier("mlp", model__dropout=0.2, **quick).fit(*many), many[0], "predict"),
        (ImbalancedNNClassifier("cnn", **quick).fit(images, y[:8] | (np.arange(8) % 2)), images,
         "predict_proba"),
        (ImbalancedNNSegmenter(epochs=1, random_state=0).fit(images, images > 1), images,
         "predict_proba"),
        (AutoencoderOutlierDetector(**quick).fit(X), X, "score_samples"),
    ]  # fmt: skip


if __name__ == "__main__":
    action, path = sys.argv[1:]
    here = f"keras {keras.__version__}, tensorflow {tf.__version__}, sklearn {sklearn.__version__}"
    if action == "save":
        said = [(e, X, method, getattr(e, method)(X)) for e, X, method in fitted()]
        joblib.dump((here, said), path)
    else:
        there, said = joblib.load(path)
        for estimator, X, method, expected in said:
            found = getattr(estimator, method)(X)
            # other versions of TensorFlow round differently
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
        print(f"saved with {there}, loaded with {here}")
