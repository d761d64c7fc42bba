"""
Probabilities that mean something
=================================

After class weights, balanced batches, SMOTE or the focal loss the rare class is found, but "0.8"
does not mean that eight of ten such rows are rare. How are the probabilities put right again?
"""

import sys

import numpy as np
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import average_precision_score, log_loss

from skimb import ImbalancedNNClassifier
from skimb.probability import expected_calibration_error

# %%
# The data
# --------
# Two clouds, 5 % of the rows in the rare one, and the probability of each row is known.
# ``--small`` takes fewer rows and epochs.

small = "--small" in sys.argv
share = 0.05


def make_rows(n, seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    X = rng.normal(size=(n, 6))
    X[:, :2] += 1.3 * y[:, None]
    return X.astype("float32"), y, expit(1.3 * X[:, :2].sum(axis=1) - 1.3**2 + logit(share))


X, y, _ = make_rows(1_000 if small else 10_000, seed=0)
X_new, y_new, p_new = make_rows(10_000 if small else 100_000, seed=1)

# %%
# In closed form
# --------------
# What weights, batches and samplers do to a loss such as cross-entropy is known: they multiply the
# odds by the ratio of the weights or of the counts. ``prior_correction=True`` divides by it, and
# undoes the focal loss too. It changes ``predict_proba``, and with it ``predict``: few rows are
# rare at 0.5 again, so give it a threshold. The order of the rows stays what it was.

plain = ImbalancedNNClassifier(
    class_weight=None,
    epochs=2 if small else 20,
    early_stopping=False,
    model__hidden_layer_sizes=(32,),
    random_state=0,
)
ways = {
    "no weights": {},
    "balanced weights": {"class_weight": "balanced"},
    "balanced batches": {"batching": "balanced"},
    "SMOTE": {"sampler": SMOTE(random_state=0)},
    "focal loss": {"loss": "focal"},
    "soft F1 loss": {"loss": "soft_f_beta"},
}
networks = {}
for name, way in ways.items():
    networks[name] = clone(plain).set_params(**way)
    if name not in ("no weights", "soft F1 loss"):
        networks[f"{name}, corrected"] = clone(networks[name]).set_params(prior_correction=True)

# %%
# By calibration
# --------------
# Where there is no closed form, as for the soft F1, or where the network knows nothing of a sampler
# in a pipeline, scikit-learn learns from held-out rows what a probability is worth.

pipeline = make_pipeline(SMOTE(random_state=0), plain)
networks["SMOTE in a pipeline"] = pipeline
for name in ("soft F1 loss", "SMOTE in a pipeline"):
    networks[f"{name}, calibrated"] = CalibratedClassifierCV(networks[name], cv=3, ensemble=False)

# %%
# Compared on new rows
# --------------------
# The mean probability, of which 5 % are true. The calibration error is by how much probabilities
# miss the frequencies, and the distance by how much they miss the true probabilities. The
# calibration error alone would be content with 5 % for every row; log loss and average precision
# also see whether the rows are told apart.


def measure(p):
    return (
        p.mean(),
        expected_calibration_error(y_new, p),
        np.abs(p - p_new).mean(),
        log_loss(y_new, p),
        average_precision_score(y_new, p),
    )


print(f"{'':33}{'mean':>7}{'cal. error':>12}{'distance':>10}{'log loss':>10}{'av. prec.':>11}")
line = "{:33}{:7.3f}{:12.3f}{:10.3f}{:10.3f}{:11.3f}"
for name, network in networks.items():
    print(line.format(name, *measure(network.fit(X, y).predict_proba(X_new)[:, 1])))
print(line.format("the truth", *measure(p_new)))

# %%
# All that is corrected or calibrated is as good as the network without weights, and here better,
# since that one has learned more by heart.
