"""Searches on engines that spread them over processes and machines, and data in partitions."""

import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skimb import ImbalancedNNClassifier

GRID = {"weight_power": [0.0, 0.5, 1.0], "optimizer__learning_rate": [0.01, 0.001]}


def search(epochs=3):
    return GridSearchCV(ImbalancedNNClassifier(cv=None, epochs=epochs, random_state=0), GRID, cv=2)


@pytest.fixture(scope="module")
def alone(binary):
    """Return the scores of the search in this process."""
    return search().fit(*binary).cv_results_["mean_test_score"]


@pytest.fixture(scope="module")
def cluster():
    """Return a client of two worker processes, set up as the guide says."""
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")

    class CopiesToAll(distributed.Client):
        def scatter(self, data, **options):
            return super().scatter(data, **{**options, "broadcast": True})

    with (
        dask.config.set({"distributed.scheduler.active-memory-manager.start": False}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        CopiesToAll(cluster) as client,
    ):
        yield client


@pytest.mark.slow
def test_a_search_on_dask_gives_the_scores_of_one_process(binary, alone, cluster):
    with joblib.parallel_config(backend="dask"):
        found = search().fit(*binary)
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], alone)
    assert found.predict(binary[0]).shape == (400,)


@pytest.mark.slow
def test_a_search_on_dask_survives_the_death_of_a_worker(binary, cluster):
    X, y = binary
    long = search(epochs=50)
    expected = long.fit(X, y).cv_results_["mean_test_score"]
    workers = cluster.run(os.getpid)
    assert len(set(workers.values())) == 2
    killed = []

    def kill_when_it_works():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if any(cluster.processing().values()):
                time.sleep(0.2)
                os.kill(next(iter(workers.values())), signal.SIGKILL)
                killed.append(time.monotonic())
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_when_it_works)
    killer.start()
    with joblib.parallel_config(backend="dask"):
        found = long.fit(X, y)
    end = time.monotonic()
    killer.join()
    assert killed[0] < end
    np.testing.assert_array_equal(found.cv_results_["mean_test_score"], expected)


RAY = """
import joblib, numpy as np, ray
from ray.util.joblib import register_ray
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from skimb import ImbalancedNNClassifier

X, y = make_classification(200, weights=[0.9], random_state=0)
search = GridSearchCV(
    ImbalancedNNClassifier("mlp", epochs=2, random_state=0), {"weight_power": [0.0, 1.0]}, cv=2
)
alone = search.fit(X, y).cv_results_["mean_test_score"]
ray.init(num_cpus=2, include_dashboard=False)
register_ray()
with joblib.parallel_config(backend="ray", n_jobs=2):
    together = search.fit(X, y).cv_results_["mean_test_score"]
ray.shutdown()
print(np.array_equal(alone, together))
"""


@pytest.mark.slow
def test_a_search_on_ray_gives_the_scores_of_one_process():
    pytest.importorskip("ray")
    done = subprocess.run([sys.executable, "-c", RAY], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("True")
