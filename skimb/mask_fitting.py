"""The steps of a fit where they are others for masks: checks of shapes, weights of pixels."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from sklearn.metrics import make_scorer
from sklearn.utils import check_consistent_length

from skimb.networks.interface import shapes_agree
from skimb.fitting import FitSteps
from skimb.losses.binding import BoundLoss
from skimb.losses.pixels import PixelLoss
from skimb.metrics import mean_dice
from skimb.metrics.scorers import Scorer, scorer_for
from skimb.data.targets import Target
from skimb.training import Rows
from skimb.training.epochs import Batches
from skimb.training.mask_augmentation import MaskAugmentation
from skimb.data.splitting import HeldOut
from skimb.weighting import median_frequency_from_counts


class MaskFitSteps(FitSteps):
    """Weights of classes are given to the loss, which knows the pixels, and not to the rows."""

    _auto_batch_size = 8

    # what other estimators have as parameters, and images with masks do not
    pos_weight = None
    class_weight_start = 0.0
    class_prior = None
    sampler = None
    resample_every_epoch = False
    augment_classes = "all"

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Any, ...]:
        """Return images, masks and weights as arrays, without the images of weight 0."""
        X = self._checked_X(X, reset=reset)
        y = checked_masks(y)
        check_consistent_length(X, y)
        if y.shape != X.shape[:3]:
            first = X.ndim == 4 and y.shape[1:] == X.shape[2:]
            hint = " Channels come last: pass np.moveaxis(X, 1, -1)." if first else ""
            raise ValueError(
                f"y has masks of shape {y.shape[1:]}, but X images of shape {X.shape[1:3]}. There "
                f"has to be a label for each pixel.{hint}"
            )
        weight = _checked_weights(sample_weight, y.shape)
        kept = weight.reshape(len(weight), -1).any(axis=1)
        if not kept.any():
            raise ValueError("sample_weight has nothing but zero weights, so no image is left.")
        if weight.ndim > 1:
            y = _without_void(y, weight)
        return (X, y, weight) if kept.all() else (X[kept], y[kept], weight[kept])

    def _checked_X(self, X: Any, y: Any = "no_validation", *, reset: bool, **checks: Any) -> Any:
        shape = np.shape(X) if hasattr(X, "shape") else (0, 0, 0)
        if len(shape) not in (3, 4):
            raise ValueError(
                f"X has the shape {shape}. Accepted are images of shape (n, height, width) or "
                "(n, height, width, channels). Give a single image as X[np.newaxis]."
            )
        return super()._checked_X(X, y, reset=reset, **checks)

    def _takes_rows_of(self, shape: tuple[int, ...]) -> bool:
        inputs = getattr(self._fitted.network.blueprint.example, "inputs", None) or []
        return len(inputs) == 1 and shapes_agree(inputs[0].shape[1:], shape)

    def _start(self, X: Any, y: np.ndarray, target: Target) -> None:
        counts = target.counts(target.codes(y), np.ones(len(y)))
        self.background_ = self._background_of(target.classes_, counts)
        super()._start(X, y, target)

    def _check_same_model(self) -> None:
        super()._check_same_model()
        self.background_ = self._background_of(self.classes_, self.class_counts_)

    def _background_of(self, classes: np.ndarray, counts: np.ndarray) -> Any:
        if self.background is not None:
            if self.background not in classes.tolist():
                raise ValueError(
                    f"background={self.background!r} is no label of y, which has "
                    f"{classes.tolist()}."
                )
            return classes[classes.tolist().index(self.background)]
        if classes.dtype.kind in "biuf" and 0 in classes:
            return classes[np.flatnonzero(classes == 0)[0]]
        return classes[np.argmax(counts)]

    @property
    def _positive_code(self) -> int:
        """The position of the foreground, of several classes that of the rarest."""
        counts = np.where(self.classes_ == self.background_, np.inf, self.class_counts_)
        return int(np.argmin(np.where(counts > 0, counts, np.finfo(float).max)))

    def _scorer(self, name: Any, target: Target, minority: int) -> Scorer:
        if isinstance(name, str) and name == "dice":
            foreground = target.classes_[target.classes_ != self.background_]
            return make_scorer(mean_dice, labels=foreground)
        return scorer_for(name, target, minority, others=("dice",))

    def _weighting_scheme(self, codes: np.ndarray, sample_weight: np.ndarray) -> Any:
        if isinstance(self.class_weight, str) and self.class_weight == "median_frequency":
            # of a stream, the images of the chunk
            target: Any = self._fitted.target
            return median_frequency_from_counts(target.counts_of_images(codes, sample_weight))
        return self.class_weight

    @property
    def _threshold(self) -> Any:
        # the Dice coefficient of the pixels of two classes is the F1 of the foreground
        of_dice = isinstance(self.threshold, str) and self.threshold == "dice"
        return "f1" if of_dice and len(self.classes_) == 2 else self.threshold

    def _bound(self, loss: Any, **parameters: Any) -> BoundLoss:
        used: Any = self.class_weight_
        table = np.array(list(used.values()))
        mean = np.average(table, weights=self._fitted.seen)
        if not mean:
            raise ValueError(
                f"class_weight={self.class_weight!r} gives every pixel the weight 0, so there is "
                "nothing to learn from."
            )
        augmentation = self._augmentation()
        void = augmentation is not None and augmentation.leaves_gaps
        return PixelLoss(loss, class_weight=table / mean, void=void, **parameters)

    def _plan(
        self,
        X: Any,
        codes: np.ndarray,
        sample_weight: np.ndarray,
        loss: BoundLoss,
        early_epochs: int,
    ) -> tuple[Rows, Batches]:
        target, ends = self._fitted.target, self._fitted.ends
        mean = self._fitted.seen.sum() / self._fitted.n_rows  # in the batches
        rows = Rows(
            X,
            target.encode(codes, loss.one_hot, ends.output_dtype),
            (sample_weight / mean).astype(ends.output_dtype),
            ends.input_dtype,
        )
        return rows, self._batches(codes)

    def _loss_weight(self, rows: HeldOut) -> np.ndarray:
        return rows.sample_weight / rows.sample_weight.mean()

    def _augmentation(self) -> MaskAugmentation | None:
        if self.augmentation is None:
            return None
        self._refuse_class_as_augmentation()
        return MaskAugmentation(self.augmentation).checked(2, "two, a batch of images and masks")


def checked_masks(y: Any) -> np.ndarray:
    """Return masks as an array of labels of shape (n, H, W).

    Raises
    ------
    ValueError
        If y is none, has NaN, or measures something.
    """
    y = keras.ops.convert_to_numpy(y) if keras.ops.is_tensor(y) else np.asarray(y)
    if y.ndim == 4 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.ndim != 3:
        one_hot = " If it is one-hot, pass y.argmax(axis=-1)." if y.ndim == 4 else ""
        one_hot = " Pass y[:, 0]." if y.ndim == 4 and y.shape[1] == 1 else one_hot
        raise ValueError(
            f"y has the shape {y.shape}. Accepted are masks of shape (n, height, width) with a "
            f"label for each pixel.{one_hot}"
        )
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and np.array_equal(y, np.round(y))):
        raise ValueError(
            "y has numbers that are no labels: NaN, infinity, or fractions. Give each pixel the "
            "label of its class, such as y > 0.5."
        )
    if y.dtype.kind == "O":
        if (y != y).any():
            raise ValueError("y has NaN. Give each pixel the label of its class.")
        try:
            np.unique(y)
        except TypeError as error:
            raise ValueError(f"y mixes labels that cannot be sorted: {error}.") from error
    return y


def _without_void(y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return masks in which pixels of weight 0 have a label that others have too."""
    void = weight == 0
    if not void.any():
        return y
    labels, counts = np.unique(y[~void], return_counts=True)
    return np.where(void, labels[np.argmax(counts)], y)


def _checked_weights(sample_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
    if sample_weight is None:
        return np.ones(shape[0])
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape == ():
        weight = np.full(shape[0], weight)
    if weight.shape == shape and np.ptp(weight) == 0:
        weight = weight[:, 0, 0]
    if weight.shape not in (shape[:1], shape):
        raise ValueError(
            f"sample_weight has the shape {weight.shape}. Accepted are a weight an image, "
            f"{shape[:1]}, or a weight a pixel, {shape}."
        )
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("sample_weight has to be finite and at least 0.")
    return weight
