"""SHAP explains estimators by the columns of the user, and its values sum to the predictions."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skimb import ImbalancedNNClassifier

pd = pytest.importorskip("pandas")
shap = pytest.importorskip("shap")
pytestmark = pytest.mark.slow  # SHAP compiles for seconds

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4)).astype("float32")
Y = (X[:, 0] + X[:, 1] > 1.5).astype(int)
CITY = RNG.choice(["Rome", "Oslo", "Bern"], 300)
TABLE = pd.DataFrame({"noise": X[:, 2], "city": CITY, "age": 50 + 9 * X[:, 0]})
TABLE.loc[RNG.random(300) < 0.1, ["city", "age"]] = None
KNOWN = pd.Categorical(TABLE["city"]).categories


def with_codes(table):
    return table.assign(city=pd.Categorical(table["city"], KNOWN).codes)


@pytest.mark.parametrize("algorithm", ["exact", "permutation"])
def test_values_of_a_table_with_text_sum_to_the_output_and_name_its_columns(algorithm):
    labels = ((CITY == "Oslo") & (X[:, 0] > 0)).astype(int)
    clf = ImbalancedNNClassifier(epochs=10, random_state=0).fit(TABLE, labels)

    def predict_proba(values):
        frame = pd.DataFrame(values, columns=TABLE.columns)
        frame["city"] = pd.Categorical.from_codes(frame["city"].astype(int), KNOWN)
        return clf.predict_proba(frame)

    explainer = shap.Explainer(predict_proba, with_codes(TABLE[:40]), algorithm=algorithm)
    values = explainer(with_codes(TABLE[:8]), silent=True)
    assert values.feature_names == ["noise", "city", "age"]
    total = values.base_values + values.values.sum(axis=1)
    assert_allclose(total, clf.predict_proba(TABLE[:8]), atol=1e-3)
    share = np.abs(values.values[..., 1]).mean(axis=0)
    assert share.argmax() == 1  # the city, as one column
    assert share.argmin() == 0


def test_values_of_numbers_need_no_more_than_predict_proba():
    clf = ImbalancedNNClassifier(epochs=5, random_state=0).fit(X, Y)
    values = shap.Explainer(clf.predict_proba, X[:40])(X[:10], silent=True)
    total = values.base_values + values.values.sum(axis=1)
    assert_allclose(total, clf.predict_proba(X[:10]), atol=1e-3)


@pytest.mark.parametrize("model", ["auto", "mlp"])
def test_values_of_the_network_sum_to_the_logits(model, monkeypatch):
    from shap.explainers._deep import deep_tf

    # the rule that the guide registers for the members of the default network
    monkeypatch.setitem(deep_tf.op_handlers, "Einsum", deep_tf.linearity_1d(0))
    clf = ImbalancedNNClassifier(model, epochs=5, random_state=0).fit(X, Y)
    inputs, logits = clf.model_inputs(X), clf.decision_function(X)
    values = shap.DeepExplainer(clf.model_, inputs[:100]).shap_values(inputs[:10])
    assert_allclose(logits[:100].mean() + values[..., 0].sum(axis=1), logits[:10], atol=1e-3)
    sampled = shap.GradientExplainer(clf.model_, inputs[:100]).shap_values(inputs[:10], rseed=0)
    assert np.corrcoef(sampled.ravel(), values.ravel())[0, 1] > 0.95


def test_values_of_several_inputs_are_those_of_each():
    import keras

    image = RNG.normal(size=(300, 4, 4, 1)).astype("float32")
    inputs = [keras.Input((4,)), keras.Input((4, 4, 1))]
    flat = keras.layers.Concatenate()([inputs[0], keras.layers.Flatten()(inputs[1])])
    hidden = keras.layers.Dense(8, "relu")(flat)
    network = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    clf = ImbalancedNNClassifier(network, epochs=5, random_state=0).fit([X, image], Y)
    given, logits = clf.model_inputs([X, image]), clf.decision_function([X, image])
    explainer = shap.DeepExplainer(clf.model_, [part[:100] for part in given])
    values = explainer.shap_values([part[:5] for part in given])
    assert [part.shape for part in values] == [(5, 4, 1), (5, 4, 4, 1, 1)]
    total = sum(part.reshape(5, -1).sum(axis=1) for part in values)
    assert_allclose(logits[:100].mean() + total, logits[:5], atol=1e-3)
