"""
A search over class weights and losses, as a picture
====================================================

The best F1 of a rare class often lies between the unweighted network and the fully balanced one. A
search over weights finds it; this is the picture of the README.
"""

import sys

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, train_test_split

from skimb import ImbalancedNNClassifier
from skimb.plotting import WeightSearchDisplay
from skimb.weighting import weight_grid

# %%
# The search
# ----------
# 3 % of the samples are positive. ``weight_grid`` goes from no weights to balanced ones in
# geometric steps; ``score`` is the F1 of the rarer class. ``--small`` fits fewer networks.

small = "--small" in sys.argv
X, y = make_classification(
    1_000 if small else 4_000, 10, n_informative=5, weights=[0.97], random_state=0
)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
search = GridSearchCV(
    ImbalancedNNClassifier(model="mlp", epochs=2 if small else 30, random_state=0),
    {
        "class_weight": weight_grid(y_train, 3 if small else 6),
        "loss": ["cross_entropy", "focal"],
    },
    cv=3 if small else 5,
).fit(X_train, y_train)

# %%
# The picture
# -----------
# ``--save FILE`` stores it.

figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
WeightSearchDisplay.from_estimator(search, ax=ax)
if "--save" in sys.argv:
    figure.savefig(sys.argv[sys.argv.index("--save") + 1], dpi=110)
plt.show()

# %%
# The same in numbers
# -------------------

print("loss            weight of the rare class     F1")
results = search.cv_results_
for params, score in zip(results["params"], results["mean_test_score"], strict=True):
    weight = params["class_weight"]
    print(f"{params['loss']:<16}{weight[1] / weight[0]:>24.2f}  {score:.3f}")
print(f"best, on the test set {search.score(X_test, y_test):.3f}")
