"""Class rectification against worked examples, a brute force in loops, and finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from loss_cases import finite_differences, value_and_gradient
from numpy.testing import assert_allclose
from scipy.special import expit, log_expit, log_softmax

from skimb.losses import ClassRectification

KINDS = ("multiclass", "multilabel")
COMPARISONS = ("relative", "absolute", "distribution")
every_kind = pytest.mark.parametrize("kind", KINDS)
every_level = pytest.mark.parametrize("level", ["class", "instance"])
every_comparison = pytest.mark.parametrize("comparison", COMPARISONS)


def minority_classes(codes, rho):
    """The longest run of the rarest classes with at most rho * n rows, less those with one row."""
    found, total = [], 0
    for count, code in sorted((list(codes).count(c), c) for c in set(codes)):
        total += count
        if total > rho * len(codes) + 1e-9:
            break
        found += [code] * (count >= 2)
    return found


def mean(pairs):
    total = sum(weight for weight, _ in pairs)
    return sum(weight * x for weight, x in pairs) / total if total else 0.0


def histogram(pairs, low, high, n_bins):
    width = (high - low) / (n_bins - 1)
    centres = [low + t * width for t in range(n_bins)]
    return [mean([(v, max(0, 1 - abs(d - c) / width)) for v, d in pairs]) for c in centres]


def rectification(codes, minority, P, F, weight, comparison, kappa, margin, n_bins):
    """One attribute: `codes` are its values, `P` the probability of each value, `F` features."""
    rows, pos, neg, hinges = range(len(codes)), [], [], []
    for a in rows:
        c = codes[a]
        if c not in minority:
            continue
        same = [i for i in rows if codes[i] == c and i != a]
        others = [i for i in rows if codes[i] != c]
        if F is None:
            d_pos = [abs(P[a, c] - p) for p in sorted(P[i, c] for i in same)[:kappa]]
            d_neg = [P[a, c] - p for p in sorted((P[i, c] for i in others), reverse=True)[:kappa]]
        else:
            d_pos = sorted((np.linalg.norm(F[a] - F[i]) for i in same), reverse=True)[:kappa]
            d_neg = sorted(np.linalg.norm(F[a] - F[i]) for i in others)[:kappa]
        pos += [(weight[a], d) for d in d_pos]
        neg += [(weight[a], d) for d in d_neg]
        hinges += [(weight[a], max(0, margin + p - n)) for p in d_pos for n in d_neg]
    if comparison == "relative":
        return mean(hinges)
    if comparison == "absolute":
        squares = mean([(v, d**2) for v, d in pos])
        return (squares + mean([(v, max(0, margin - d) ** 2) for v, d in neg])) / 2
    low, high = (-1, 1) if F is None else (0, max(np.linalg.norm(a - b) for a in F for b in F))
    h_pos, h_neg = histogram(pos, low, high, n_bins), histogram(neg, low, high, n_bins)
    return sum(h_pos[t] * h_neg[s] for t in range(n_bins) for s in range(t + 1))


def reference(
    kind, y, z, F=None, weight=None, *, alpha, comparison, rho=0.5, kappa=3, margin=0.5, n_bins=100
):
    """The mean over attributes of alpha times the rectification plus 1 - alpha times the CE."""
    weight = np.ones(len(y)) if weight is None else weight
    given = (comparison, kappa, margin, n_bins)
    if kind == "multiclass":
        log_p = log_softmax(z, axis=1)
        ce = np.mean([-weight[i] * log_p[i, y[i]] for i in range(len(y))])
        crl = rectification(y, minority_classes(y, rho), np.exp(log_p), F, weight, *given)
        return alpha * crl + (1 - alpha) * ce
    losses = []
    for label in range(y.shape[1]):
        codes, x, v = y[:, label], z[:, label], weight if weight.ndim == 1 else weight[:, label]
        ones = sum(codes)
        rare = int(ones <= len(codes) - ones)
        few = 2 <= list(codes).count(rare) <= rho * len(codes) + 1e-9
        P = np.stack([expit(-x), expit(x)], axis=1)
        crl = rectification(codes, [rare] * few, P, F, v, *given)
        ce = np.mean(-v * log_expit(np.where(codes == 1, x, -x)))
        share = alpha if np.ndim(alpha) == 0 else alpha[label]
        losses.append(share * crl + (1 - share) * ce)
    return np.mean(losses)


def batch(kind, seed=0, n=14):
    """Targets, three columns of logits and two features, with minorities of several sizes."""
    rng = np.random.default_rng(seed)
    if kind == "multiclass":
        y = rng.choice(3, n, p=[0.6, 0.25, 0.15])
    else:
        y = (rng.random((n, 3)) < [0.3, 0.75, 0.5]).astype(int)
    return y, rng.normal(0, 2, (n, 3)), rng.normal(0, 1, (n, 2))


def outputs(level, z, F):
    return np.hstack([z, F]) if level == "instance" else z


def as_columns(y):
    return np.eye(3)[y] if y.ndim == 1 else y


# Seven rows, the last three of the class 1. At most .5 * 7 rows may be of minority classes: the
# class 1 is one, the class 0 is not. Anchors: e, f, g, the last three. With kappa=2, each has both
# others as positives, and of the other class
# - rows 3 (.6) and 2 (.3), the largest p(1), as negatives; so that
#     e (.4): d+ = .1, .5  d- = -.2, .1
#     f (.5): d+ = .1, .4  d- = -.1, .2
#     g (.9): d+ = .5, .4  d- =  .3, .6
# - on the line, the two rows closest to it; so that
#     e (0): d+ = 3, 1  d- = 2 (row 0), 4.5 (row 1)
#     f (1): d+ = 2, 1  d- = 1 (row 0), 3.5 (row 1)
#     g (3): d+ = 3, 2  d- = 1 (row 0), 1.5 (row 1)
Y = np.array([0, 0, 0, 0, 1, 1, 1])
P1 = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.5, 0.9])
LINE = np.array([2.0, 4.5, 9.0, 10.0, 0.0, 1.0, 3.0])


def worked(level="class", y_true=None, line=LINE, **params):
    y_pred = np.stack([1 - P1, P1, line], axis=1)
    loss = ClassRectification(
        level=level, target="multiclass", from_logits=False, **({"alpha": 1.0} | params)
    )
    y_true = np.eye(2)[Y] if y_true is None else y_true
    return float(loss(y_true, y_pred if level == "instance" else y_pred[:, :2]))


@pytest.mark.parametrize(
    ("level", "params", "expected"),
    [
        # hinges, in the order of ++--: e .35 .05 .75 .45, f .25 0 .55 .25, g .25 0 .15 0
        ("class", {"margin": 0.05}, 3.05 / 12),
        # d+^2: .01 .25, .01 .16, .25 .16; (.05 - d-)^2: .0625 0, .0225 0, 0 0
        ("class", {"margin": 0.05, "comparison": "absolute"}, 0.5 * (0.84 / 6 + 0.085 / 6)),
        # bins at -1, -.5, 0, .5, 1, times 6: h+ = 0 0 2 4 0, h- = 0 .6 3.2 2 .2
        ("class", {"comparison": "distribution", "n_bins": 5}, (2 * 3.8 + 4 * 5.8) / 36),
        # hinges: e 2.25 0 .25 0, f 2.25 0 1.25 0, g 3.25 2.75 2.25 1.75
        ("instance", {"margin": 1.25}, 16 / 12),
        # d+^2: 9 1, 4 1, 9 4; (1.25 - d-)^2: 0 0, .0625 0, .0625 0
        ("instance", {"margin": 1.25, "comparison": "absolute"}, 0.5 * (28 / 6 + 0.125 / 6)),
        # bins at 0, 2, ... 10 (e to row 3), times 6: h+ = 1 4 1 0 0 0, h- = 1.25 3 1.5 .25 0 0
        ("instance", {"comparison": "distribution", "n_bins": 6}, (1.25 + 4 * 4.25 + 5.75) / 36),
    ],
)
def test_worked_example(level, params, expected):
    assert worked(level, kappa=2, **params) == pytest.approx(expected, rel=1e-5)


def test_worked_example_of_labels():
    """Anchors are rows 0, 1 (the ones), rows 3, 4 (the zeros), and for the last label none."""
    y = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    p = [[0.5, 0.9, 0.1], [0.8, 0.7, 0.9], [0.1, 0.6, 0.9], [0.2, 0.8, 0.9], [0.6, 0.3, 0.9]]
    # first label: each other's positive, d+ = .3; negative row 4 (.6), d- = -.1, .2; hinges .9, .6
    # second, by p(0): d+ = |.2 - .7| = .5; negative row 2 (.4), d- = -.2, .3; hinges 1.2, .7
    loss = ClassRectification(kappa=1, alpha=1.0, target="multilabel", from_logits=False)
    assert float(loss(y, np.array(p))) == pytest.approx((0.75 + 0.95 + 0) / 3, rel=1e-5)


# The known mistakes. One hinge over summed distances gives 2.8 / 12 in the first worked example;
# one profile for all labels compares rows 0 to 4 of the example of labels as the classes 111, 110,
# ... of which none has two rows but 000.
@pytest.mark.parametrize(
    ("level", "margin", "expected"),
    [
        # d+ .1 .1 .5, d- -.2 -.1 .3; the lowest p(1) as negative: .7 / 3; easy positives: 2.8 / 3;
        # d- without its sign: 1.6 / 3
        ("class", 0.5, 2.2 / 3),
        # d+ 3 2 3, d- 2 1 1; the farthest as negatives: 0; the closest as positives: 3.75 / 3
        ("instance", 1.25, 7.75 / 3),
    ],
)
def test_mined_rows_are_the_hardest(level, margin, expected):
    assert worked(level, kappa=1, margin=margin) == pytest.approx(expected, rel=1e-5)


@every_level
@pytest.mark.parametrize("codes", [Y, Y[:, None]])
def test_number_of_classes_is_that_of_the_counts_where_the_target_is_codes(level, codes):
    given = worked(level, codes, class_counts=[40, 3])
    assert given == pytest.approx(worked(level), rel=1e-6)


@pytest.mark.slow
@every_kind
@every_level
@every_comparison
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"kappa": 1, "margin": 0.1},
        {"kappa": 2, "rho": 0.3, "margin": 1.5},
        {"kappa": 40, "rho": 1.0},
        {"rho": 0.7, "margin": 0.0, "n_bins": 7},
    ],
    ids=str,
)
@pytest.mark.parametrize("weights", ["rows", "labels"])
def test_agrees_with_the_brute_force(kind, level, comparison, params, weights):
    for seed in range(3):
        y, z, F = batch(kind, seed)
        W = np.random.default_rng(seed).uniform(0, 3, z.shape)
        weight = W[:, 0] if weights == "rows" else W if kind == "multilabel" else None
        given = {"comparison": comparison, "alpha": 0.6} | params
        loss = ClassRectification(level=level, target=kind, dtype="float64", **given)
        expected = reference(kind, y, z, F if level == "instance" else None, weight, **given)
        assert_allclose(loss(as_columns(y), outputs(level, z, F), weight), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("counts", "rho", "expected"),
    [
        ([6, 4], 0.5, {1}),
        ([4, 6], 0.5, {0}),
        ([60, 40], 0.5, {1}),  # rho times the rows of the batch, not a fixed number of them
        ([5, 3, 2], 0.5, {1, 2}),
        ([5, 4, 2], 0.5, {2}),
        ([7, 2, 1], 0.5, {1}),
        ([6, 1, 1, 1, 2], 0.5, {4}),
        ([9, 1], 0.5, set()),
        ([8, 0, 2], 0.5, {2}),
        ([10, 0], 0.5, set()),
        ([5, 5], 0.5, {0}),  # of equally rare classes, the first
        ([4, 3, 3], 0.5, {1}),
        ([6, 4], 1.0, {0, 1}),
        ([6, 2, 2], 0.2, {1}),
        ([6, 2, 2], 0.4, {1, 2}),
        ([7, 3], 0.3, {1}),
        ([87, 63], 0.42, {1}),
    ],
)
def test_minority_classes_are_the_rarest_with_at_most_a_share_of_the_batch(counts, rho, expected):
    y = np.repeat(np.arange(len(counts)), counts)
    z = np.random.default_rng(0).normal(size=(len(y), len(counts)))
    loss = ClassRectification(comparison="absolute", alpha=1.0, rho=rho, margin=3.0)
    found = {c for c in range(len(counts)) if loss(y, z, (y == c).astype("float32")) > 0}
    assert found == expected


@pytest.mark.parametrize(
    ("ones", "rho", "expected"),
    [
        *((3, 0.5, {1}), (8, 0.5, {0}), (5, 0.5, {1}), (1, 0.5, set()), (9, 0.5, set())),
        *((0, 0.5, set()), (10, 0.5, set()), (3, 0.2, set()), (2, 0.2, {1}), (8, 0.2, {0})),
    ],
)
def test_minority_of_a_label_is_its_rarer_value(ones, rho, expected):
    y = np.zeros((10, 3))
    y[:4, 0], y[:ones, 1], y[7:, 2] = 1, 1, 1
    z = np.random.default_rng(0).normal(size=y.shape)
    params = {"comparison": "absolute", "margin": 3.0, "target": "multilabel"}
    loss = ClassRectification(alpha=1.0, rho=rho, **params)
    only = np.array([0.0, 1.0, 0.0])
    assert {value for value in (0, 1) if loss(y, z, (y == value) * only) > 0} == expected


CROSS_ENTROPY = -np.log(np.where(Y == 1, P1, 1 - P1)).mean()


@pytest.mark.parametrize(
    ("params", "alpha"),
    [
        ({"class_counts": [30, 30]}, 0.0),  # n_min / n_max would be 1
        ({"class_counts": [90, 10]}, 0.01 * 40 / 90),
        ({"class_counts": [90, 10], "eta": 0.9}, 0.4),
        ({"class_counts": [0, 80], "eta": 0.9}, 0.45),
        ({"class_counts": [90, 10], "eta": 100.0}, 1.0),
        ({"class_counts": [90, 10], "alpha": 0.3}, 0.3),
    ],
)
def test_alpha_grows_with_the_imbalance_of_the_training_set(params, alpha):
    value = worked(kappa=2, margin=0.05, **({"alpha": None} | params))
    assert value == pytest.approx(alpha * 3.05 / 12 + (1 - alpha) * CROSS_ENTROPY, rel=1e-5)


def test_alpha_of_labels_is_that_of_each_label():
    y, z, _ = batch("multilabel")
    counts = [[50, 10, 90], [50, 90, 30]]
    loss = ClassRectification(class_counts=counts, eta=0.9, target="multilabel", dtype="float64")
    expected = reference("multilabel", y, z, alpha=[0, 0.4, 0.3], comparison="relative")
    assert_allclose(loss(y, z), expected, rtol=1e-10)


def test_missing_counts_raise_where_they_are_needed():
    with pytest.raises(ValueError, match="needs class_counts"):
        worked(alpha=None)
    with pytest.raises(ValueError, match="needs class_counts"):  # for the number of logits
        worked("instance", Y)


@every_level
@every_comparison
@pytest.mark.parametrize("codes", [[0, 0, 0, 1], [0, 0, 0, 0], [2], [0, 1, 2]])
def test_batch_without_a_minority_of_two_rows_has_its_share_of_cross_entropy(
    level, comparison, codes
):
    rng = np.random.default_rng(0)
    z, F, y = rng.normal(size=(len(codes), 3)), rng.normal(size=(len(codes), 2)), np.eye(3)[codes]
    loss = ClassRectification(level=level, comparison=comparison, alpha=0.3, dtype="float64")
    value, gradient = value_and_gradient(loss, y, outputs(level, z, F))
    log_p = log_softmax(z, axis=1)
    assert_allclose(value, 0.7 * -(y * log_p).sum() / len(y), rtol=1e-12)
    expected = 0.7 * (np.exp(log_p) - y) / len(y)
    assert_allclose(gradient, outputs(level, expected, 0 * F), rtol=1e-10, atol=1e-15)


@every_kind
@every_level
@every_comparison
def test_gradient_agrees_with_finite_differences_of_the_brute_force(kind, level, comparison):
    y, z, F = batch(kind, seed=3, n=10)
    weight = np.linspace(0.5, 2.0, len(y))
    params = {"alpha": 0.6, "comparison": comparison, "kappa": 2, "n_bins": 9, "margin": 1.0}

    def of(y_pred):
        features = y_pred[:, 3:] if level == "instance" else None
        return reference(kind, y, y_pred[:, :3], features, weight, **params)

    loss = ClassRectification(level=level, target=kind, dtype="float64", **params)
    _, gradient = value_and_gradient(loss, as_columns(y), outputs(level, z, F), weight)
    assert_allclose(gradient, finite_differences(of, outputs(level, z, F)), rtol=1e-6, atol=1e-8)


@every_comparison
@pytest.mark.parametrize(
    ("scale", "side"), [(0.0, 1), (1.0, 1), (100.0, 1), (1.0, -1), (100.0, -1)]
)
def test_identical_features_are_at_distance_0_with_a_finite_gradient(comparison, scale, side):
    """The other class is at the same place (side 1), or out of reach, where it costs nothing."""
    feature = np.random.default_rng(0).normal(0, scale, 64)
    features = np.where(Y == 1, 1, side)[:, None] * feature
    y_pred = np.hstack([np.zeros((7, 2)), features]).astype("float32")
    loss = ClassRectification(level="instance", comparison=comparison, alpha=1.0)
    value, gradient = value_and_gradient(loss, np.eye(2)[Y], y_pred)
    expected = {"relative": 0.5, "absolute": 0.5 * 0.5**2, "distribution": 1.0}[comparison]
    assert_allclose(value, expected if side == 1 else 0.0, rtol=1e-5, atol=1e-7)
    assert np.isfinite(gradient).all()


def test_distances_do_not_depend_on_where_the_origin_is():
    far = worked("instance", line=LINE + 2.0**14, kappa=2, margin=1.25)
    assert far == pytest.approx(16 / 12, rel=1e-5)


@pytest.mark.slow
@every_level
@every_comparison
@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled_with_a_free_batch_dimension_is_the_same_as_eager(level, comparison, jit_compile):
    loss = ClassRectification(
        level=level, comparison=comparison, kappa=9, class_counts=[8, 4, 2], eta=1.0
    )
    shapes = [(None,), (None, 5 if level == "instance" else 3), (None,)]
    signature = [tf.TensorSpec(shape) for shape in shapes]
    compiled = tf.function(loss, input_signature=signature, jit_compile=jit_compile)
    for n in (14, 6):
        y, z, F = batch("multiclass", n=n)
        given = [np.asarray(a, "float32") for a in (y, outputs(level, z, F), np.linspace(1, 2, n))]
        assert_allclose(compiled(*given), loss(*given), rtol=1e-4)


@pytest.mark.parametrize(
    "params",
    [
        *({"level": value} for value in ("rows", None)),
        *({"comparison": value} for value in ("squared", None)),
        *({"kappa": value} for value in (0, -1, 2.0, True, None)),
        *({"rho": value} for value in (0.0, 1.5, -0.5, np.nan, None)),
        *({"eta": value} for value in (-0.1, np.inf, "1")),
        *({"margin": value} for value in (-0.1, np.nan, None)),
        *({"alpha": value} for value in (-0.1, 1.1, np.nan, "balanced")),
        *({"n_bins": value} for value in (1, 10.0)),
        *({"class_counts": value} for value in ([3, -1], [np.nan, 1.0])),
        {"target": "binary"},
    ],
    ids=str,
)
def test_invalid_hyperparameters_raise_with_their_name(params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}="):
        ClassRectification(**params)


@every_kind
def test_instance_level_without_features_raises(kind):
    y, z, _ = batch(kind)
    with pytest.raises(ValueError, match="level='instance' needs the features"):
        ClassRectification(level="instance", alpha=0.5, target=kind)(as_columns(y), z)
