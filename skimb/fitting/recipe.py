"""Which defaults apply to a fit: those for tables, for images, for masks, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

from skimb.data.patches import patches_of
from skimb.data.resampling import resampler
from skimb.data.samples import Samples
from skimb.data.targets import Target
from skimb.fitting import defaults
from skimb.fitting.parameters import FitParameters, LossLike, ModelLike


def model_name(params: FitParameters, n_axes: int) -> ModelLike:
    """Return `model` with "auto" resolved for X with this number of axes."""
    if not (isinstance(params.model, str) and params.model == "auto"):
        return params.model
    if params.reconstructs:
        return "autoencoder"
    return defaults.TABLE_NETWORK if n_axes == 2 else "cnn"


def is_built_in(params: FitParameters, n_axes: int, name: str) -> bool:
    """Whether the network is the built-in one of this name."""
    model = model_name(params, n_axes)
    return isinstance(model, str) and model == name


def uses_table_recipe(params: FitParameters, n_axes: int) -> bool:
    """Whether optimizer and network are both the defaults for tables."""
    return _leaves_optimizer(params) and is_built_in(params, n_axes, defaults.TABLE_NETWORK)


def uses_image_recipe(params: FitParameters, n_axes: int) -> bool:
    """Whether the optimizer is the default, for masks or for the built-in network for images."""
    return _leaves_optimizer(params) and (params.per_pixel or is_built_in(params, n_axes, "cnn"))


def rate_falls(params: FitParameters, n_axes: int) -> bool:
    """Whether the learning rate falls to 0, so that training ends by itself, and best at its end.

    Early stopping would cut off the part of the training that matters most.
    """
    return uses_table_recipe(params, n_axes) or uses_image_recipe(params, n_axes)


def _leaves_optimizer(params: FitParameters) -> bool:
    return isinstance(params.optimizer, str) and params.optimizer == "auto"


def loss_of(params: FitParameters) -> tuple[LossLike, Mapping[str, Any]]:
    """Return `loss` with "auto" resolved, and the parameters routed to it."""
    if isinstance(params.loss, str) and params.loss == "auto" and params.per_pixel:
        return "dice_cross_entropy", {"per_image": False, **params.loss_arguments}
    return params.loss, params.loss_arguments


def epochs_of(params: FitParameters, n_axes: int, n_batches: int, n_pixels: int) -> int:
    """Return the number of epochs.

    Parameters
    ----------
    params : FitParameters
    n_axes : int
        Of X.
    n_batches, n_pixels : int
        Batches of an epoch, and pixels of images in it.
    """
    if params.extent != "fit":
        return 1 if params.extent == "chunk" else 0
    if params.epochs != "auto":
        return int(params.epochs)
    if params.reconstructs:
        return min(defaults.AUTOENCODER_EPOCHS, -(-defaults.AUTOENCODER_STEPS // n_batches))
    if params.per_pixel:
        return defaults.mask_epochs(n_pixels)
    if is_built_in(params, n_axes, defaults.TABLE_NETWORK):
        return defaults.table_epochs(n_batches)
    return (
        defaults.image_epochs(n_batches) if uses_image_recipe(params, n_axes) else defaults.EPOCHS
    )


def divides_evenly(params: FitParameters, n_axes: int) -> bool:
    """Whether the batches have one size: by default, with the default network for tables."""
    by_default = params.batch_size == "auto" and params.batching == "shuffled"
    return by_default and params.extent == "fit" and uses_table_recipe(params, n_axes)


def batch_size_of(params: FitParameters, n_axes: int, n_samples: int) -> int:
    """Return the number of samples a batch, at most `n_samples`."""
    size = params.batch_size
    if size == "auto":
        if params.per_pixel:
            size = defaults.MASK_BATCH_SIZE
        elif uses_image_recipe(params, n_axes):
            size = defaults.image_batch_size(n_samples)
        else:
            size = defaults.BATCH_SIZE
    return min(int(size), n_samples)


def patch_size_of(params: FitParameters, train: Samples) -> tuple[int, int] | None:
    """Return the height and width of the patches to train on, None for whole images.

    Raises
    ------
    ValueError
        If `patch_size` is not a size.
    """
    size = params.patch_size
    if not params.per_pixel or size is None or params.extent == "initialize":
        return None
    height, width = train.X.shape[1:3]
    if isinstance(size, str):
        if not is_built_in(params, train.n_axes, "unet"):
            return None  # a network of the user's own may take images of one size
        patch = defaults.patch_side(height), defaults.patch_side(width)
        return None if patch == (height, width) else patch
    pair = size if isinstance(size, (tuple, list)) else (size, size)
    if len(pair) != 2 or not all(isinstance(n, Integral) and n >= 1 for n in pair):
        raise ValueError(
            f"patch_size={size!r} is not a size. Accepted are a side in pixels, a pair (height, "
            "width), 'auto', and None for whole images."
        )
    return min(int(pair[0]), height), min(int(pair[1]), width)


def resampler_for(
    params: FitParameters, train: Samples, target: Target, seed: int
) -> Callable[[], Samples]:
    """Return a function that draws what is trained on: of a sampler, or patches of images.

    Parameters
    ----------
    params : FitParameters
    train : Samples
        Encoded, with codes for labels.
    target : Target
    seed : int
    """
    size = patch_size_of(params, train)
    if size is None:
        return resampler(params.sampler, train, target, seed)
    return patches_of(train, target, size, params.patch_foreground, defaults.PIXELS_OF_EPOCH, seed)
