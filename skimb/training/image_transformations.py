"""The default augmentation of images, and of images with masks: a function of a batch each."""

from __future__ import annotations

from keras import ops, random

from skimb._types import Tensor

# Standard deviations of contrast, and of brightness as a share of the image's standard deviation.
# Sections of one stack differ by as much: measured in benchmarks.masks.
_OF_MASKS, _OF_IMAGES = 0.25, 0.1

# of the side of an image: a pixel of 28
_SHIFT = 0.04


def turned(images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Flip images with their masks, turn square ones, and change brightness and contrast.

    Parameters
    ----------
    images : tensor of shape (n, H, W) or (n, H, W, C)
    masks : tensor of shape (n, H, W, M)

    Returns
    -------
    images, masks
        Of the same shapes.
    """
    swaps: list[tuple[int, int | None]] = [(1, None), (2, None)]
    if images.shape[1] is not None and images.shape[1] == images.shape[2]:
        swaps.append((1, 2))  # a transposition: with the flips, all eight positions of a square
    for first, second in swaps:
        chosen = random.uniform((ops.shape(images)[0],), dtype="float32") < 0.5
        images, masks = (
            _where(chosen, _moved(part, first, second), part) for part in (images, masks)
        )
    return _brightened(images, _OF_MASKS), masks


def shifted(images: Tensor) -> Tensor:
    """Shift the images of a batch by a few pixels, and change brightness and contrast of each.

    Nothing is flipped, since letters, digits and lungs are no longer themselves then. The images of
    a batch move together, which is one slice; in the next epoch they move elsewhere.

    Parameters
    ----------
    images : tensor of shape (n, H, W) or (n, H, W, C)

    Returns
    -------
    tensor of the same shape
    """
    shape = images.shape
    most = [round(_SHIFT * side) for side in shape[1:3]]
    if any(most):
        margins = [(0, 0), *((m, m) for m in most), *[(0, 0)] * (len(shape) - 3)]
        padded = ops.pad(images, margins, mode="symmetric")
        starts = [random.randint((), 0, 2 * m + 1, dtype="int32") for m in most]
        for axis, start in enumerate(starts, start=1):
            # of the same dtype whatever Keras's default float is
            within = ops.arange(shape[axis], dtype="int32")
            padded = ops.take(padded, start + within, axis=axis)
        images = padded
    return _brightened(images, _OF_IMAGES)


def _moved(part: Tensor, first: int, second: int | None) -> Tensor:
    if second is None:
        return ops.flip(part, axis=first)
    return ops.swapaxes(part, first, second)


def _where(chosen: Tensor, changed: Tensor, unchanged: Tensor) -> Tensor:
    return ops.where(ops.reshape(chosen, (-1, *[1] * (len(changed.shape) - 1))), changed, unchanged)


def _brightened(images: Tensor, amount: float) -> Tensor:
    """Change brightness and contrast relative to what the batch has of them in each channel."""
    pixels = (0, 1, 2)
    mean = ops.mean(images, axis=pixels, keepdims=True)
    spread = ops.std(images, axis=pixels, keepdims=True)
    shape = (ops.shape(images)[0], *[1] * (len(images.shape) - 1))
    # of float32, so that images are changed the same way whatever their dtype
    noise = (amount * random.normal(shape, dtype="float32") for _ in range(2))
    contrast, brightness = (ops.cast(values, images.dtype) for values in noise)
    return images + contrast * (images - mean) + brightness * spread
