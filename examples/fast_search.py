"""
A search over weights that is over in seconds
=============================================

Does a grid search over a Keras network take all night and run out of memory? Here are twelve class
weights with five folds, then a search over losses and their hyperparameters, then one with SMOTE.
All of them use the F1 of the rare class.
"""

import importlib.util
import sys
import time

from imblearn.over_sampling import SMOTE
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

from skimb import ImbalancedNNClassifier
from skimb.plotting import WeightSearchDisplay
from skimb.weighting import weight_grid

# %%
# The data
# --------
# 3 % of the samples are "fraud". ``--small`` uses fewer samples, weights, folds and epochs.

small = "--small" in sys.argv
n_rows, n_weights, n_folds, n_epochs = (2_000, 2, 2, 2) if small else (8_000, 12, 5, 10)
X, y = make_classification(
    n_rows, 20, n_informative=6, weights=[0.97], flip_y=0, class_sep=0.8, random_state=0
)
X, y = X.astype("float32"), ["fraud" if label else "fine" for label in y]
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
print(f"{len(y)} training samples, {y.count('fraud')} of them fraud.")

# %%
# Three searches
# --------------
# All fits of a search share one compiled program, whatever the weights and the hyperparameters of
# the loss. So leave ``n_jobs`` at 1: every other process would compile its own. The folds are
# stratified, as ``cv=5`` is for any scikit-learn classifier.
#
# Without ``scoring``, the estimator's own score is used: the F1 of the rarer class, whatever it is
# called. scikit-learn's "f1" would require classes called 0 and 1.
#
# ``weight_grid`` goes in even steps from no weights to balanced ones.

network = ImbalancedNNClassifier(epochs=n_epochs, optimizer__learning_rate=0.005, random_state=0)
weights = GridSearchCV(network, {"class_weight": weight_grid(y, n_weights)}, cv=n_folds)

# %%
# A search over losses is a list of grids, since each loss has its own hyperparameters. Losses that
# compensate for class imbalance themselves are used without weights.

losses = GridSearchCV(
    network,
    [
        {"loss": ["focal"], "loss__gamma": [0.5, 1.0, 2.0], "weight_power": [0.0, 0.5, 1.0]},
        {"loss": ["asymmetric"], "loss__gamma_neg": [1.0, 4.0], "class_weight": [None]},
        {"loss": ["logit_adjusted"], "loss__tau": [0.25, 0.5, 1.0], "class_weight": [None]},
    ],
    cv=n_folds,
)

# %%
# In imbalanced-learn's pipeline the sampler resamples only the training part of each fold. The
# score is still the F1 of the fraud class, also where SMOTE balances the classes. SMOTE's nearest
# neighbours require scaled features.

pipeline = Pipeline([("scale", StandardScaler()), ("smote", SMOTE()), ("network", network)])
behind_smote = RandomizedSearchCV(
    pipeline,
    {
        "smote__sampling_strategy": [0.1, 0.2, 0.5, 1.0],
        "smote__random_state": [0],
        "network__weight_power": [0.0, 0.25, 0.5],
    },
    n_iter=2 if small else 8,
    cv=n_folds,
    random_state=0,
)

# %%
# Results
# -------
# The cross-validated F1, and the F1 on the test set. The first is optimistic, as the best of many
# settings; the second is not. The time of the first network includes the compilation.

print(f"\n{'':16}{'fits':>6}{'seconds':>9}{'F1 in folds':>13}{'F1 on test set':>16}")
plain = clone(network).set_params(class_weight=None)
longer = clone(plain).set_params(epochs=3 * n_epochs, model__l2=0.001)
for name, way in {"no weights": plain, "longer": longer, "balanced": network}.items():
    start = time.perf_counter()
    way.fit(X, y)
    seconds = time.perf_counter() - start
    print(f"{name:16}{1:6}{seconds:9.1f}{'':13}{way.score(X_test, y_test):16.3f}")

searches = {"weights": weights, "losses": losses, "behind SMOTE": behind_smote}
for name, search in searches.items():
    start = time.perf_counter()
    search.fit(X, y)
    seconds = time.perf_counter() - start
    fits = len(search.cv_results_["params"]) * n_folds + 1
    print(
        f"{name:16}{fits:6}{seconds:9.1f}{search.best_score_:13.3f}"
        f"{search.score(X_test, y_test):16.3f}"
    )

print()
for name, search in searches.items():
    print(f"{name:16}{search.best_params_}")

# %%
# The network without weights finds more rare samples with three times as many epochs and
# ``model__l2=0.001``. The shorter the training, the more the weights matter.
#
# The score against the weight, as a plot, if Matplotlib is installed:

if importlib.util.find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    WeightSearchDisplay.from_estimator(weights)
    plt.show()
