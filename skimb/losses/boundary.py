"""Boundary loss: predictions weighted by their distance to the boundary of the true mask."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from skimb._types import Tensor
from skimb.losses.distances import signed_distances
from skimb.losses.images import ImageLoss, image_axes


@keras.saving.register_keras_serializable(package="skimb")
class Boundary(ImageLoss):
    r"""Boundary loss: probabilities weighted by the signed distance to the boundary of the mask.

    .. math:: \frac{1}{N} \sum_q \phi(q)\, p(q)

    with :math:`\phi(q)` the distance in pixels between the pixel :math:`q` and the boundary of the
    true mask, negative inside the mask. It corrects the outline of what another loss has found, and
    is meant as a small term beside one: ``loss={"dice_cross_entropy": 1, "boundary": 0.1}``.

    Parameters
    ----------
    target, from_logits, name, reduction, dtype
        See :class:`~skimb.losses.base.ImbalancedLoss`.

    Notes
    -----
    The boundary runs between pixels, so the innermost distances are -0.5 and 0.5. A mask that is
    empty or full has no boundary, and a loss of 0. The loss of a perfect mask is negative. Several
    classes are averaged, each with distances of its own. Pixels of weight 0 belong to neither side.

    The distances are exact, equal to those of :func:`scipy.ndimage.distance_transform_edt`, and
    computed of each batch with its augmented masks, in a few per cent of the time of a training
    step of the built-in network. The images have to be of a known size.

    References
    ----------
    .. [1] H. Kervadec, J. Bouchtiba, C. Desrosiers, E. Granger, J. Dolz, I. Ben Ayed, "Boundary
       Loss for Highly Unbalanced Segmentation", MIDL 2019. https://arxiv.org/abs/1812.07032

    Examples
    --------
    >>> import numpy as np
    >>> from skimb.losses import Boundary
    >>> mask = np.array([[[1, 0, 0, 0]]])
    >>> print(f"{float(Boundary()(mask, np.zeros((1, 1, 4, 1), 'float32'))):.4f}")
    0.5000
    """

    traits = replace(ImageLoss.traits, has_positive=True)

    def of_images(self, y: Tensor, outputs: Tensor, weight: Tensor, softmax: bool) -> Any:
        counted = ops.broadcast_to(weight > 0.0, ops.shape(y))
        distances = ops.stop_gradient(signed_distances(y > 0.5, counted, outputs.dtype))
        return ops.mean(weight * distances * outputs, axis=(*image_axes(y), -1))
