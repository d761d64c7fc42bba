"""What a fit is planned to do, before a network is built."""

import numpy as np
import pytest

from skimb import ImbalancedNNClassifier
from skimb.data.targets import BinaryTarget
from skimb.fitting.plan import batches_of


@pytest.mark.parametrize(
    ("params", "extent", "expected"),
    [
        ({}, "fit", (144, 432)),
        ({"cv": None}, "fit", (144, 432)),
        ({"batch_size": 200}, "fit", (200, 451)),
        ({"batching": "stratified"}, "fit", (200, 451)),
        ({"model": "mlp"}, "fit", (200, 451)),
        ({"optimizer": "sgd"}, "fit", (200, 451)),
        ({}, "chunk", (200, 451)),
    ],
)
def test_only_the_defaults_for_tables_leave_out_what_is_left_over(params, extent, expected):
    fit = ImbalancedNNClassifier(**params)._fit_parameters(extent)
    target = BinaryTarget(np.array([0, 1]))
    batches = batches_of(fit, target, np.arange(451) % 2, n_axes=2)
    assert (batches.batch_size, batches.n_epoch_rows) == expected
