"""Anomalies: rows that an autoencoder, trained on what is usual, cannot give back."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, OutlierMixin
from sklearn.metrics import average_precision_score
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skimb._types import Features, Labels, SampleWeight
from skimb.data.labels import checked_labels
from skimb.data.targets import BinaryTarget
from skimb.estimators.autoencoder import Autoencoder
from skimb.estimators.base import FittedAttribute
from skimb.estimators.reading import read_samples
from skimb.fitting.parameters import LossLike, ModelLike, OptimizerLike, RandomState
from skimb.fitting.procedure import fit_network
from skimb.metrics.scorers import scorer_for
from skimb.probability.thresholds import checked_metric


class AutoencoderOutlierDetector(OutlierMixin, Autoencoder):
    r"""An autoencoder that finds rows unlike the others.

    A network learns to give rows back as they are [1]_ [2]_, with noise on its input, so that it
    has to learn what the rows have in common. What it cannot give back is unusual. It may be
    trained on normal rows alone, or on rows with a few anomalies among them.

    Parameters
    ----------
    model : {"auto", "autoencoder"}, callable or keras.Model, default="auto"
        The network, by default :func:`skimb.networks.autoencoder`. A function may take ``meta``, a
        dict of what is known of the data (``n_features_in_``, ``X_shape_``, ``X_dtype_``), and any
        ``model__*``. A :class:`keras.Model` is copied for every fit, with its weights as the start.
        It goes from rows to rows of the same shape; how it was compiled does not matter.
    loss : str, keras.losses.Loss or callable, default="mean_squared_error"
        What is trained on: the name of a regression loss of Keras, a class, an instance, or a
        function ``loss(y_true, y_pred)``. Scores are mean squared errors whatever the loss.
    normalize : bool or "auto", default="auto"
        Whether features (the channels of images) are standardised, and values of more than three
        standard deviations taken by their logarithm, :math:`3 + \\ln(|z| - 2)`: features
        that hardly ever change would decide alone otherwise. ``"auto"`` is True for the built-in
        network, and False for one of your own, which gets rows as they are.
    optimizer : str, keras.optimizers.Optimizer or class, default="adam"
        One given by name averages the weights over about the last twentieth of the steps, unless
        ``optimizer__use_ema`` is given.
    epochs : int or "auto", default="auto"
        ``"auto"`` is as many as make 2,000 batches, at most 100.
    batch_size : int or "auto", default="auto"
        ``"auto"`` is ``min(200, n_samples)``.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of the training rows, by their weights, that `predict` is to call outliers.
        ``"auto"`` is Tukey's rule for what is far out: outliers are the rows whose error is above
        :math:`Q_3 + 3 (Q_3 - Q_1)`, with the quartiles of the errors of the training rows.
    callbacks : keras.callbacks.Callback, class, or list of them, default=None
    trainer : {"auto", "compiled", "keras"}, default="auto"
        ``"compiled"`` runs an epoch as one compiled program, ``"keras"`` is ``Model.fit``, and
        ``"auto"`` takes the first wherever it can.
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None, default=None
        As in :class:`ImbalancedNNClassifier`.
    dtype : str, default="auto"
        Dtype or Keras dtype policy of networks that are built here. ``"auto"`` is float64 for a
        small problem with float64 data, and otherwise float32.
    random_state : int, RandomState or None, default=None
        Fixes start weights, batches and noise. The process's own generators are neither used nor
        changed.
    verbose : int, default=0
        1 shows a line that is updated every epoch, 2 prints a line per epoch.
    **routed
        ``model__*`` for the network (``model__hidden_layer_sizes``, ``model__activation``,
        ``model__noise``, ``model__dropout`` and ``model__l2`` for the built-in one),
        ``optimizer__*``, ``loss__*`` and ``callbacks__*``.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, from rows as `normalize` says to their reconstructions.
    offset_ : float
        What `score_samples` is compared with; outliers are below it.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns of X, only if all of them are strings.
    n_iter_ : int
        Epochs of the training.
    history_ : dict of str to list of float
        The loss after each epoch, and what callbacks add.
    loss_ : float
        The loss of the last epoch.
    trainer_ : {"xla", "graph", "keras"}
        How the network was trained.

    See Also
    --------
    AutoencoderClassifier : The same where the anomalies among the training rows are known.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
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
        distribution: Any = None,
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

    def fit(
        self, X: Features, y: Labels = None, sample_weight: SampleWeight = None
    ) -> AutoencoderOutlierDetector:
        """Train the autoencoder on all rows.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Features of shape (n_samples, n_features), or images of shape (n_samples, height,
            width[, channels]). Sparse rows are made dense.
        y : ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the training and for `offset_`. Rows of weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an input is not accepted. The estimator is then as it was before.
        """
        params = self._fit_parameters()
        samples = read_samples(self, X, None, sample_weight)
        return self._adopt(fit_network(params, samples))

    def score_samples(self, X: Features) -> np.ndarray:
        """Return how normal rows are: minus their reconstruction errors.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), float64
            The negative mean, over the features, of the squared difference between a row and its
            reconstruction, both as `normalize` says.
        """
        return -self._errors(X)

    def decision_function(self, X: Features) -> np.ndarray:
        """Return `score_samples` less `offset_`, below 0 for outliers.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), float64
        """
        scores = self.score_samples(X)
        return scores - self.offset_

    def predict(self, X: Features) -> np.ndarray:
        """Return 1 for normal rows and -1 for outliers.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), int
        """
        return np.where(self.decision_function(X) < 0, -1, 1)


class AutoencoderClassifier(ClassifierMixin, Autoencoder):
    """An autoencoder of the common class, which takes what it cannot give back for the rare one.

    For two classes of which one has too few rows to learn from. The network is trained on the rows
    of the common class alone [1]_ [2]_; those of the rare class are needed for the threshold only.

    ``score`` is the F1 of the minority class, not the accuracy. There is no ``predict_proba``,
    since an error is no probability: :class:`sklearn.calibration.CalibratedClassifierCV` makes
    one of it on rows that were held out.

    Parameters
    ----------
    model, loss, normalize, optimizer, epochs, batch_size
        As in :class:`AutoencoderOutlierDetector`; mean and standard deviation are those of the
        common class.
    threshold : str or float >= 0, default="f1"
        The reconstruction error above which a row is of the rare class, or the score by which it is
        chosen on all training rows: ``"f1"``, ``"precision"``, ``"recall"`` or ``"jaccard"`` of the
        rare class, or any other of scikit-learn's scores of predictions.
    scoring : str or callable, default="f1"
        What `score` returns, as in :class:`ImbalancedNNClassifier`; scores of probabilities
        cannot be had.
    callbacks, trainer, distribution, dtype, random_state, verbose, **routed
        As in :class:`AutoencoderOutlierDetector`.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network, from rows as `normalize` says to their reconstructions.
    classes_ : ndarray of shape (2,)
    minority_class_ : label
        The class with the lower sum of weights; of equals ``classes_[1]``.
    class_counts_ : ndarray of shape (2,)
        Summed sample weights of the classes.
    threshold_ : float
        The reconstruction error that `predict` decides by.
    n_features_in_, feature_names_in_, n_iter_, history_, loss_, trainer_
        As in :class:`AutoencoderOutlierDetector`.

    See Also
    --------
    AutoencoderOutlierDetector : The same without labels.
    ImbalancedNNClassifier : A network that learns from the rare rows too.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Autoencoder._parameter_constraints,
        "threshold": [str, Interval(Real, 0, None, closed="left")],
        "scoring": [str, callable],
    }

    classes_ = FittedAttribute(lambda state: state.target.classes_)
    class_counts_ = FittedAttribute(lambda state: state.target.class_counts)
    minority_class_ = FittedAttribute(lambda state: state.target.classes_[state.target.rare])
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
        scoring: Any = "f1",
        callbacks: Any = None,
        trainer: str = "auto",
        distribution: Any = None,
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
        self.scoring = scoring
        self.callbacks = callbacks
        self.trainer = trainer
        self.distribution = distribution
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose
        self._set_routed(routed)

    def fit(
        self, X: Features, y: Labels, sample_weight: SampleWeight = None
    ) -> AutoencoderClassifier:
        """Train the autoencoder on the common class, and choose the threshold on all rows.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Features of shape (n_samples, n_features), or images of shape (n_samples, height,
            width[, channels]). Sparse rows are made dense.
        y : array-like of shape (n_samples,)
            Labels of two classes, of any type.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights in the training, and of the rows by which the threshold is chosen. Rows of
            weight 0 are left out.

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
        """Return how far the reconstruction errors of rows are beyond the threshold.

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

    def predict(self, X: Features) -> np.ndarray:
        """Return the rare class for rows whose reconstruction error is above the threshold.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        decision = self.decision_function(X)
        return self.classes_[(decision > 0).astype(int)]

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
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
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
