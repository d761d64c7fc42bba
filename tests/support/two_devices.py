"""A program that trains on two logical devices of one CPU, and prints what came of it as JSON."""

import json
import pickle

import numpy as np
import tensorflow as tf
from imblearn.over_sampling import RandomOverSampler
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import cross_val_score

import skimb


def two_devices():
    """Return a strategy for both."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def difference(params, X, y, **network):
    """Return how far the probabilities are from those of one device, and the devices."""
    given = {"model": "mlp", "epochs": 3, "random_state": 0, "dtype": "float32", **network}
    one = skimb.ImbalancedNNClassifier(cv=None, **given, trainer="keras").fit(X, y)
    two = skimb.ImbalancedNNClassifier(cv=None, **given, **params).fit(X, y)
    return float(np.abs(one.predict_proba(X) - two.predict_proba(X)).max())


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    X, y = make_classification(600, 8, weights=[0.9], random_state=0)
    images = np.random.default_rng(0).normal(size=(8, 16, 16)).astype("float32")
    function = {"distribution": two_devices}
    found = {
        "devices": two_devices().num_replicas_in_sync,
        "function": difference(function, X, y),
        "strategy": difference({"distribution": two_devices()}, X, y),
        "focal": difference(function, X, y, loss="focal"),
        "held out": difference(function, X, y, early_stopping=True, threshold="f1"),
        "mirrored": difference({"distribution": "mirrored"}, X, y),
    }
    clf = clone(skimb.ImbalancedNNClassifier(cv=None, epochs=2, random_state=0, **function)).fit(
        X, y
    )
    found["trainer"] = clf.trainer_
    loaded = pickle.loads(pickle.dumps(clf))
    found["pickled"] = bool(np.array_equal(loaded.predict_proba(X), clf.predict_proba(X)))
    found["goes on"] = clf.set_params(warm_start=True).fit(X, y).n_iter_
    one = clone(clf).set_params(distribution=None, trainer="keras")
    found["scores"] = [cross_val_score(c, X, y, cv=2).tolist() for c in (one, clone(clf))]
    segmenter = skimb.ImbalancedNNSegmenter(epochs=1, batch_size=4, random_state=0, **function)
    found["pixels"] = list(segmenter.fit(images, images > 1).predict(images).shape)
    detector = skimb.AutoencoderOutlierDetector(epochs=1, random_state=0, **function)
    found["outliers"] = detector.fit(X).trainer_
    resampling = dict(sampler=RandomOverSampler(), resample_every_epoch=True)
    clf = skimb.ImbalancedNNClassifier(cv=None, epochs=2, **resampling, **function)
    found["resampled"] = clf.fit(X, y).trainer_
    try:
        skimb.ImbalancedNNClassifier(cv=None, trainer="compiled", epochs=1, **function).fit(X, y)
    except ValueError as error:
        found["compiled"] = str(error)
    print(json.dumps(found))
