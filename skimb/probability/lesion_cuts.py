"""Choice of the cut that keeps the promise of a rule about lesions, in masks of two classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from skimb.data.lesions import components, lesion_counts
from skimb.probability.binomial import Interval, effective_size, p_at_least, wilson
from skimb.probability.checks import Floats
from skimb.probability.cut_scores import TIED, in_unit_interval
from skimb.probability.rule_cuts import bound_of
from skimb.probability.rules import Rule, check_support


@dataclass(frozen=True)
class LesionChoice:
    """A threshold that keeps a rule about lesions, and what it amounts to.

    Attributes
    ----------
    rule : Rule
        What was promised.
    threshold : float
        Pixels with a score >= threshold are foreground.
    bound : float or None
        The share of lesions of the population that is found is at least this with the confidence
        of the rule. None without confidence.
    lesion_recall : Interval
        Of the lesions of the images, with the two-sided interval of Wilson at the confidence of the
        rule, or at 0.95.
    false_alarms_per_image : float
    n_lesions : int
    """

    rule: Rule
    threshold: float
    bound: float | None
    lesion_recall: Interval
    false_alarms_per_image: float
    n_lesions: int


class _Image(NamedTuple):
    true: NDArray[np.bool_]  # without ignored pixels
    scores: Floats
    counted: NDArray[np.bool_]
    weight: float


def choose_lesion_cut(
    rule: Rule,
    truth: NDArray[np.bool_],
    scores: Floats,
    sample_weight: Floats | None = None,
) -> LesionChoice:
    """Choose the cut that keeps a rule about lesions.

    Lesions are counted as by :func:`skimb.metrics.lesion_recall` and
    :func:`skimb.metrics.false_alarms_per_image`. A lesion is found from the highest score of its
    pixels down. The cut for the share that is found is the highest one: a quantile of these
    maxima. With confidence it is the order statistic for which the binomial distribution gives the
    promise, lesions taken for independent. Those of one image are not, which makes the confidence
    optimistic where images have several.

    The number of false alarms is no monotone function of the threshold, since components merge as
    it falls, and at the lowest one component is the image. So the cut for it is the lowest one down
    to which no threshold has more false alarms, and none below that at which every lesion is found.

    Parameters
    ----------
    rule : Rule
        About lesions.
    truth : ndarray of bool of shape (n_images, ...)
        Which pixels are foreground.
    scores : ndarray of shape (n_images, ...), float64
    sample_weight : ndarray of shape (n_images,) or of the shape of `truth`, or None, default=None
        Pixels of weight 0 are neither lesions nor false alarms. An image, and each of its lesions,
        has the mean of the weights of its other pixels. With unequal weights confidence comes from
        the effective number of lesions, and is approximate.

    Returns
    -------
    LesionChoice

    Raises
    ------
    ValueError
        If there are no lesions, too few of them for the confidence, or no cut that finds a lesion
        keeps the promise.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.probability.lesion_cuts import choose_lesion_cut
    >>> from skimb.probability.rules import Rule
    >>> truth = np.array([[[1, 1, 0, 0, 0, 1]]]) == 1
    >>> scores = np.array([[[0.3, 0.9, 0.2, 0.6, 0.1, 0.5]]])
    >>> choice = choose_lesion_cut(Rule("lesion_recall", 1.0), truth, scores)
    >>> choice.threshold, choice.false_alarms_per_image
    (0.4, 1.0)
    >>> choose_lesion_cut(Rule("false_alarms_per_image", 0.0), truth, scores).threshold
    0.75
    """
    images = list(_images(truth, scores, sample_weight))
    weight, maxima = _lesions(images)
    check_lesions(rule, weight, len(images))
    total = weight.sum()
    if rule.promise == "lesion_recall":
        level = _of_recall(rule, maxima, weight)
    else:
        level = _of_false_alarms(rule, images, float(maxima.min()))
    threshold = _below(level, images)
    n_lesions = effective_size(weight)
    recall = float(weight[maxima >= threshold].sum() / total)
    false_alarms = _false_alarms(images, threshold)
    if not recall > 0:
        at = _false_alarms(images, float(maxima.max()))
        raise ValueError(
            f"The threshold rule {rule} can only be kept by finding no lesion: down to the highest "
            f"threshold that finds one, there are up to {at:.4g} false alarms an image. Allow as "
            "many, choose the threshold on more images, or improve the scores."
        )
    return LesionChoice(
        rule,
        threshold,
        bound_of(rule, n_lesions),
        lesion_recall=wilson(recall, n_lesions, rule.confidence or 0.95),
        false_alarms_per_image=false_alarms,
        n_lesions=len(maxima),
    )


def lesion_weights(truth: NDArray[np.bool_], sample_weight: Floats | None) -> Floats:
    """Return the weight of each lesion, that of its image.

    Parameters
    ----------
    truth, sample_weight
        As in :func:`choose_lesion_cut`.
    """
    return _lesions(list(_images(truth, np.zeros(truth.shape), sample_weight)))[0]


def check_lesions(rule: Rule, weight: Floats, n_images: int) -> None:
    """Raise a ValueError if there are too few lesions for a rule, whatever the scores.

    Parameters
    ----------
    rule : Rule
    weight : ndarray of shape (n_lesions,)
    n_images : int
    """
    if not len(weight):
        raise ValueError(
            f"The threshold rule {rule} is chosen on lesions, but the {n_images} images that it "
            "would be chosen on have none. Choose the threshold on images with foreground."
        )
    check_support(rule, effective_size(weight), n_images)


def _images(
    truth: NDArray[np.bool_], scores: Floats, sample_weight: Floats | None
) -> Iterator[_Image]:
    """Yield the images that have a weight."""
    weights = np.ones(len(truth)) if sample_weight is None else sample_weight
    for true, of_image, weight in zip(truth, scores, weights, strict=True):
        weight = np.broadcast_to(weight, true.shape)
        counted = weight > 0
        if counted.any():
            yield _Image(true & counted, of_image, counted, float(weight[counted].mean()))


def _lesions(images: list[_Image]) -> tuple[Floats, Floats]:
    """Return the weight of each lesion, and the highest score of its pixels."""
    weights, maxima = [np.empty(0)], [np.empty(0)]
    for image in images:
        numbers, sizes = components(image.true)
        if len(sizes):
            highest = ndimage.maximum(image.scores, numbers, np.arange(1, len(sizes) + 1))
            maxima.append(np.asarray(highest, np.float64))
            weights.append(np.full(len(sizes), image.weight))
    return np.concatenate(weights), np.concatenate(maxima)


def _of_recall(rule: Rule, maxima: Floats, weight: Floats) -> float:
    """Return the highest score at which enough lesions are found."""
    levels, codes = np.unique(maxima, return_inverse=True)
    found = np.cumsum(np.bincount(codes, weight)[::-1]) / weight.sum()
    if rule.confidence is None:
        kept = found >= rule.value - TIED
    else:
        n = effective_size(weight)
        kept = p_at_least(found * n, n, rule.value) <= 1 - rule.confidence + TIED
    kept[-1] = True  # that all lesions are enough has been checked, by sums of another order
    return float(levels[::-1][np.argmax(kept)])


def _of_false_alarms(rule: Rule, images: list[_Image], floor: float) -> float:
    """Return the lowest score >= `floor` down to which there are few enough false alarms.

    Infinity if the highest score of all has too many.
    """
    pairs = [_steps(image, floor) for image in images]
    places = np.concatenate([at for at, _ in pairs])
    steps = np.concatenate(
        [image.weight * step for image, (_, step) in zip(images, pairs, strict=True)]
    )
    levels, codes = np.unique(places, return_inverse=True)
    limit = rule.value * sum(image.weight for image in images)
    false_alarms = np.cumsum(np.bincount(codes, steps)[::-1])
    kept = false_alarms <= limit * (1 + TIED) + TIED * len(images)
    n_kept = len(levels) if kept.all() else int(np.argmin(kept))
    return float(levels[::-1][n_kept - 1]) if n_kept else np.inf


def _steps(image: _Image, floor: float) -> tuple[Floats, NDArray[np.int_]]:
    """Return the scores >= `floor` at which the number of false alarms changes, and by how much.

    As the threshold falls, each pixel begins a component, and each edge of a maximum spanning tree
    of neighbouring pixels joins two. All true pixels are neighbours of one node more, so that what
    touches them is one component, which is not counted.
    """
    flagged = image.counted & (image.scores >= floor)
    n_pixels = int(flagged.sum())
    levels, codes = np.unique(image.scores[flagged], return_inverse=True)
    node = np.full(flagged.shape, -1)
    node[flagged] = np.arange(n_pixels)
    ends = [np.stack([node[image.true & flagged], np.full((image.true & flagged).sum(), n_pixels)])]
    for shift in product((-1, 0, 1), repeat=flagged.ndim):
        if shift > (0,) * flagged.ndim:  # of two opposite ones the second
            both = np.stack([node[_part(shift)], node[_part([-s for s in shift])]])
            ends.append(both.reshape(2, -1))
    edges = np.concatenate(ends, axis=1)
    edges = edges[:, (edges >= 0).all(axis=0)]
    lower = np.minimum(*np.append(codes, len(levels))[edges])
    # the tree of least cost has the highest scores; a cost of 0 would be no edge
    cost = (len(levels) - lower).astype(np.float64)
    shape = (n_pixels + 1, n_pixels + 1)
    tree = minimum_spanning_tree(coo_array((cost, tuple(edges)), shape=shape).tocsr())
    joined = len(levels) - np.round(tree.data).astype(np.intp)
    places = np.concatenate([levels[codes], levels[joined]])
    return places, np.repeat([1, -1], [n_pixels, len(joined)])


def _part(shift: Any) -> tuple[slice, ...]:
    """Return the pixels that have a neighbour in a direction."""
    return tuple(slice(max(0, -s), -s if s > 0 else None) for s in shift)


def _below(level: float, images: list[_Image]) -> float:
    """Return the threshold midway between a score and the next lower one of any pixel."""
    counted = [image.scores[image.counted] for image in images]
    least = min(float(values.min()) for values in counted)
    most = max(float(values.max()) for values in counted)
    probabilities = in_unit_interval(np.array([least, most]))
    lower = max(float(np.max(v, where=v < level, initial=-np.inf)) for v in counted)
    if lower == -np.inf:
        lower = 0.0 if probabilities else level - 1
    if level == np.inf:
        level = max(1.0, np.nextafter(most, np.inf)) if probabilities else most + 1
    middle = lower + (level - lower) / 2
    return middle if middle > lower else level


def _false_alarms(images: list[_Image], threshold: float) -> float:
    """Return the mean number of false alarms an image."""
    weight = np.array([image.weight for image in images])
    counts = [
        lesion_counts(image.true, image.counted & (image.scores >= threshold))[2]
        for image in images
    ]
    return float(weight @ counts / weight.sum())
