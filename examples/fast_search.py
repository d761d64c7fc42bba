"""
A search over weights that is over in seconds
=============================================

A grid search over a Keras network takes all night and eats the memory? Here are twelve weights in
five folds, then a search over losses and their parameters, then one behind SMOTE: all by the F1 of
the rare class.
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
# 3 % of the rows are "fraud". ``--small`` takes fewer rows, weights, folds and epochs.

small = "--small" in sys.argv
n_rows, n_weights, n_folds, n_epochs = (2_000, 2, 2, 2) if small else (8_000, 12, 5, 10)
X, y = make_classification(
    n_rows, 20, n_informative=6, weights=[0.97], flip_y=0, class_sep=0.8, random_state=0
)
X, y = X.astype("float32"), ["fraud" if label else "fine" for label in y]
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
print(f"{len(y)} rows to learn from, {y.count('fraud')} of them fraud.")

# %%
# Three searches
# --------------
# All fits of a search share one compiled program, whatever the weights and the parameters of the
# loss, so leave ``n_jobs`` at 1: every other process would compile its own. The folds are
# stratified, as ``cv=5`` is for any classifier of scikit-learn.
#
# No ``scoring`` is given: the estimator's own score is the F1 of the rarer class, whatever it is
# called. scikit-learn's "f1" would ask for classes called 0 and 1.
#
# ``weight_grid`` goes in even steps from no weights to balanced ones.

network = ImbalancedNNClassifier(epochs=n_epochs, optimizer__learning_rate=0.005, random_state=0)
weights = GridSearchCV(network, {"class_weight": weight_grid(y, n_weights)}, cv=n_folds)

# %%
# A search over losses is a list of grids, since each loss has parameters of its own. Those that
# make up for rare classes by themselves go without weights.

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
# In imbalanced-learn's pipeline the sampler sees the training part of each fold only. The score
# stays the F1 of the fraud, also where SMOTE makes the classes equal. Its neighbours ask for scaled
# features.

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
# What they found
# ---------------
# F1 in the folds, and on rows that no search has seen. That the best of many was lucky in its folds
# does not show in the second. The seconds of the first network include compiling it.

print(f"\n{'':16}{'fits':>6}{'seconds':>9}{'F1 in folds':>13}{'F1 on new rows':>16}")
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
# The network without weights finds more if it is given the time, three times the epochs, and
# ``model__l2=0.001``. The shorter the training, the more weights matter.
#
# The score against the weight, as a picture, if Matplotlib is installed:

if importlib.util.find_spec("matplotlib"):
    from matplotlib import pyplot as plt

    WeightSearchDisplay.from_estimator(weights)
    plt.show()
