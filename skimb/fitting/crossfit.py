"""Cross-fitting: members that each hold out a fold, and what their held-out scores are good for.

K folds times S settings of the network for tables are trained as one network. The held-out log loss
of each setting says how much it counts in the mean that predicts, and the held-out logits choose
the threshold and estimate the score.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from skimb import networks
from skimb._types import Features
from skimb.data.folds import Folds, folds_of, n_folds_for, warn_of_unused_groups
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting import defaults
from skimb.fitting.member_weights import log_losses, stacking_weights
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import FitParameters
from skimb.fitting.recipe import uses_table_recipe
from skimb.fitting.settings import Settings, chooses_members
from skimb.losses.registry import specification
from skimb.networks.ensemble import (
    INTERVALS,
    MEAN_OF_MEMBERS,
    PIECEWISE_MEMBERS,
    STANDARDIZED_MEMBERS,
)
from skimb.networks.layers import STANDARDIZE
from skimb.networks.selective import SelectiveDense
from skimb.networks.trees import SIDES, TREE_MEMBERS, SoftTrees
from skimb.training import Blueprint, Network, outputs
from skimb.training.dataset import BLOCK_BYTES


@dataclass(frozen=True)
class HeldOut:
    """What members predict for samples that they were not trained on.

    Attributes
    ----------
    logits : ndarray of shape (n_samples, n_outputs) or (n_images, height, width, n_outputs)
        NaN for a sample that no member holds out.
    fold : ndarray of int of shape (n_samples,)
        The first fold that holds a sample out, -1 if there is none.
    positions : ndarray of int of shape (n_samples,)
        Where the samples are in the X that was passed to `fit`.
    n_rows : int
        Rows of that X.
    results : dict of str to ndarray or None
        The settings, their losses and weights, as ``cv_results_`` of scikit-learn's searches. None
        where there is one.
    codes : ndarray of int of shape (n_samples,), (n_samples, n_labels) or (n_images, height, width)
        Codes of their labels.
    weight : ndarray of shape (n_samples,) or (n_images, height, width)
        Their sample weights.
    """

    logits: np.ndarray
    fold: np.ndarray
    positions: np.ndarray
    n_rows: int
    results: dict[str, Any] | None
    codes: np.ndarray
    weight: np.ndarray

    def of_all_rows(self, values: np.ndarray) -> np.ndarray:
        """Return values of the samples as those of the rows of X, NaN where there are none."""
        found = np.full((self.n_rows, *values.shape[1:]), np.nan)
        found[self.positions] = values
        return found

    @property
    def known(self) -> np.ndarray:
        """Positions of the samples that a member holds out."""
        return np.flatnonzero(np.isfinite(self.logits.reshape(len(self.logits), -1)[:, 0]))


def folds_for(params: FitParameters, target: Target, samples: Samples, seed: int) -> Folds | None:
    """Return the folds of a fit, or None where one network is trained on all samples.

    Parameters
    ----------
    params : FitParameters
    target : Target
    samples : Samples
        With codes for labels.
    seed : int

    Raises
    ------
    ValueError
        If `cv` and another parameter exclude each other, or a fold is of no use.
    """
    cv = params.cv
    warn_of_unused_groups(cv, samples.groups)
    if params.extent != "fit" or cv is None or target.kind == "reconstruction":
        return None
    if not (isinstance(cv, str) and cv == "auto"):
        _check_possible(params)
        return folds_of(cv, target, samples, seed)
    if not _pays(params, target, samples):
        return None
    most = 3 if len(samples) > defaults.MANY_SAMPLES else 5
    n_folds = n_folds_for(target, samples.y, most)
    return folds_of(n_folds, target, samples, seed) if n_folds else None


def _pays(params: FitParameters, target: Target, samples: Samples) -> bool:
    """Whether ``cv="auto"`` cross-fits: the default network of tables, with nothing against it."""
    excluded = (
        params.warm_start
        or params.sampler is not None
        or params.early_stopping is True
        or chooses_members(params)
        or target.per_pixel
        or samples.X.shape[-1] > defaults.MOST_FEATURES
        or target.n_outputs > defaults.MOST_OUTPUTS
    )
    if excluded or not uses_table_recipe(params, samples.n_axes):
        return False
    traits = specification(params.loss, **params.loss_arguments).traits
    return not (traits.batch_level or traits.takes_features or traits.takes_cosines)


def _check_possible(params: FitParameters) -> None:
    """Raise a ValueError if a parameter does not go with folds of the user's own."""
    refused = {
        "warm_start": (params.warm_start, "members would go on with samples that they held out"),
        "early_stopping": (
            params.early_stopping is True,
            "every sample is held out by a member already: pass X_val to stop by, or",
        ),
    }
    for name, (given, reason) in refused.items():
        if given:
            raise ValueError(
                f"{name}={getattr(params, name)!r} cannot be used with cv={params.cv!r}: {reason} "
                f"set {name}=False, or cv=None."
            )


def combined(
    built: BuiltNetwork,
    settings: Settings,
    samples: Samples,
    row_weight: np.ndarray,
    folds: Folds,
    seed: int,
) -> tuple[BuiltNetwork, HeldOut]:
    """Return the mean of the members that count, and the logits of the held-out samples.

    Parameters
    ----------
    built : BuiltNetwork
        Of all members, trained; members are ordered by fold within each setting.
    settings : Settings
    samples : Samples
        Encoded, with codes for labels.
    row_weight : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Weights in the loss.
    folds : Folds
    seed : int
    """
    logits = _held_out_logits(built, samples.X, folds, len(settings))
    judged = folds.judged
    of_classes = (row_weight.T / samples.weight).T
    of_classes = of_classes / np.average(of_classes, axis=0, weights=samples.weight).mean()
    held_out_part = built.target, samples.y[judged], logits[judged], of_classes[judged]
    losses = log_losses(*held_out_part)
    weights = stacking_weights(*held_out_part, samples.weight[judged], seed)
    results = _results(settings, losses, samples.weight[judged], folds.held_out[judged], weights)
    mixed = np.einsum("ns...,s->n...", np.where(judged[:, None, None], logits, 0.0), weights)
    mixed[~judged] = np.nan
    network = _compact(built.network, weights, folds.n_folds)
    held_out = HeldOut(
        mixed, folds.first, samples.positions, samples.n_rows, results, samples.y, samples.weight
    )
    return replace(built, network=network), held_out


def _held_out_logits(built: BuiltNetwork, X: Features, folds: Folds, n_settings: int) -> np.ndarray:
    """Return the mean logits of the members that hold a sample out, (n, n_settings, n_outputs)."""
    members = _of_members(built.network)
    n_units = built.interface.units
    found = np.empty((X.shape[0], n_settings, n_units), dtype=built.interface.output_dtype)
    block = max(1, BLOCK_BYTES // (8 * n_settings * folds.n_folds * n_units))
    for start in range(0, X.shape[0], block):
        rows = slice(start, start + block)
        values = outputs(members, X[rows], built.interface.input_dtype)
        logits = built.interface.logits(values)
        logits = logits.reshape(len(logits), n_settings, folds.n_folds, n_units)
        held_out = folds.held_out[rows].astype(logits.dtype)
        share = held_out / np.maximum(held_out.sum(axis=1, keepdims=True), 1.0)
        found[rows] = np.einsum("nsku,nk->nsu", logits, share)
    return found


def _of_members(network: Network) -> Network:
    """Return the network that outputs each member's logits."""
    network, blueprint = network.current(), network.blueprint

    def build() -> keras.Model:
        return networks.with_members(blueprint.build())

    example = blueprint.example
    mean = example.get_layer(MEAN_OF_MEMBERS).kernel
    values = [
        value
        for variable, value in zip(example.variables, network.values, strict=True)
        if variable is not mean
    ]
    of_members = networks.with_members(example)
    return Network(Blueprint(build, ("members", blueprint.key), of_members), values)


def _results(
    settings: Settings,
    losses: np.ndarray,
    sample_weight: np.ndarray,
    held_out: np.ndarray,
    weights: np.ndarray,
) -> dict[str, Any]:
    """Return what was compared, in the form of ``cv_results_``."""
    scores = np.empty((held_out.shape[1], len(settings)))
    for fold, rows in enumerate(held_out.T):
        scores[fold] = -np.average(losses[rows], axis=0, weights=sample_weight[rows])
    mean = -np.average(losses, axis=0, weights=sample_weight)
    results: dict[str, Any] = {"params": settings.params()}
    for name in results["params"][0]:
        results[f"param_{name}"] = np.array([setting[name] for setting in results["params"]])
    for fold, of_fold in enumerate(scores):
        results[f"split{fold}_test_neg_log_loss"] = of_fold
    results["mean_test_neg_log_loss"] = mean
    results["std_test_neg_log_loss"] = scores.std(axis=0)
    results["rank_test_neg_log_loss"] = (1 + np.argsort(np.argsort(-mean, kind="stable"))).astype(
        np.int32
    )
    results["weight"] = weights
    return results


def _compact(network: Network, weights: np.ndarray, n_folds: int) -> Network:
    """Return the network of the members with a weight, which its last layer holds.

    Nothing is dropped in it, and factors and shares of inputs are part of its kernels.
    """
    network = network.current()
    name, arguments = network.blueprint.built_by or ("", {})
    of_members = np.repeat(weights, n_folds) / n_folds
    kept = np.flatnonzero(of_members)
    chosen: dict[str, np.ndarray] = {}
    start = 0
    counts = _members_of_views(arguments)
    for view, n_members in counts.items():
        chosen[view] = kept[(kept >= start) & (kept < start + n_members)] - start
        start += n_members
    in_layers = kept[kept < start - counts[TREE_MEMBERS]]
    arguments = {
        **arguments, "n_members": len(kept), "n_piecewise": len(chosen[PIECEWISE_MEMBERS]),
        "n_tree_members": len(chosen[TREE_MEMBERS]), "input_dropout": 0.0, "input_factors": False,
        "plain": True,
    }  # fmt: skip
    smaller = Blueprint.built_in(name, arguments)
    values = {id(v): v.value.numpy() for v in smaller.example.variables}
    example = network.blueprint.example
    by_id = dict(zip(map(id, example.variables), network.values, strict=True))
    for layer, twin in _layers_in_order(example, smaller.example):
        if layer.name == MEAN_OF_MEMBERS:
            found = [of_members[kept].astype(by_id[id(layer.kernel)].dtype)]
        elif isinstance(layer, SoftTrees):
            found = layer.plain(by_id)[twin.name.removeprefix(layer.name)]
        elif isinstance(layer, SelectiveDense):
            found = layer.dense(by_id)
        else:
            found = [by_id[id(variable)] for variable in layer.variables]
        if isinstance(twin, keras.layers.EinsumDense) and layer.name != MEAN_OF_MEMBERS:
            found = [value[chosen.get(layer.name, in_layers)] for value in found]
        values |= {id(v): value for v, value in zip(twin.variables, found, strict=True)}
    return Network(smaller, [values[id(v)] for v in smaller.example.variables])


def _members_of_views(arguments: dict[str, Any]) -> dict[str, int]:
    """Return how many members there are of each view, by the name of a layer that is theirs."""
    n_piecewise, n_trees = arguments["n_piecewise"], arguments["n_tree_members"]
    n_standardized = arguments["n_members"] - n_piecewise - n_trees
    return {
        STANDARDIZED_MEMBERS: n_standardized,
        PIECEWISE_MEMBERS: n_piecewise,
        TREE_MEMBERS: n_trees,
    }


def _layers_in_order(
    model: keras.Model, smaller: keras.Model
) -> list[tuple[keras.layers.Layer, keras.layers.Layer]]:
    """Return the layers with variables of both, those of a view that was dropped left out."""
    of_views = {STANDARDIZED_MEMBERS, PIECEWISE_MEMBERS, TREE_MEMBERS}
    of_views |= {STANDARDIZE, INTERVALS, MEAN_OF_MEMBERS}
    by_name = {layer.name: layer for layer in model.layers if layer.name in of_views}
    others = iter(
        [layer for layer in model.layers if layer.variables and layer.name not in of_views]
    )
    pairs = []
    for twin in smaller.layers:
        if not twin.variables or twin.name.startswith(TREE_MEMBERS + SIDES):  # those are constants
            continue
        name = TREE_MEMBERS if twin.name.startswith(TREE_MEMBERS) else twin.name
        pairs.append((by_name.get(name) or next(others), twin))
    return pairs
