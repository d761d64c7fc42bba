"""The network of a fit: built from the parameters, with its interface and its statistics."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import keras
import numpy as np
import scipy.sparse as sp
import tensorflow as tf
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

from skimb import networks
from skimb._backend.randomness import draw_seed, process_state
from skimb._backend.routing import accepts_kwargs, has_param
from skimb._types import Features
from skimb._warnings import warn_user
from skimb.data.inputs import Layout
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting import defaults
from skimb.fitting.building import BuildCall, check_arguments, meta_of, offered_to
from skimb.fitting.compiled import Compiled, compiled_with
from skimb.fitting.parameters import FitParameters, ModelLike
from skimb.fitting.plan import Plan
from skimb.fitting.weights import ClassWeights
from skimb.losses.base import ImbalancedLoss
from skimb.losses.binding import BoundLoss, check_target, is_categorical
from skimb.networks.inputs import check_whole_numbers, on_rows, own_network
from skimb.networks.interface import NetworkInterface
from skimb.training import Blueprint, Network
from skimb.training.dataset import BLOCK_BYTES, dense
from skimb.training.saved_parts import from_file, to_file

BUILT_IN: dict[str, Callable[..., keras.Model]] = {
    "mlp": networks.mlp,
    "mlp_ensemble": networks.mlp_ensemble,
    "cnn": networks.cnn,
    "unet": networks.unet,
    "autoencoder": networks.autoencoder,
}


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with what is known about it.

    Attributes
    ----------
    network : Network
    interface : NetworkInterface
    target : Target
        The target as this network has it: two classes may have one output or two.
    built_from : dict
        The parameters that it was built from.
    scaler : StandardScaler or None, default=None
        The statistics that the network standardises with, if it does.
    compiled : Compiled
        The optimizer and the loss that the user compiled it with, where they count.
    layout : Layout or None, default=None
        Of the rows that `network` takes apart for the several inputs of the user's own.
    """

    network: Network
    interface: NetworkInterface
    target: Target
    built_from: dict[str, Any]
    scaler: StandardScaler | None = None
    compiled: Compiled = field(default_factory=Compiled)
    layout: Layout | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {
            "built_from": {k: to_file(k, v) for k, v in self.built_from.items()},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state | {"built_from": from_file(state["built_from"])})

    @property
    def model(self) -> keras.Model:
        """The network as the user knows it: of several inputs, if it has them."""
        return own_network(self.network.model, self.layout)

    def check_exact(self, *encoded: Features) -> None:
        """Raise a ValueError if whole numbers do not reach the network of the user exactly.

        Several inputs are rows of float32 on their way to it, which rounds large ones.

        Parameters
        ----------
        *encoded : ndarray or sparse matrix
        """
        if self.layout is None:
            return
        own = own_network(self.network.blueprint.example, self.layout)
        for X in encoded:
            check_whole_numbers(own, self.layout, X)

    def with_statistics(
        self, model: ModelLike, X: Features, weight: np.ndarray, known: StandardScaler | None = None
    ) -> BuiltNetwork:
        """Return the network with the statistics of these samples on top of those it has.

        Where they are a part of samples whose statistics are `known`, it has those.
        """
        network, scaler = standardized(self.network, model, X, weight, self.scaler, known)
        return replace(self, network=network, scaler=scaler)


def network_for(
    params: FitParameters,
    plan: Plan,
    target: Target,
    train: Samples,
    resampled: Samples,
    rng: np.random.RandomState,
    previous: BuiltNetwork | None,
    known: StandardScaler | None = None,
) -> tuple[BuiltNetwork, Plan]:
    """Return the network to train, and the plan with what that network was compiled with.

    It is a new one, or the `previous` one to go on with. A new network takes what the training
    batches hold, which may be patches of images. It standardises with the statistics of the
    training samples, or with those that are `known` of all where these are a part; those of chunks
    are added to what it has seen before.
    """
    if previous is None:
        built = build_network(params, plan, target, resampled, rng)
    else:
        _check_same_model(params, previous.built_from)
        built = replace(previous, target=target)
    if previous is None or params.extent != "fit":
        weight = train.weight / train.weight.mean() if params.extent == "fit" else train.weight
        built = built.with_statistics(params.model, train.X, weight, known)
    return built, built.compiled.adopted(plan)


def with_initial_logits(
    built: BuiltNetwork,
    plan: Plan,
    loss: BoundLoss,
    weights: ClassWeights,
    *,
    trained: bool,
) -> BuiltNetwork:
    """Return the network as the training begins with it, with the scale of its logits.

    An untrained default network begins with the logits of the weighted class frequencies: few
    steps under strong weight decay would not get there where a class is rare.
    """
    built = replace(built, interface=replace(built.interface, scale=loss.traits.logit_scale))
    if not plan.uses_table_recipe or trained or loss.corrects_frequencies:
        return built
    share = weights.trained_prior
    share = share / share.sum(axis=-1, keepdims=True)
    log = np.log(np.maximum(share, 1e-4))
    of_sigmoid = built.target.link == "sigmoid"
    logits = np.atleast_1d(log[..., 1] - log[..., 0]) if of_sigmoid else log
    network = built.network.current()
    values = networks.with_last_bias(network.blueprint.example, network.values, logits)
    return replace(built, network=Network(network.blueprint, values))


def build_network(
    params: FitParameters,
    plan: Plan,
    target: Target,
    train: Samples,
    rng: np.random.RandomState,
) -> BuiltNetwork:
    """Build the network that `model` and its parameters describe, with initial values.

    Parameters
    ----------
    params, plan, target
    train : Samples
        Encoded. The shape of X counts, and its mean and variance where the network standardises.
    rng : RandomState

    Raises
    ------
    ValueError, TypeError
        If the network does not fit the data, the target or the loss.
    """
    two_columns = target.kind == "binary" and is_categorical(plan.loss)
    n_outputs = 2 if two_columns else target.n_outputs
    if target.kind == "reconstruction":
        n_outputs = int(np.prod(train.X.shape[1:]))
    meta = {**meta_of(train, target), "n_outputs_": n_outputs}
    network, compiled = _new_network(params, plan, train, n_outputs, meta, rng)
    example = network.blueprint.example
    if target.kind == "reconstruction":
        interface = NetworkInterface.of_autoencoder(example, train.X)
        return BuiltNetwork(network, interface, target, _description(params), compiled=compiled)
    interface = NetworkInterface.of(
        example,
        train.X,
        per_pixel=target.per_pixel,
        independent=target.kind == "multilabel",
        model_outputs=params.model_outputs,
        from_logits=_from_logits(params.loss),
        with_values=lambda: network.model,
    )
    if (
        isinstance(params.loss, partial)  # which is called as it is
        and interface.activation == "linear"
        and _from_logits(params.loss) is False
    ):
        raise ValueError(
            f"loss={params.loss!r} has from_logits=False, but the outputs of the network are "
            "logits. Set from_logits=True, or give the loss by name."
        )
    _warn_of_channels_first(train.X)
    plan = compiled.adopted(plan)
    traits = plan.loss.traits
    if traits.takes_cosines and not isinstance(params.model, str):
        _warn_without_cosines(params, network)
    target = target.agreeing(interface.units, interface.activation)
    if (
        target.kind == "binary"
        and not target.per_pixel
        and "binary" in traits.targets
        and target.loss_target not in traits.targets
    ):
        raise ValueError(
            f"model ends in {interface.units} outputs, but loss={params.loss!r} takes one logit "
            "for two classes. End in one unit."
        )
    check_target(plan.loss, target.loss_target, exclusive=target.link == "softmax")
    described = _description(params)
    return BuiltNetwork(network, interface, target, described, None, compiled, train.layout)


def _from_logits(loss: Any) -> bool | None:
    """Return what a loss of the user says of the outputs, None if it says nothing."""
    if isinstance(loss, partial):  # a function of Keras with arguments
        takes = inspect.signature(loss).parameters.get("from_logits")
        return None if takes is None else bool(takes.default)
    if not isinstance(loss, keras.losses.Loss):
        return None
    # False is Keras's default, which says something only where nothing else does
    said = getattr(loss, "from_logits", getattr(loss, "_fn_kwargs", {}).get("from_logits"))
    return None if said and isinstance(loss, ImbalancedLoss) else said


def standardized(
    network: Network,
    model: Any,
    X: Features,
    weight: np.ndarray,
    scaler: StandardScaler | None = None,
    known: StandardScaler | None = None,
) -> tuple[Network, StandardScaler | None]:
    """Return the network with the mean and variance that it standardises with, if it does.

    Parameters
    ----------
    network : Network
    model : str, callable or keras.Model
        Networks of the user's own standardise by themselves.
    X : ndarray or sparse matrix of shape (n_samples, ...)
    weight : ndarray of shape (n_samples,) or of pixels
    scaler : StandardScaler or None, default=None
        Statistics of earlier samples, to go on from. Not changed.
    known : StandardScaler or None, default=None
        The statistics, where X is a sample of what they are of.
    """
    if not isinstance(model, str):
        return network, None
    network = network.current()
    template = network.blueprint.example
    if not networks.standardizes(template):
        return network, None
    scaler = statistics(X, weight, copy.deepcopy(scaler)) if known is None else known
    limits = np.finfo(template.inputs[0].dtype)
    # Nothing is learnt from a constant, so that it must not count when it varies in prediction, and
    # the rounding error of the mean of large values is no signal. Its scale is 1 by convention.
    constant = (scaler.scale_ == 1) & (scaler.var_ != 1)
    variance = np.where(constant, float(limits.max), np.square(scaler.scale_))
    lost = np.flatnonzero((variance < limits.tiny) | (variance > limits.max))
    if len(lost):
        raise ValueError(
            f"X has features of a scale that {limits.dtype} cannot hold, the columns "
            f"{lost[:10].tolist()}. Pass X as float64, or in other units."
        )
    values = networks.with_statistics(template, network.values, scaler.mean_, variance)
    n_bins, n_numeric = networks.intervals_of(template)
    if n_bins and not sp.issparse(X):
        numbers = X.reshape(len(X), -1)[:, :n_numeric]
        values = networks.with_intervals(template, values, quantiles(numbers, weight, n_bins))
    return Network(network.blueprint, values), scaler


def quantiles(X: np.ndarray, weight: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the edges of intervals of equal weight of each feature.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    weight : ndarray of shape (n_samples,)
        A sample of weight 2 counts as two.
    n_bins : int

    Returns
    -------
    ndarray of shape (n_bins + 1, n_features), float64
        Ascending, those that are there once first; the last one is repeated.
    """
    X = np.asarray(X, np.float64)
    shares = np.linspace(0.0, 1.0, n_bins + 1)
    edges = np.empty((n_bins + 1, X.shape[1]))
    for feature, column in enumerate(X.T):
        order = np.argsort(column, kind="stable")
        reached = np.cumsum(weight[order]) / weight.sum()
        at = np.searchsorted(reached, shares - 1e-9)  # sums of weights are rounded
        once = np.unique(column[order][np.minimum(at, len(column) - 1)])
        edges[:, feature] = np.append(once, np.full(n_bins + 1 - len(once), once[-1]))
    return edges


def statistics(
    X: Features, weight: np.ndarray, so_far: StandardScaler | None = None
) -> StandardScaler:
    """Return mean and variance of the columns of a table, or of the channels of images.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, ...)
        An image without channels has one.
    weight : ndarray of shape (n_samples,) or of the shape of X without channels
    so_far : StandardScaler or None, default=None
        Those of other samples, which are updated.
    """
    scaler = StandardScaler() if so_far is None else so_far
    channels = X.shape[-1] if X.ndim in (2, 4) else 1
    per_row = int(np.prod(X.shape[1:])) // channels
    block = max(1, BLOCK_BYTES // (per_row * channels * 8))
    for rows in gen_batches(X.shape[0], block):
        features = dense(X[rows], "float64").reshape(-1, channels)
        each = weight[rows]
        each = np.repeat(each, per_row) if each.ndim == 1 else each.ravel()
        scaler.partial_fit(features, sample_weight=each)
    return scaler


def _check_same_model(params: FitParameters, built_from: Mapping[str, Any]) -> None:
    """Raise a ValueError if the network to go on with is not the one that is asked for now."""
    described = _description(params)
    changed = [
        name
        for name in {**built_from, **described}
        if not _same(described.get(name), built_from.get(name))
    ]
    if changed:
        own = ("model", "model_outputs")
        names = ", ".join(n if n in own else f"model__{n}" for n in changed)
        raise ValueError(
            f"{names} changed since the network was built, but warm_start and partial_fit go "
            "on with that network. Fit with warm_start=False, or a clone."
        )


def _description(params: FitParameters) -> dict[str, Any]:
    """Return the parameters that the network is built from."""
    outputs = {} if params.model_outputs == "auto" else {"model_outputs": params.model_outputs}
    return {"model": params.model, **params.model_arguments, **outputs}


def _same(value: Any, other: Any) -> bool:
    if value is other:
        return True
    if isinstance(value, keras.Model) and isinstance(other, keras.Model):
        # two models of one name have one repr
        keys = Blueprint.of(value).key, Blueprint.of(other).key
        return keys[0] is not None and keys[0] == keys[1]
    if type(value) is not type(other):
        return False
    if isinstance(value, (keras.layers.Layer, keras.initializers.Initializer)):
        return bool(value.get_config() == other.get_config())
    return repr(value) == repr(other)


def _new_network(
    params: FitParameters,
    plan: Plan,
    train: Samples,
    n_outputs: int,
    meta: dict[str, Any],
    rng: np.random.RandomState,
) -> tuple[Network, Compiled]:
    """Build the network with initial values, and return what it was compiled with."""
    arguments, model, dtype = dict(params.model_arguments), plan.model, plan.dtype
    X, layout = train.X, train.layout
    if isinstance(model, str):
        network = _built_in(BUILT_IN[model], arguments, plan, X, n_outputs, rng)
        return network, Compiled()
    if isinstance(model, keras.Model):
        if arguments:
            raise TypeError(
                "model is already built, so "
                f"{', '.join(f'model__{name}' for name in arguments)} cannot reach it. Give a "
                "function that builds it."
            )
        if model.built:
            network = Network.copy_of(model)
            if layout is not None:
                network = Network.of(on_rows(network.model, layout))
            return network, compiled_with(params, model)
        offered = {}
    else:
        check_arguments(model, arguments, takes_all=accepts_kwargs(model))
        offered = offered_to(model, params, plan, meta)
    seed = draw_seed(rng)

    call = BuildCall(model, arguments, offered, tuple(X.shape[1:]), dtype, seed, layout)
    if params.dtype == "auto" and dtype == "float64":
        try:
            built = call()
            with process_state(seed=0), keras.StatelessScope():  # which leaves no trace
                built(call.row, training=True)
        except (TypeError, ValueError, tf.errors.InvalidArgumentError):
            # a network written for float32; an error of another kind shows itself again
            call = replace(call, dtype="float32")
            built = call()
    else:
        built = call()
    network = Network.of(built, None if isinstance(model, keras.Model) else call)
    own = own_network(built, layout)
    return network, compiled_with(params, own, offered.get("compile_kwargs"))


def _built_in(
    function: Callable[..., keras.Model],
    arguments: dict[str, Any],
    plan: Plan,
    X: Features,
    n_outputs: int,
    rng: np.random.RandomState,
) -> Network:
    check_arguments(function, arguments, takes_all=False)
    arguments |= {"input_shape": X.shape[1:], "dtype": plan.dtype}
    if has_param(function, "n_outputs"):
        arguments["n_outputs"] = n_outputs
    if has_param(function, "few_per_batch"):
        few = plan.batches.batch_size < defaults.FEW_PER_BATCH and plan.batches.n_batches > 1
        arguments.setdefault("few_per_batch", few)
    if plan.loss.traits.takes_cosines and function is not networks.unet:
        arguments.setdefault("normalized_output", True)
    if plan.settings is not None:
        smaller = {"hidden_layer_sizes": defaults.MEMBER_LAYERS}
        arguments = smaller | arguments | plan.settings.network_arguments
    if function is networks.mlp_ensemble and plan.loss.traits.batch_level:
        arguments.setdefault("n_members", 1)  # each would compare all samples of a batch
    # what an autoencoder gets is standardised, so that float32 holds it
    if X.dtype == np.float64 and (plan.dtype == "float64" or function is not networks.autoencoder):
        arguments["input_dtype"] = "float64"
    blueprint = Blueprint.built_in(function.__name__, arguments)
    return Network(blueprint, networks.initial_values(blueprint.example, rng))


def _warn_without_cosines(params: FitParameters, network: Network) -> None:
    if networks.Cosines.__name__ not in network.blueprint.layer_types:
        warn_user(
            f"loss={params.loss!r} is made for cosines, but the network does not end in "
            "skimb.networks.Cosines(n_classes), so that its margins mean little."
        )


def _warn_of_channels_first(X: Features) -> None:
    if X.ndim == 4 and X.shape[1] in (1, 3) and min(X.shape[2:]) > 4:
        warn_user(
            f"X has images of shape {X.shape[1:]}, whose first axis is as long as channels are. "
            "Channels come last: pass np.moveaxis(X, 1, -1) if these are channels."
        )
