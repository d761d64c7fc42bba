"""What the outputs of a network are: logits, or probabilities by a sigmoid or a softmax."""

from __future__ import annotations

import inspect
from functools import partial

import keras
import numpy as np
from keras import ops

from skimb._backend.randomness import process_state
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan
from skimb.losses.registry import LossSpec
from skimb.networks.interface import NetworkInterface
from skimb.networks.outputs import output_link
from skimb.training import Network
from skimb.training.dataset import dense

LINKS = ("linear", "sigmoid", "softmax")

# what is computed of the training samples to see what the outputs are
PROBED_SAMPLES = 256
PROBED_VALUES = 2**22

_CURE = (
    'Say what the network ends in: model_outputs="logits" for numbers of any size, or '
    'model_outputs="probabilities" for a sigmoid or a softmax.'
)


def link_of(
    params: FitParameters,
    plan: Plan,
    target: Target,
    network: Network,
    interface: NetworkInterface,
    train: Samples,
) -> str:
    """Return what a network ends in.

    What the user says comes first, then what the operations of the network show, then the loss, and
    last the outputs for some of the training samples.

    Parameters
    ----------
    params, plan, target, network
    interface : NetworkInterface
        Whose shapes are known.
    train : Samples
        Encoded.

    Returns
    -------
    {"linear", "sigmoid", "softmax"}

    Raises
    ------
    ValueError
        If it cannot be known, contradicts the loss, or is another activation.
    """
    says_logits = _from_logits(plan.loss) is True
    link = _link_asked_for(params, target, interface.units)
    by_user = link is not None
    if link is None and isinstance(plan.model, str):
        link = "linear"
    if link is None:
        link = output_link(network.blueprint.example, interface.input_shape)
        values = None
        if link is None and says_logits:
            return "linear"
        exclusive = interface.units > 1 and target.kind != "multilabel"
        if link is None or (link == "sigmoid" and exclusive):
            values = _probe(network, interface, train)
        if link is None:
            link = _link_of_values(params, plan.loss, target, values)
        elif values is not None and _rows_sum_to_one(values):
            link = "softmax"  # such as the probabilities 1 - p and p side by side
    if link not in LINKS:
        raise ValueError(
            f"model ends in the activation {link!r}. Accepted are 'linear' (logits), 'sigmoid' and "
            "'softmax'. End in a layer without an activation, or set model_outputs to what its "
            'values are, "logits" or "probabilities".'
        )
    if says_logits and link != "linear":
        origin = f"model_outputs={params.model_outputs!r}" if by_user else f"it ends in a {link}"
        raise ValueError(
            f"loss={params.loss!r} has from_logits=True, but the outputs of the network are "
            f"probabilities: {origin}. Leave from_logits out, which the estimator fills in, or end "
            "in logits."
        )
    if link == "linear" and isinstance(plan.loss.source, partial):
        if _from_logits(plan.loss) is False:  # a function, which is called as it is
            raise ValueError(
                f"loss={params.loss!r} has from_logits=False, but the outputs of the network are "
                "logits. Set from_logits=True, or give the loss by name."
            )
    return link


def _link_asked_for(params: FitParameters, target: Target, units: int) -> str | None:
    """Return what `model_outputs` says."""
    if params.model_outputs == "auto":
        return None
    if isinstance(params.model, str) and params.model_outputs == "probabilities":
        raise ValueError(
            f"model_outputs='probabilities' is about networks of your own, and model="
            f"{params.model!r} ends in logits. Leave it at 'auto'."
        )
    if params.model_outputs == "logits":
        return "linear"
    return "sigmoid" if units == 1 or target.kind == "multilabel" else "softmax"


def _from_logits(loss: LossSpec) -> bool | None:
    """Return what an instance or a function with arguments says that it takes, if it does.

    True is the default of the library's own losses and says nothing there; of an instance of
    Keras's, False may be its default.
    """
    source = loss.source
    if isinstance(source, partial):
        takes = inspect.signature(source).parameters.get("from_logits")
        return None if takes is None else bool(takes.default)
    if not isinstance(source, keras.losses.Loss):
        return None
    given = getattr(source, "from_logits", getattr(source, "_fn_kwargs", {}).get("from_logits"))
    default = getattr(loss.parameters.get("from_logits"), "default", None)
    return None if given is None or (given and default) else bool(given)


def _link_of_values(
    params: FitParameters, loss: LossSpec, target: Target, values: np.ndarray
) -> str:
    """Return what the outputs for some samples show, with what the loss says."""
    known = values[np.isfinite(values)]
    if ((known < 0) | (known > 1 + 1e-3)).any():
        return "linear"
    if len(known) and _rows_sum_to_one(values):
        return "softmax"
    if len(known) and _from_logits(loss) is False:
        return "sigmoid" if values.shape[-1] == 1 or target.kind == "multilabel" else "softmax"
    shown = f"between {known.min():.3g} and {known.max():.3g}" if len(known) else "not finite"
    raise ValueError(
        f"model={params.model!r} computes its outputs in a way that does not show whether they are "
        f"logits or probabilities (for {len(values)} samples they are {shown}). {_CURE}"
    )


def _rows_sum_to_one(values: np.ndarray) -> bool:
    if values.shape[-1] == 1 or not np.isfinite(values).all() or values.min() < 0:
        return False
    return bool(np.allclose(values.sum(axis=-1), 1.0, atol=1e-3))


def _probe(network: Network, interface: NetworkInterface, train: Samples) -> np.ndarray:
    """Return the outputs of the untrained network for some samples, from first to last."""
    per_sample = max(1, int(np.prod(train.X.shape[1:])))
    n = min(len(train), PROBED_SAMPLES, max(8, PROBED_VALUES // per_sample))
    rows = np.unique(np.linspace(0, len(train) - 1, n).astype(int))
    X = dense(train.X[rows], interface.input_dtype)
    with process_state(seed=0), keras.StatelessScope():  # which leaves no trace
        outputs = keras.tree.flatten(network.model(ops.convert_to_tensor(X), training=False))[0]
    return np.asarray(ops.convert_to_numpy(ops.cast(outputs, "float32")))
