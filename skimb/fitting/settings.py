"""The settings that the members of a cross-fitted ensemble differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimb.data.samples import Samples
from skimb.fitting import defaults
from skimb.fitting.defaults import PIECEWISE, STANDARDIZED, TREES
from skimb.fitting.optimizer import own_weight_decay
from skimb.fitting.parameters import FitParameters

#: arguments of the network that decide what the members are
OF_MEMBERS = (
    *("n_members", "n_piecewise", "n_bins", "n_numeric", "n_tree_members"),
    *("input_dropout", "input_factors", "plain"),
)


@dataclass(frozen=True)
class Setting:
    """What the members of one setting have in common.

    Attributes
    ----------
    view : str
        What they are: networks of "standardized" features, or of those and a "piecewise_linear"
        encoding, of which they learn factors, or "trees" of standardised features.
    weight_decay : float
        No weight grows far above its inverse.
    """

    view: str
    weight_decay: float

    @property
    def input_dropout(self) -> float:
        """Share of the inputs that the members go without in a step."""
        return 0.0 if self.view == STANDARDIZED else defaults.input_dropout(self.weight_decay)


@dataclass(frozen=True)
class Settings:
    """Settings, each with a member for every fold.

    Members are ordered by setting and fold.

    Attributes
    ----------
    each : tuple of Setting
        Ordered by view.
    n_folds : int
    n_bins : int
        Intervals of the encoding.
    n_numeric : int or None
        Features that are encoded, the first ones; None is all.
    """

    each: tuple[Setting, ...]
    n_folds: int
    n_bins: int
    n_numeric: int | None

    def __len__(self) -> int:
        return len(self.each)

    @property
    def network_arguments(self) -> dict[str, Any]:
        """What the built-in network takes."""
        views = [setting.view for setting in self.each]
        selective = [s.input_dropout for s in self.each if s.view != STANDARDIZED]
        return {
            "n_members": len(self) * self.n_folds,
            "n_piecewise": views.count(PIECEWISE) * self.n_folds,
            "n_tree_members": views.count(TREES) * self.n_folds,
            "n_bins": self.n_bins,
            "n_numeric": self.n_numeric,
            "input_dropout": np.repeat(selective, self.n_folds).tolist() or 0.0,
            "input_factors": PIECEWISE in views,
        }

    @property
    def decay_of_members(self) -> list[float]:
        """The weight decay of each member."""
        return np.repeat([s.weight_decay for s in self.each], self.n_folds).tolist()

    def params(self) -> list[dict[str, Any]]:
        """Return what is particular to each setting."""
        return [
            {"view": s.view, "weight_decay": s.weight_decay, "input_dropout": s.input_dropout}
            for s in self.each
        ]


def settings_for(
    params: FitParameters,
    train: Samples,
    counts: np.ndarray,
    n_folds: int,
    *,
    takes_cosines: bool,
) -> Settings:
    """Return the settings to compare on these samples.

    Parameters
    ----------
    params : FitParameters
    train : Samples
        Encoded.
    counts : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights of the classes, or of 0 and 1 for each label.
    n_folds : int
    takes_cosines : bool
        Whether the loss does, which trees have none of.
    """
    own = None
    if "weight_decay" in params.optimizer_arguments:
        own = (float(own_weight_decay(params.optimizer_arguments)),)
    n_columns = int(np.prod(train.X.shape[1:]))
    n_numeric = n_columns if train.n_numeric is None else train.n_numeric
    n_bins = 0 if sp.issparse(train.X) else defaults.n_bins(n_numeric)
    has_trees = (
        n_columns <= defaults.MOST_TREE_COLUMNS
        # rounded, as a third of sixty samples sums up to a little less than twenty
        and round(defaults.outside_largest(counts), 6) >= defaults.RARE_FOR_TREES
        and not (takes_cosines or sp.issparse(train.X))
    )
    found = {STANDARDIZED: True, PIECEWISE: n_bins > 0, TREES: has_trees}
    members = [
        Setting(view, decay)
        for view, possible in found.items()
        if possible
        for decay in own or defaults.weight_decays(view, counts)
    ]
    return Settings(tuple(members), n_folds, n_bins or 1, train.n_numeric)


def chooses_members(params: FitParameters) -> bool:
    """Whether the members are the user's choice, so that none are compared."""
    return any(name in params.model_arguments for name in OF_MEMBERS)
