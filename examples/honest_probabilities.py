"""
Probabilities that mean something
=================================

After class weights, balanced batches, SMOTE or the focal loss the rare class is found, but "0.8"
does not mean that eight of ten such samples are rare. How can the predicted probabilities be
corrected?
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
# Two Gaussian classes, 5 % of the samples in the rare one, with known posterior probabilities.
# ``--small`` uses fewer samples and epochs.

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
# The effect of weights, batches and samplers on a loss such as cross-entropy is known: they
# multiply the odds by the ratio of the weights or of the counts. ``prior_correction=True`` divides
# by that ratio, and inverts the focal loss too. It changes ``predict_proba``, and therefore
# ``predict``: few samples are predicted as rare at 0.5 again, so set a threshold. The ranking of
# the samples does not change.

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
# Where there is no closed form, as for the soft F1, or where a sampler in a pipeline resampled
# before the network, scikit-learn learns a calibration map from held-out samples.

pipeline = make_pipeline(SMOTE(random_state=0), plain)
networks["SMOTE in a pipeline"] = pipeline
for name in ("soft F1 loss", "SMOTE in a pipeline"):
    networks[f"{name}, calibrated"] = CalibratedClassifierCV(networks[name], cv=3, ensemble=False)

# %%
# Comparison on the test set
# --------------------------
# The mean probability, which should be 5 %. The calibration error is the deviation of the
# probabilities from the observed frequencies. The distance is their deviation from the true
# posterior probabilities. Predicting 5 % for every sample would have no calibration error; log
# loss and average precision also measure the discrimination.


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
# All corrected or calibrated networks are as good as the network without weights, and here better,
# since that one overfits more.
