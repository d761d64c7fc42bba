"""
Rows that do not fit into memory
================================

A dask data frame is a plan for many small ones. Here each of its partitions is made when it is
asked for; ``dask.dataframe.read_parquet("folder")`` makes one of files on a disk. ``partial_fit``
learns from a partition at a time, and memory never holds more than one.
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
# Two rows in a hundred are of the rare class. ``--small`` makes fewer partitions.

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
# The weights of the classes are those of all rows so far; the first partition names all classes,
# should it lack one. Larger batches than 200 make fewer steps of so many rows,
# which may then be longer.

clf = ImbalancedNNClassifier(batch_size=1000, optimizer__learning_rate=0.01, random_state=0)
rows = 0
print(f"{'rows':<10} {'average precision':>18} {'peak memory':>12}")
for number in range(n_partitions):
    partition = frame.get_partition(number).compute(scheduler="synchronous")
    clf.partial_fit(partition[COLUMNS], partition["rare"], classes=[0, 1])
    rows += len(partition)
    if (number + 1) & number == 0 or number + 1 == n_partitions:  # after 1, 2, 4, 8 ...
        score = average_precision_score(test["rare"], clf.predict_proba(test[COLUMNS])[:, 1])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{rows:<10,} {score:>18.3f} {peak:>8,.0f} MiB")

# %%
# The memory is that of TensorFlow and one partition, however many there are. A second epoch is the
# same loop again. Partitions that are sorted by class have to be shuffled first.
