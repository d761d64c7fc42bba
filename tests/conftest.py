"""Data for the tests: made here, or the real tables where they are at hand."""

import gc
import os
import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_multilabel_classification

if "PYTEST_XDIST_WORKER" in os.environ:  # the other workers have the other cores
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

collect_ignore = ["support"]  # imported by tests, and programs that tests run


def pytest_addoption(parser):
    parser.addoption("--fuzz-seed", default=0, help="another number, other cases of `-m fuzz`")


def pytest_collection_finish():
    """Spare the collector what stays for good: TensorFlow and the rest are a million objects."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_start_every_time():
    """Give networks that a test builds itself the same weights in every run."""
    random.seed(0)  # what Keras draws the seeds of its initializers from


# beside the checkout, see the README of that folder; never part of the package
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def binary():
    """400 rows, 10 % positives, float64."""
    return make_classification(
        400, 8, n_informative=6, weights=[0.9], flip_y=0, class_sep=1.5, random_state=0
    )


@pytest.fixture(scope="session")
def multiclass():
    """300 rows of the classes 0, 1, 2 with 70, 20 and 10 %."""
    return make_classification(
        300, 8, n_informative=6, n_classes=3, weights=[0.7, 0.2], flip_y=0, class_sep=2,
        random_state=0,
    )  # fmt: skip


@pytest.fixture(scope="session")
def multilabel():
    """300 rows with four labels."""
    X, Y = make_multilabel_classification(300, 10, n_classes=4, random_state=0)
    return X, Y


@pytest.fixture(scope="session")
def mammography():
    """11,183 mammograms, 2.3 % with microcalcifications."""
    path = REAL_DATA / "mammography.csv"
    if not path.exists():
        pytest.skip("mammography.csv is not beside the checkout")
    table = np.char.strip(np.loadtxt(path, delimiter=",", dtype=str), "'").astype(float)
    return table[:, :-1], (table[:, -1] == 1).astype(int)


@pytest.fixture(scope="session")
def membrane():
    """Eight electron microscopy sections of 512 x 512 pixels, 24 % membrane."""
    path = REAL_DATA / "membrane.npz"
    if not path.exists():
        pytest.skip("membrane.npz is not beside the checkout")
    with np.load(path) as data:
        return data["images"], data["masks"]
