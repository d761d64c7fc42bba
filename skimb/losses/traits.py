"""What an estimator has to know about a loss, whoever wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TARGETS = ("binary", "multiclass", "multilabel", "pixels", "candidates")


@dataclass(frozen=True)
class LossTraits:
    """What an estimator has to know about a loss.

    Attributes
    ----------
    targets : tuple of str
        The kinds of target that the loss can be trained on.
    numeric : tuple of str
        Hyperparameters that enter the formula as numbers only, so that a compiled training program
        can be given another value without being compiled again.
    corrects_frequencies : bool
        Whether the formula itself makes up for the frequencies of the classes.
    has_positive : bool
        Whether one of two classes is treated as the positive one; estimators make it the rarer.
    takes_features : bool
        Whether `y_pred` has the features of the last layer in the columns after the logits.
    batch_level : bool
        Whether the loss is that of a batch, and not a mean over the losses of samples.
    takes_cosines : bool
        Whether the network is to output cosines.
    logit_scale : float
        The factor by which the loss multiplies the outputs of the network to get logits.
    """

    targets: tuple[str, ...] = TARGETS
    numeric: tuple[str, ...] = ()
    corrects_frequencies: bool = False
    has_positive: bool = False
    takes_features: bool = False
    batch_level: bool = False
    takes_cosines: bool = False
    logit_scale: float = 1.0


def traits_of(loss: Any) -> LossTraits:
    """Return the traits of a loss: its own, or those of any loss that does not state them."""
    own = getattr(loss, "traits", None)
    return own if isinstance(own, LossTraits) else LossTraits()
