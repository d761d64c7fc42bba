"""Average precision of many classes or labels."""

import numpy as np
from sklearn.metrics import average_precision_score
from sklearn.utils.validation import _check_sample_weight

from skimb._types import Tensor

# scikit-learn checks every column for itself, which takes ten times as long as the sort
_FEW = 8
# positive samples of a column up to which every one's rank is counted, which is sooner than a sort
_COUNTED = 16


def mean_average_precision(y_true: Tensor, y_score: Tensor, sample_weight: Tensor = None) -> float:
    """Return ``average_precision_score(y_true, y_score)``, soon where there are many columns.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,) or (n_samples, n_columns)
        1 or True for positive samples.
    y_score : ndarray of the same shape
    sample_weight : ndarray of shape (n_samples,), default=None

    Returns
    -------
    float
        The mean over the columns; the average precision of one without positives is 0.
    """
    known = np.ndim(y_score) == 2 and np.shape(y_true) == np.shape(y_score)
    if not known or np.shape(y_score)[1] <= _FEW or not np.isfinite(y_score).all():
        return float(average_precision_score(y_true, y_score, sample_weight=sample_weight))
    positives, scores = np.asarray(y_true) == 1, np.asarray(y_score)
    weight = _check_sample_weight(sample_weight, scores, dtype=np.float64)
    used = weight != 0
    if not used.all():
        positives, scores, weight = positives[used], scores[used], weight[used]
    columns = zip(positives.T, np.ascontiguousarray(scores.T), strict=True)
    return float(np.mean([_average_precision(*column, weight) for column in columns]))


def _average_precision(positive: np.ndarray, scores: np.ndarray, weight: np.ndarray) -> float:
    if np.count_nonzero(positive) <= _COUNTED:
        return _counted_average_precision(scores, weight, np.flatnonzero(positive))
    return _sorted_average_precision(positive, scores, weight)


def _counted_average_precision(
    scores: np.ndarray, weight: np.ndarray, positives: np.ndarray
) -> float:
    if not len(positives):
        return 0.0
    cuts, each = scores[positives], weight[positives]
    # precision where each positive sample is the last one that is predicted
    predicted, hits = (scores >= cuts[:, None]) @ weight, (cuts >= cuts[:, None]) @ each
    return float(each @ (hits / predicted) / each.sum())


def _sorted_average_precision(
    positive: np.ndarray, scores: np.ndarray, weight: np.ndarray
) -> float:
    lowest = scores[positive].min(initial=np.inf)
    # what ranks below the last positive sample adds nothing
    above = np.flatnonzero(scores >= lowest)
    order = above[np.argsort(-scores[above])]
    ranked, each = scores[order], weight[order]
    # samples of one score are predicted together
    ends = np.concatenate([np.flatnonzero(ranked[1:] != ranked[:-1]), [len(ranked) - 1]])
    hits, predicted = np.cumsum(each * positive[order])[ends], np.cumsum(each)[ends]
    gained = np.concatenate([hits[:1], np.diff(hits)])
    return float(gained @ (hits / predicted) / hits[-1])
