"""The settings that the members of a cross-fitted ensemble differ in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skimb.data.samples import Samples
from skimb.fitting import defaults
from skimb.fitting.parameters import FitParameters

STANDARDIZED, PIECEWISE = "standardized", "piecewise_linear"

#: arguments of the network that decide what the members are
OF_MEMBERS = ("n_members", "n_piecewise", "n_bins", "n_numeric", "input_dropout", "input_factors")


@dataclass(frozen=True)
class Settings:
    """Views of the features times weight decays, each with a member for every fold.

    Members are ordered by view, weight decay and fold.

    Attributes
    ----------
    views : tuple of str
        What members see: "standardized" features, or those and a "piecewise_linear" encoding, of
        which they learn factors.
    decays : tuple of float
    n_folds : int
    n_bins : int
        Intervals of the encoding.
    n_numeric : int or None
        Features that are encoded, the first ones; None is all.
    """

    views: tuple[str, ...]
    decays: tuple[float, ...]
    n_folds: int
    n_bins: int
    n_numeric: int | None

    def __len__(self) -> int:
        return len(self.views) * len(self.decays)

    @property
    def network_arguments(self) -> dict[str, Any]:
        """What the built-in network takes."""
        of_view = len(self.decays) * self.n_folds
        arguments = {
            "n_members": of_view * len(self.views),
            "n_piecewise": of_view * self.views.count(PIECEWISE),
            "n_bins": self.n_bins,
            "n_numeric": self.n_numeric,
        }
        if PIECEWISE not in self.views:
            return arguments
        rates = np.repeat([defaults.input_dropout(decay) for decay in self.decays], self.n_folds)
        return arguments | {"input_dropout": rates.tolist(), "input_factors": True}

    @property
    def decay_of_members(self) -> list[float]:
        """The weight decay of each member."""
        return np.tile(np.repeat(self.decays, self.n_folds), len(self.views)).tolist()

    def params(self) -> list[dict[str, Any]]:
        """Return what is particular to each setting."""
        return [
            {
                "view": view,
                "weight_decay": decay,
                "input_dropout": defaults.input_dropout(decay) if view == PIECEWISE else 0.0,
            }
            for view in self.views
            for decay in self.decays
        ]


def settings_for(params: FitParameters, train: Samples, n_folds: int) -> Settings:
    """Return the settings to compare on these samples.

    Parameters
    ----------
    params : FitParameters
    train : Samples
        Encoded.
    n_folds : int
    """
    decays: tuple[float, ...] = defaults.WEIGHT_DECAYS
    if "weight_decay" in params.optimizer_arguments:
        decays = (float(params.optimizer_arguments["weight_decay"]),)
    n_numeric = train.X.shape[1] if train.n_numeric is None else train.n_numeric
    n_bins = 0 if sp.issparse(train.X) else defaults.n_bins(n_numeric)
    views = (STANDARDIZED, PIECEWISE) if n_bins else (STANDARDIZED,)
    return Settings(views, decays, n_folds, n_bins or 1, train.n_numeric)


def chooses_members(params: FitParameters) -> bool:
    """Whether the members are the user's choice, so that none are compared."""
    return any(name in params.model_arguments for name in OF_MEMBERS)
