"""
Data that do not fit into memory
================================

A dask data frame is a lazy collection of many partitions. Here each partition is generated when it
is computed; ``dask.dataframe.read_parquet("folder")`` reads them from files. ``partial_fit``
trains on one partition at a time, and memory never holds more than one.
"""

import resource
import sys

import dask.dataframe as dd
import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from skimb import ImbalancedNNClassifier

# %%
# The data
# --------
# Two samples in a hundred are of the rare class. ``--small`` makes fewer partitions.

n_partitions, n_rows = (4, 5_000) if "--small" in sys.argv else (50, 100_000)
COLUMNS = [f"x{i}" for i in range(20)]


def make_partition(seed):
    rng = np.random.default_rng(seed)
    y = rng.random(n_rows) < 0.02
    X = rng.normal(size=(n_rows, len(COLUMNS))).astype("float32")
    X[:, :4] += y[:, None]
    return pd.DataFrame(X, columns=COLUMNS).assign(rare=y.astype("int8"))


frame = dd.from_map(make_partition, range(n_partitions), meta=make_partition(0).head(0))
test = make_partition(seed=n_partitions)

# %%
# Training
# --------
# The class weights use the class counts of all samples so far. The first call names all classes,
# in case the first partition lacks one. Batches larger than 200 mean fewer steps over so many
# samples, and allow a larger learning rate.

clf = ImbalancedNNClassifier(batch_size=1000, optimizer__learning_rate=0.01, random_state=0)
rows = 0
print(f"{'samples':<10} {'average precision':>18} {'peak memory':>12}")
for number in range(n_partitions):
    partition = frame.get_partition(number).compute(scheduler="synchronous")
    clf.partial_fit(partition[COLUMNS], partition["rare"], classes=[0, 1])
    rows += len(partition)
    if (number + 1) & number == 0 or number + 1 == n_partitions:  # after 1, 2, 4, 8 ...
        score = average_precision_score(test["rare"], clf.predict_proba(test[COLUMNS])[:, 1])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{rows:<10,} {score:>18.3f} {peak:>8,.0f} MiB")

# %%
# The memory is that of TensorFlow and one partition, however many partitions there are. For a
# second epoch, repeat the same loop. Partitions that are sorted by class have to be shuffled
# first.
