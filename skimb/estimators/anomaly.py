"""Anomaly detection by the reconstruction error of an autoencoder."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, OutlierMixin
from sklearn.metrics import average_precision_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skimb._types import Features, Label, Labels, RandomState, SampleWeight
from skimb.data.labels import checked_labels
from skimb.data.targets import BinaryTarget
from skimb.estimators.arguments import explained
from skimb.estimators.autoencoder import Autoencoder
from skimb.estimators.base import FittedAttribute
from skimb.estimators.reading import read_samples, weight_argument
from skimb.fitting.parameters import LossLike, ModelLike, OptimizerLike
from skimb.fitting.procedure import fit_network
from skimb.metrics.scorers import scorer_for
from skimb.probability.thresholds import checked_metric
from skimb.training.distribution import Distribution


class AutoencoderOutlierDetector(OutlierMixin, Autoencoder):
    r"""Outlier detection by reconstruction error.

    An autoencoder [1]_ [2]_ with noise on its input learns to reconstruct samples from what they
    have in common. Samples with a large reconstruction error are outliers. It may be trained on
    normal samples alone, or on samples with a few anomalies among them.

    Parameters
    ----------
    model : {"auto", "autoencoder"}, callable or keras.Model, default="auto"
        The network, by default :func:`skimb.networks.autoencoder`. A build function may take
        ``meta``, a dict of properties of the data (``n_features_in_``, ``X_shape_``,
        ``X_dtype_``), and any ``model__*``. A :class:`keras.Model` is copied for every fit, with
        its weights as initial values. Output and input have the same shape. Of a compiled
        network the optimizer and the loss are used where those of the estimator are defaults.
    loss : str, keras.losses.Loss or callable, default="mean_squared_error"
        The training loss: the name of a regression loss of Keras, a class, an instance, or a
        function ``loss(y_true, y_pred)``. Scores are mean squared errors whatever the loss.
    normalize : bool or "auto", default="auto"
        Whether features (the channels of images) are standardised, and values beyond three
        standard deviations compressed to :math:`3 + \ln(|z| - 2)`: features that are nearly
        constant would otherwise dominate the error. ``"auto"`` is True for the built-in network,
        and False for one of your own, whose input is X itself.
    optimizer : str, keras.optimizers.Optimizer or class, default="adam"
        An optimizer given by name keeps a moving average of the weights over about the last
        twentieth of the steps, unless ``optimizer__use_ema`` is given.
    epochs : int or "auto", default="auto"
        ``"auto"`` is as many as make 2,000 batches, at most 100.
    batch_size : int or "auto", default="auto"
        ``"auto"`` is ``min(200, n_samples)``.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Weighted share of the training samples that `predict` labels as outliers. ``"auto"`` is
        Tukey's outer fence: outliers are samples with an error above
        :math:`Q_3 + 3 (Q_3 - Q_1)`, with the quartiles of the errors of the training samples.
    callbacks : keras.callbacks.Callback, class, or list or dict of them, default=None
    trainer : {"auto", "compiled", "keras"}, default="auto"
        ``"compiled"`` runs an epoch as one compiled program, ``"keras"`` is ``Model.fit``, and
        ``"auto"`` uses the first wherever possible.
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None, default=None
        As in :class:`ImbalancedNNClassifier`.
    dtype : str, default="auto"
        Dtype or Keras dtype policy of networks that are built here. ``"auto"`` is float64 for a
        small problem with float64 data, and otherwise float32.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, batches and noise. The process's global generators are neither
        used nor changed.
    verbose : int, default=0
        1 shows a line that is updated every epoch where the output is a terminal or a notebook;
        otherwise, and with 2, a line per epoch is printed.
    **routed
        ``model__*`` for the network (``model__hidden_layer_sizes``, ``model__activation``,
        ``model__noise``, ``model__dropout`` and ``model__l2`` for the built-in one),
        ``optimizer__*``, ``loss__*`` and ``callbacks__*``.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, from samples, normalised by `normalize`, to their reconstructions.
    offset_ : float
        Threshold on `score_samples`; outliers are below it.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, only if all of them are strings.
    n_iter_ : int
        Number of epochs of training.
    history_ : dict of str to list of float
        The loss after each epoch, and values that callbacks add.
    loss_ : float
        The loss of the last epoch.
    trainer_ : {"xla", "graph", "keras"}
        How the network was trained.

    See Also
    --------
    AutoencoderClassifier : The same where the anomalies among the training samples are known.

    References
    ----------
    .. [1] S. Hawkins, H. He, G. Williams, R. Baxter, "Outlier Detection Using Replicator Neural
       Networks", DaWaK 2002.
    .. [2] M. Sakurada, T. Yairi, "Anomaly Detection Using Autoencoders with Nonlinear
       Dimensionality Reduction", MLSDA 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb import AutoencoderOutlierDetector
    >>> x = np.random.default_rng(0).normal(size=(300, 1))
    >>> X = np.hstack([x, 2 * x, -x])
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> detector.predict([[1.0, 2.0, -1.0], [1.0, -2.0, 1.0]])
    array([ 1, -1])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Autoencoder._parameter_constraints,
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
    }

    offset_ = FittedAttribute(lambda state: -float(state.decision.threshold))

    def __init__(
        self,
        model: ModelLike = "auto",
        *,
        loss: LossLike = "mean_squared_error",
        normalize: bool | str = "auto",
        optimizer: OptimizerLike = "adam",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        contamination: float | str = "auto",
        callbacks: Any = None,
        trainer: str = "auto",
        distribution: Distribution = None,
        dtype: str = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.normalize = normalize
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.contamination = contamination
        self.callbacks = callbacks
        self.trainer = trainer
        self.distribution = distribution
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self._set_routed(routed)

    @explained
    def fit(
        self, X: Features, y: Labels = None, sample_weight: SampleWeight = None
    ) -> AutoencoderOutlierDetector:
        """Train the autoencoder on all samples.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Features of shape (n_samples, n_features), or images of shape (n_samples, height,
            width[, channels]). Sparse matrices are converted to dense arrays.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the loss and for `offset_`. Samples of weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an input is not accepted. The estimator is then as it was before.
        """
        params = self._fit_parameters()
        samples = read_samples(self, X, "no_validation", sample_weight)
        return self._adopt(fit_network(params, samples))

    def score_samples(self, X: Features) -> np.ndarray:
        """Return the negative reconstruction errors; the lower, the more abnormal.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), float64
            The negative mean squared error over the features of the normalised samples.
        """
        return -self._errors(X)

    def decision_function(self, X: Features) -> np.ndarray:
        """Return `score_samples` minus `offset_`, negative for outliers.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        scores = self.score_samples(X)
        return scores - self.offset_

    @explained
    def predict(self, X: Features) -> np.ndarray:
        """Return 1 for inliers and -1 for outliers.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), int
        """
        return np.where(self.decision_function(X) < 0, -1, 1)


class AutoencoderClassifier(ClassifierMixin, Autoencoder):
    """Binary classification by the reconstruction error of the majority class.

    For a rare class with too few samples to learn from. The autoencoder is trained on samples of
    the majority class alone [1]_ [2]_; those of the rare class only choose the threshold.

    ``score`` is the F1 of the minority class, not the accuracy. There is no ``predict_proba``,
    since an error is not a probability: :class:`sklearn.calibration.CalibratedClassifierCV`
    calibrates it on held-out samples.

    Parameters
    ----------
    model, loss, normalize, optimizer, epochs, batch_size
        As in :class:`AutoencoderOutlierDetector`; mean and standard deviation are those of the
        majority class.
    threshold : str or float >= 0, default="f1"
        The reconstruction error above which a sample is of the rare class, or the score that
        chooses it on all training samples: ``"f1"``, ``"precision"``, ``"recall"`` or
        ``"jaccard"`` of the rare class, or any other of scikit-learn's scores of predictions.
    pos_label : label or None, default=None
        The class that is found by its errors and is not trained on. None is the class with fewer
        samples.
    scoring : str or callable, default="f1"
        What `score` returns, as in :class:`ImbalancedNNClassifier`, scores of probabilities
        excepted.
    callbacks, trainer, distribution, dtype, random_state, verbose, **routed
        As in :class:`AutoencoderOutlierDetector`.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, from samples, normalised by `normalize`, to their reconstructions.
    classes_ : ndarray of shape (2,)
    pos_label_ : label
        `pos_label`, or the class with fewer samples; of equals ``classes_[1]``.
    minority_class_ : label
        The same.
    class_counts_ : ndarray of shape (2,)
        Summed sample weights of the classes.
    threshold_ : float
        The threshold on the reconstruction error in `predict`.
    n_features_in_, feature_names_in_, n_iter_, history_, loss_, trainer_
        As in :class:`AutoencoderOutlierDetector`.

    See Also
    --------
    AutoencoderOutlierDetector : The same without labels.
    ImbalancedNNClassifier : A network that learns from the rare class too.

    References
    ----------
    .. [1] N. Japkowicz, C. Myers, M. Gluck, "A Novelty Detection Approach to Classification",
       IJCAI 1995.
    .. [2] S. Hawkins, H. He, G. Williams, R. Baxter, "Outlier Detection Using Replicator Neural
       Networks", DaWaK 2002.

    Examples
    --------
    >>> import numpy as np
    >>> from skimb import AutoencoderClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = np.vstack([rng.normal(size=(300, 4)), rng.normal(5, 1, size=(6, 4))])
    >>> y = np.repeat(["usual", "fraud"], [300, 6])
    >>> clf = AutoencoderClassifier(random_state=0).fit(X, y)
    >>> clf.predict([[0, 0, 0, 0], [6, 5, 6, 5]])
    array(['usual', 'fraud'], dtype='<U5')
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **Autoencoder._parameter_constraints,
        "threshold": [str, Interval(Real, 0, None, closed="left")],
        "pos_label": "no_validation",
        "scoring": [str, callable],
    }

    classes_ = FittedAttribute(lambda state: state.target.classes_)
    class_counts_ = FittedAttribute(lambda state: state.target.class_counts)
    minority_class_ = FittedAttribute(lambda state: state.target.classes_[state.target.rare])
    pos_label_ = FittedAttribute(lambda state: state.target.classes_[state.target.rare])
    threshold_ = FittedAttribute(lambda state: state.decision.threshold)

    def __init__(
        self,
        model: ModelLike = "auto",
        *,
        loss: LossLike = "mean_squared_error",
        normalize: bool | str = "auto",
        optimizer: OptimizerLike = "adam",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        threshold: float | str = "f1",
        pos_label: Label = None,
        scoring: Any = "f1",
        callbacks: Any = None,
        trainer: str = "auto",
        distribution: Distribution = None,
        dtype: str = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.normalize = normalize
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.threshold = threshold
        self.pos_label = pos_label
        self.scoring = scoring
        self.callbacks = callbacks
        self.trainer = trainer
        self.distribution = distribution
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self._set_routed(routed)

    @explained
    def fit(
        self, X: Features, y: Labels, sample_weight: SampleWeight = None
    ) -> AutoencoderClassifier:
        """Train the autoencoder on the majority class, and choose the threshold on all samples.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Features of shape (n_samples, n_features), or images of shape (n_samples, height,
            width[, channels]). Sparse matrices are converted to dense arrays.
        y : array-like of shape (n_samples,)
            Labels of two classes, of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the loss, and in the score that chooses the threshold. Samples of weight 0
            are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an input is not accepted. The estimator is then as it was before.
        """
        params = self._fit_parameters()
        _check_threshold(self.threshold)
        # an unknown name is an error before the training
        scorer_for(self.scoring, BinaryTarget(np.arange(2)), 1)
        samples = read_samples(self, X, y, sample_weight)
        return self._adopt(fit_network(params, samples))

    def decision_function(self, X: Features) -> np.ndarray:
        """Return the distance of the reconstruction errors from the threshold.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), float64
            Above 0 for ``classes_[1]``, as everywhere in scikit-learn: the error less
            ``threshold_`` where that is the rare class, and ``threshold_`` less the error where
            ``classes_[0]`` is.
        """
        beyond = self._errors(X) - self.threshold_
        return beyond if self._state.target.rare == 1 else -beyond

    @explained
    def predict(self, X: Features) -> np.ndarray:
        """Return the rare class for samples whose reconstruction error is above the threshold.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        decision = self.decision_function(X)
        return self.classes_[(decision > 0).astype(int)]

    @explained
    def score(self, X: Features, y: Labels, sample_weight: SampleWeight = None) -> float:
        """Return the F1 of the minority class, or what `scoring` names; not the accuracy.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        check_is_fitted(self)
        weight = weight_argument(sample_weight, X, self._state.schema)
        if callable(self.scoring):
            return float(self.scoring(self, X, y, **weight))
        y = checked_labels(y)
        if self.scoring == "average_precision":  # of the errors, as there are no probabilities
            return float(
                average_precision_score(y == self.minority_class_, self._errors(X), **weight)
            )
        target = self._state.target
        scorer = scorer_for(self.scoring, BinaryTarget(target.classes_), target.rare)
        return float(scorer(self, X, y, **weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags


def _check_threshold(threshold: float | str) -> None:
    if isinstance(threshold, str):
        try:
            checked_metric(threshold, multilabel=False)
        except ValueError as error:
            raise ValueError(f"threshold={threshold!r} cannot be chosen by: {error}") from error
