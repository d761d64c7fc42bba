"""The segmenter: one label per pixel of an image."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skimb._types import CV, Classes, Features, Groups, Label, Labels, RandomState, SampleWeight
from skimb.data.samples import Samples, Schema
from skimb.estimators.arguments import explained
from skimb.estimators.base import FittedAttribute
from skimb.estimators.callbacks import CallbackSupportMixin, with_callbacks
from skimb.estimators.constraints import AT_LEAST_1, AUTO, OF_CLASSIFIERS
from skimb.estimators.image_lists import (
    as_batch,
    differ_in_size,
    image_by_image,
    padded_logits,
)
from skimb.estimators.network_classifier import NetworkClassifier
from skimb.estimators.reading import check_images, read_masks
from skimb.fitting.parameters import (
    AugmentationLike,
    LossLike,
    ModelLike,
    OptimizerLike,
    ThresholdSpec,
    WeightScheme,
)
from skimb.fitting.windows import logits_of_images
from skimb.metrics.scorers import Snapshot, scorer_for
from skimb.training.distribution import Distribution


class ImbalancedNNSegmenter(CallbackSupportMixin, ClassifierMixin, NetworkClassifier):
    """Semantic segmentation of images with a small foreground.

    ``score`` is the Dice coefficient of the foreground classes, not the pixel accuracy: with 1 %
    foreground, an empty mask is 99 % accurate. X is images of shape (n, height, width[, channels])
    in any scale, such as 0 to 255, and y is masks of shape (n, height, width) with a label for each
    pixel. Where images differ in size, both are lists.

    Parameters
    ----------
    model : "unet", callable or keras.Model, default="unet"
        The network, a U-Net [1]_, see :func:`skimb.networks.unet`: ``model__depth`` and
        ``model__width`` set its size. A function may take ``meta``, as in
        :class:`ImbalancedNNClassifier`. It ends in an output of shape (n, height, width, units):
        logits, a sigmoid or a softmax. Two classes take one unit, or one for each.
    loss : str, dict, keras.losses.Loss or callable, default="auto"
        ``"auto"`` is ``"dice_cross_entropy"`` with ``loss__per_image=False``: the Dice coefficient
        over the pixels of a batch, some images of which may be empty. A name from
        :func:`skimb.losses.available` for "pixels", or of a Keras loss, a class, an instance, or a
        function ``loss(y_true, y_pred)`` of the network's outputs. A dict of names and weights is a
        sum, ``{"dice_cross_entropy": 1, "boundary": 0.1}``; hyperparameters of a term are routed by
        its name, ``loss__dice_cross_entropy__dice_weight``.
    model_outputs : {"auto", "logits", "probabilities"}, default="auto"
        What a network of your own ends in, as in :class:`ImbalancedNNClassifier`.
    class_weight : str, dict, array-like or None, default=None
        Weights of the pixels of each class: ``"balanced"``, ``"sqrt_balanced"``, ``"effective"``,
        ``"median_frequency"``, or numbers, see :func:`skimb.weighting.pixel_weights`. None is the
        default, since the default loss does not depend on the size of the foreground.
    weight_power : float >= 0, default=1.0
        Exponent on the weights.
    classes : array-like of shape (n_classes,) or None, default=None
        All labels there are, where the masks of a fold may lack a rare one. None is those in y.
    background : label or None, default=None
        The class that is not foreground. None is the label 0 or False where there is one, and
        otherwise the most common label.
    optimizer : str, keras.optimizers.Optimizer or class, default="auto"
        ``"auto"`` is Adam with a learning rate that falls to 0 over all epochs, from 0.003 for the
        built-in network and 0.001 for one of your own, or from ``optimizer__learning_rate``.
        ``"adam"`` keeps its learning rate.
    epochs : int or "auto", default="auto"
        ``"auto"`` uses 10 to 100 epochs: as many as show about 30 million pixels in all.
    patch_size : int, pair of int, "auto" or None, default="auto"
        Height and width of the patches of images that the network is trained on, others in every
        epoch. ``"auto"`` is an eighth of the image's side for the built-in network, at least 64 and
        at most 256 pixels, and whole images for a network of your own. None is whole images.
    patch_foreground : float in [0, 1], default=1/3
        The share of the patches that shows the foreground, however rare it is; of several
        foreground classes each gets an equal part of it. The others are cut at random positions.
    batch_size : int or "auto", default="auto"
        Images or patches a batch. ``"auto"`` is 8, or as many as there are. With fewer than four,
        and not all, the default network has :class:`skimb.networks.SteadyNormalization`.
    batching : {"shuffled", "stratified", "balanced"}, default="shuffled"
        Which images go into a batch. ``"stratified"`` and ``"balanced"`` use the rarest class
        that an image shows.
    augmentation : "auto", keras.Layer, callable or None, default="auto"
        Augmentation of the images and masks of training batches. ``"auto"`` flips and turns them at
        right angles, and changes brightness and contrast: set None where up and down differ, as in
        photographs of streets, or where brightness decides. Otherwise image layers of Keras, such
        as :class:`keras.layers.RandomFlip` or a :class:`keras.layers.Pipeline` of several, or a
        function from (images, masks) to both. Its masks have the shape (n, height, width, M), with
        labels, weights and the like of the pixels as channels: it has to move them as the image,
        and to take the nearest pixel where it would interpolate. Pixels that a layer fills in from
        outside the image have no weight. Functions draw random numbers with :mod:`keras.random`.
    early_stopping : bool or "auto", default="auto"
        Whether to stop when `monitor` no longer improves, and to restore the best epoch.
        ``"auto"`` is no while the learning rate falls to 0, as by default: training is best at its
        end then. With another `optimizer` it is yes above 10,000 images, or where `fit` is
        given `X_val`.
    cv : int, splitter, iterable or None, default=None
        Folds of a cross-fit: a network is trained without each fold, `predict` uses the mean of
        all, and what they predict for the images that they held out chooses the threshold. A number
        of folds, stratified by the rarest class that an image shows, a splitter of scikit-learn, or
        pairs of positions. None is one network that is trained on all images.
    validation_fraction : float in (0, 1), default=0.1
        Share of the images that is held out where there are no folds, if training may stop early or
        a `threshold` is chosen: by default none.
    monitor : str, default="dice"
        The score that early stopping watches on the validation set: ``"loss"``, or a name as in
        `scoring`.
    patience : int, default=10
        Epochs without improvement before training stops.
    threshold : float, array-like, dict or str, default=0.5
        Probability from which `predict` decides for the foreground, of two classes. A name such as
        ``"f1"``, which for the pixels of two classes is the Dice coefficient, chooses it on the
        validation set, of which at most half a million pixels are used; so does ``"dice"``, for two
        classes. For more classes it is one number each, which divides the class's probability
        before the largest is taken, and ``"f1"`` is the mean over all of them. Rules for two
        classes are those of pixels, such as ``{"recall": 0.9}``, and those of lesions,
        connected components of the foreground: ``{"lesion_recall": 0.9}``, optionally with
        ``"confidence"``, and ``{"false_alarms_per_image": 0.5}``, see
        :func:`skimb.probability.best_threshold`. What the choice amounts to is in
        ``decision_report_``.
    prior_correction : bool, default=False
        Whether `predict_proba` is corrected for class weights, balanced batches and the loss, in
        closed form: for ``loss="cross_entropy"`` or ``"focal"``. For losses
        without one, the default among them, it is an error.
    ignore_label : label or None, default=None
        A label of pixels that do not count, neither in training nor in scores, such as 255.
    test_time_augmentation : bool, default=False
        Whether predictions are means over each image and its three mirror images: a little better,
        and four times as slow.
    callbacks : list or dict of keras.callbacks.Callback, or None, default=None
        As in :class:`ImbalancedNNClassifier`.
    metrics : list of str or None, default=None
        Names of scores, as for `scoring`, that ``history_`` has after every epoch.
    scoring : str or callable, default="dice"
        What `score` returns. Of the foreground: ``"dice"``, see :func:`skimb.metrics.mean_dice`;
        of lesions, the connected components of the foreground: ``"lesion_recall"``, ``"lesion_f1"``
        and ``"neg_false_alarms"``, see :func:`skimb.metrics.lesion_recall`; of the outlines:
        ``"surface_dice"`` with a tolerance of one pixel and ``"neg_hausdorff_95"``, see
        :func:`skimb.metrics.surface_dice`. The negative ones are better the closer to 0. Otherwise
        the name of a score of :class:`ImbalancedNNClassifier` or of scikit-learn, with pixels for
        samples, or ``scorer(estimator, X, y)``. Scores of scikit-learn take no masks, so name one
        here and leave the ``scoring`` of a search out.
    trainer : {"auto", "compiled", "keras"}, default="auto"
        As in :class:`ImbalancedNNClassifier`.
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None, default=None
        As in :class:`ImbalancedNNClassifier`.
    dtype : str, default="float32"
        Dtype or Keras dtype policy of networks that are built here; ``"auto"`` as in
        :class:`ImbalancedNNClassifier`.
    warm_start : bool, default=False
        Whether `fit` continues with the network of the last fit.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, held-out images, batches, augmentation by layers, and dropout.
    verbose : int, default=0
        1 shows a line that is updated every epoch where the output is a terminal or a notebook;
        otherwise, and with 2, a line per epoch is printed.
    **routed
        ``model__*`` for the network, ``optimizer__*``, ``loss__*`` and ``callbacks__*``.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network. The built-in one takes images of any height and width. Images with a
        side of more than 1,024 pixels, or more than a network of your own takes, are predicted in
        overlapping windows.
    classes_ : ndarray of shape (n_classes,)
    background_ : label
        The class that is not foreground.
    n_features_in_ : int
        The height of the images, as scikit-learn counts.
    n_iter_, best_iter_, history_, loss_, threshold_, decision_report_, trainer_
        As in :class:`ImbalancedNNClassifier`.
    class_counts_ : ndarray of shape (n_classes,)
        Summed weights of the pixels of each class.
    class_weight_ : dict
        The weights that were used.
    oof_predict_proba_ : ndarray of shape (n_images, height, width, n_classes)
        Probabilities by networks that held the image out, NaN where none did. Images of different
        sizes are padded at the lower and the right edge. Only with `cv`; what they are computed
        from takes some 8 bytes a pixel in the estimator and in its files.
    oof_score_ : float
        Their score by `scoring`. A threshold that is chosen by a score is chosen for each fold on
        the others, up to 250,000 pixels in all; with more it is ``threshold_``. Only with `cv`.
    minority_class_ : label
        The class with the fewest pixels. Scores and thresholds of one class are those of the
        foreground, though, also where that is the larger part.

    Notes
    -----
    scikit-learn does not stratify masks. ``cv=list(StratifiedKFold(5).split(X, y.any(axis=(1,
    2))))`` gives every fold its share of images with foreground.

    See Also
    --------
    skimb.losses : Which of them take "pixels".

    References
    ----------
    .. [1] O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional Networks for Biomedical Image
       Segmentation", MICCAI 2015. https://arxiv.org/abs/1505.04597

    Examples
    --------
    >>> import numpy as np
    >>> from skimb import ImbalancedNNSegmenter
    >>> rng = np.random.default_rng(0)
    >>> masks = np.zeros((24, 16, 16), bool)
    >>> for mask, (i, j) in zip(masks, rng.integers(0, 12, (24, 2))):
    ...     mask[i : i + 4, j : j + 4] = True
    >>> images = masks + rng.normal(0, 0.3, masks.shape)
    >>> seg = ImbalancedNNSegmenter(
    ...     model__depth=1, model__width=8, optimizer__learning_rate=0.01, random_state=0
    ... )
    >>> bool(seg.fit(images[:16], masks[:16]).score(images[16:], masks[16:]) > 0.8)
    True
    >>> seg.predict(images[:2]).shape, seg.predict_proba(images[:2]).shape
    ((2, 16, 16), (2, 16, 16, 2))
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **OF_CLASSIFIERS,
        "model": [StrOptions({"unet"}), keras.Model, callable],
        "class_weight": [
            StrOptions({"balanced", "sqrt_balanced", "effective", "median_frequency"}), dict,
            "array-like", None,
        ],
        "weight_power": [Interval(Real, 0, None, closed="left")],
        "classes": ["array-like", None],
        "background": "no_validation",
        "epochs": [AUTO, AT_LEAST_1],
        "cv": ["cv_object"],
        "patch_size": [AUTO, AT_LEAST_1, tuple, list, None],
        "patch_foreground": [Interval(Real, 0, 1, closed="both")],
        "ignore_label": "no_validation",
        "test_time_augmentation": ["boolean"],
    }  # fmt: skip

    _usual_network = "unet"
    _fixed: ClassVar[dict[str, Any]] = {"per_pixel": True}

    _read = read_masks

    background_ = FittedAttribute(lambda state: state.target.background)
    oof_predict_proba_ = FittedAttribute(lambda state: state.held_out_probabilities, optional=True)
    oof_score_ = FittedAttribute(lambda state: state.out_of_fold_score)

    def __init__(
        self,
        model: ModelLike = "unet",
        *,
        loss: LossLike = "auto",
        model_outputs: str = "auto",
        class_weight: WeightScheme = None,
        weight_power: float = 1.0,
        classes: Classes = None,
        background: Label = None,
        optimizer: OptimizerLike = "auto",
        epochs: int | str = "auto",
        patch_size: int | tuple[int, int] | str | None = "auto",
        patch_foreground: float = 1 / 3,
        batch_size: int | str = "auto",
        batching: str = "shuffled",
        augmentation: AugmentationLike = "auto",
        early_stopping: bool | str = "auto",
        cv: CV = None,
        validation_fraction: float = 0.1,
        monitor: str = "dice",
        patience: int = 10,
        threshold: ThresholdSpec = 0.5,
        prior_correction: bool = False,
        ignore_label: Label = None,
        test_time_augmentation: bool = False,
        callbacks: Any = None,
        metrics: Any = None,
        scoring: Any = "dice",
        trainer: str = "auto",
        distribution: Distribution = None,
        dtype: str = "float32",
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.model_outputs = model_outputs
        self.class_weight = class_weight
        self.weight_power = weight_power
        self.classes = classes
        self.background = background
        self.optimizer = optimizer
        self.epochs = epochs
        self.patch_size = patch_size
        self.patch_foreground = patch_foreground
        self.batch_size = batch_size
        self.batching = batching
        self.augmentation = augmentation
        self.early_stopping = early_stopping
        self.cv = cv
        self.validation_fraction = validation_fraction
        self.monitor = monitor
        self.patience = patience
        self.threshold = threshold
        self.prior_correction = prior_correction
        self.ignore_label = ignore_label
        self.test_time_augmentation = test_time_augmentation
        self.callbacks = callbacks
        self.metrics = metrics
        self.scoring = scoring
        self.trainer = trainer
        self.distribution = distribution
        self.dtype = dtype
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self._set_routed(routed)

    @with_callbacks
    @explained
    def fit(
        self,
        X: Features,
        y: Labels,
        sample_weight: SampleWeight = None,
        X_val: Features = None,
        y_val: Labels = None,
        sample_weight_val: SampleWeight = None,
        groups: Groups = None,
    ) -> ImbalancedNNSegmenter:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width[, channels])
            Images of any scale and dtype; the built-in network standardises each channel. Images of
            different sizes are a list of arrays, as are their masks, and weights of pixels.
        y : array-like of shape (n_images, height, width)
            A label for each pixel: booleans, integers or strings. Masks may be empty.
        sample_weight : array-like of shape (n_images,) or (n_images, height, width), default=None
            Weights of images or of pixels, which multiply those of the classes. Pixels of weight 0
            do not count, whatever their label: where 255 means "unknown", pass ``y != 255``.
        X_val, y_val, sample_weight_val
            Images to validate on, in the place of `validation_fraction` of the training images.
        groups : array-like of shape (n_images,), default=None
            What the splitter of `cv` keeps together, such as the images of one patient.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an input is not accepted. The estimator is then as it was before.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, groups)

    @explained
    def partial_fit(
        self,
        X: Features,
        y: Labels,
        classes: Classes = None,
        sample_weight: SampleWeight = None,
    ) -> ImbalancedNNSegmenter:
        """Train the network for one epoch on some of the images, with nothing held out.

        Counts, balanced weights, and the mean and the variance that the built-in network
        standardises with, are those of all images so far; median frequencies are those of the
        images at hand.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels there are. Needed in the first call, here or as a parameter.

        Returns
        -------
        self
        """
        return self._fit_chunk(X, y, classes, sample_weight)

    def initialize(self, X: Features, y: Labels) -> ImbalancedNNSegmenter:
        """Get ready to predict without training, for a network that is trained already.

        Parameters
        ----------
        X, y
            As in `fit`. Their shapes and labels count, and the built-in network standardises with
            the mean and the variance of X.

        Returns
        -------
        self
        """
        return self._initialize(X, y)

    @explained
    def score(self, X: Features, y: Labels, sample_weight: SampleWeight = None) -> float:
        """Return the mean Dice coefficient of the foreground, or what `scoring` names.

        Parameters
        ----------
        X : array-like of shape (n_images, height, width[, channels])
        y : array-like of shape (n_images, height, width)
        sample_weight : array-like of shape (n_images,) or (n_images, height, width), default=None

        Returns
        -------
        float
        """
        check_is_fitted(self)
        if callable(self.scoring):
            given = {} if sample_weight is None else {"sample_weight": sample_weight}
            return float(self.scoring(self, X, y, **given))
        state = self._state
        samples = read_masks(self, X, y, sample_weight, state.schema)
        self._check_known(samples.y)
        if differ_in_size(X):  # the margins of padded images would change what is predicted
            logits = padded_logits([self._logits(as_batch(X[i])) for i in samples.positions])
        else:
            logits = self._logits_of(samples.X)
        scorer = scorer_for(self.scoring, state.target, state.counts.positive_class)
        snapshot = Snapshot(state.decision, logits)
        return float(scorer(snapshot, None, samples.y, sample_weight=samples.weight))

    def _schema_to_validate(self, samples: Samples) -> Schema:
        # a network for images of any size validates on images of another size, too
        return replace(samples.schema, image_shape=(None, None, *samples.X.shape[3:]))

    decision_function = image_by_image(NetworkClassifier.decision_function)
    predict_proba = image_by_image(NetworkClassifier.predict_proba)
    predict_log_proba = image_by_image(NetworkClassifier.predict_log_proba)
    predict = image_by_image(NetworkClassifier.predict)

    def _logits(self, X: Features) -> np.ndarray:
        return self._logits_of(self._features(X))

    def _logits_of(self, X: np.ndarray) -> np.ndarray:
        return logits_of_images(self._state, X, mirrored=bool(self.test_time_augmentation))

    def _features(self, X: Features) -> Features:
        check_images(X)
        return super()._features(X)

    def _check_known(self, y: np.ndarray) -> None:
        """Raise a ValueError if masks have labels of another kind than those of the training."""
        labels = np.unique(y)
        foreground = self.classes_[self.classes_ != self.background_]
        if not np.isin(labels, self.classes_).all() and not np.isin(foreground, labels).any():
            raise ValueError(
                f"y has the labels {labels.tolist()}, but none of the foreground classes that were "
                f"trained on, {foreground.tolist()}."
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags
