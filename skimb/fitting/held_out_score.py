"""The score of the samples that members of a cross-fit held out."""

from __future__ import annotations

import numpy as np

from skimb.data.samples import Samples
from skimb.fitting.crossfit import HeldOut
from skimb.fitting.decision import Decision, with_tuned_threshold
from skimb.fitting.parameters import FitParameters
from skimb.fitting.state import FittedState
from skimb.metrics.scorers import Snapshot, scorer_for

# above this many probabilities a threshold fits none of them in particular
_MANY = 2**18


def score_of_held_out(
    params: FitParameters,
    state: FittedState,
    decision: Decision,
    train: Samples,
    found: HeldOut,
    chosen_elsewhere: bool,
) -> float:
    """Return the score of held-out samples, as `score` would find it on fresh ones.

    A threshold with the best score on some samples scores better on these than on others. So a
    threshold that is chosen by a score is chosen anew for each fold, on the other folds.

    Parameters
    ----------
    params : FitParameters
    state : FittedState
        Before the choice of the threshold.
    decision : Decision
        After it.
    train : Samples
        Encoded, with codes for labels.
    found : HeldOut
    chosen_elsewhere : bool
        Whether the threshold was chosen on a validation set, and so fits these samples no better
        than others.

    Returns
    -------
    float
    """
    target, known = state.target, found.known
    samples, logits = train.take(known), found.logits[known]
    predicted = None
    own = isinstance(params.threshold, str) and not chosen_elsewhere
    if own and logits.size <= _MANY:
        predicted = _predicted_fold_by_fold(params, state, samples, logits, found.fold[known])
    y, flat, weight = target.for_scores(samples.y, logits, samples.weight, decision.decode)
    scorer = scorer_for(params.scoring, target, state.counts.positive)
    scored = Snapshot(decision, flat, predicted)
    return float(scorer(scored, None, y, sample_weight=weight))


def _predicted_fold_by_fold(
    params: FitParameters,
    state: FittedState,
    samples: Samples,
    logits: np.ndarray,
    fold: np.ndarray,
) -> np.ndarray | None:
    """Return labels by thresholds of the other folds, None if a class is missing in these."""
    target, parts = state.target, []
    if target.kind not in ("binary", "multiclass", "multilabel"):
        return None
    present = target.counts(samples.y, np.ones(len(samples))) > 0
    for k in np.unique(fold):
        rest = samples.take(np.flatnonzero(fold != k))
        if not (target.counts(rest.y, np.ones(len(rest))) > 0)[present].all():
            return None
        chosen, _ = with_tuned_threshold(
            params, state.built, state.decision, rest, state.split_seed, logits[fold != k]
        )
        parts.append(chosen.decode(logits[fold == k]))
    predicted = np.empty((len(samples), *parts[0].shape[1:]), parts[0].dtype)
    for k, labels in zip(np.unique(fold), parts, strict=True):
        predicted[fold == k] = labels
    return predicted
