"""The classifier: one label a row, or several independent ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from skimb import targets
from skimb.base import BaseNetworkEstimator, Fitted, NetworkEnds
from skimb.batching import ShuffledBatches
from skimb.losses.binding import BoundLoss, check_target, is_categorical
from skimb.metrics import Snapshot, scorer_for
from skimb.randomness import draw_seed, generator
from skimb.row_weights import class_weight_used, pos_weight_used, row_weights
from skimb.training import Rows, outputs, train
from skimb.training.epochs import Observer


class ImbalancedNNClassifier(ClassifierMixin, BaseNetworkEstimator):
    """A neural network that finds the rare class.

    ``score`` is the F1 of the minority class (the macro-F1 where there are more than two classes or
    several labels), not the accuracy: with 2 % positives, predicting none of them is 98 % accurate.

    Parameters
    ----------
    model : {"auto", "mlp", "cnn"}, callable or keras.Model, default="auto"
        The network. ``"auto"`` is ``"mlp"`` for tables and ``"cnn"`` for images. A function may
        take ``meta``, a dict of what is known of the data (``n_features_in_``, ``X_shape_``,
        ``n_classes_``, ``n_outputs_``, ``target_type_``, ...), and any ``model__*``. A
        :class:`keras.Model` is copied for every fit, with its weights as the start. Networks end
        in logits, a sigmoid or a softmax; how they were compiled does not matter.
    loss : str, keras.losses.Loss or callable, default="cross_entropy"
        A name from :func:`skimb.losses.available` or of a Keras loss, a class, an instance, or a
        function ``loss(y_true, y_pred)`` of the network's outputs.
    class_weight : {"balanced", "sqrt_balanced", "effective"}, dict, array-like or None, \
            default="balanced"
        Weights of the classes, see :func:`skimb.weighting.class_weights`. An array is in the order
        of ``classes_``. For indicator targets weights of 0 and 1 per label, an array of shape
        (n_labels, 2), see :func:`skimb.weighting.label_weights`.
    pos_weight : "balanced", float, array-like of shape (n_labels,) or None, default=None
        Weight of the positives (``classes_[1]``, or the 1s of each label), the negatives having 1;
        ``"balanced"`` is negatives / positives. Binary and indicator targets only. It takes the
        place of ``class_weight``, which has to be None, as both weight the same thing; costs of
        your own in ``class_weight`` (a dict or an array) may multiply ``"balanced"``.
    weight_power : float >= 0, default=1.0
        Exponent on the weights, a single number to search over: 0 is no weighting, 1 the full.
    optimizer : str, keras.optimizers.Optimizer or class, default="adam"
    epochs : int, default=100
    batch_size : int or "auto", default="auto"
        ``"auto"`` is ``min(200, n_samples)``.
    callbacks : list of keras.callbacks.Callback or None, default=None
        Instances or classes. Hooks for single batches make training use ``Model.fit``.
    metrics : list of str or None, default=None
        Names of scorers that are followed after every epoch on the training rows, in ``history_``.
    scoring : str or callable, default="f1"
        What `score` returns: ``"f1"``, ``"precision"``, ``"recall"``, ``"jaccard"`` or
        ``"average_precision"`` of the minority class (the mean over classes or labels where there
        are more), any other scikit-learn scorer name, or ``scorer(estimator, X, y)``.
    trainer : {"auto", "compiled", "keras"}, default="auto"
        ``"compiled"`` runs an epoch as one compiled program, ``"keras"`` is ``Model.fit``, and
        ``"auto"`` takes the first wherever it can.
    dtype : str, default="auto"
        Dtype or Keras dtype policy of networks that are built here. ``"auto"`` is float64 for a
        small problem with float64 data, where it costs nothing, and otherwise float32.
    warm_start : bool, default=False
        Whether `fit` goes on from the network of the last fit.
    random_state : int, RandomState or None, default=None
        Fixes the start weights, the batches, and dropout. The process's own generators are neither
        used nor changed.
    verbose : int, default=0
        1 shows a line that is updated every epoch, 2 prints a line per epoch.
    **routed
        ``model__*`` for the network (``model__hidden_layer_sizes``, ``model__activation``,
        ``model__dropout``, ``model__l2``, ``model__normalize`` for the built-in ones),
        ``optimizer__*``, ``loss__*`` and ``callbacks__*``.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network.
    classes_ : ndarray of shape (n_classes,)
        Class labels; the indices of the columns for indicator targets.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only if all names of the columns of X are strings.
    n_iter_ : int
        Epochs that the network has been trained for.
    history_ : dict of str to list of float
        Loss and metrics after each epoch.
    loss_ : float
        The loss of the last epoch.
    class_counts_ : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights of the classes, or of 0 and 1 for each label.
    class_weight_ : dict or ndarray of shape (n_labels, 2)
        The weights that were used, those of ``pos_weight`` included.
    pos_weight_ : float, ndarray of shape (n_labels,) or None
        The weights of the positives that were used, None without ``pos_weight``.
    minority_class_ : label
        The rarest class; for indicator targets the column of the rarest label.
    trainer_ : {"xla", "graph", "keras"}
        How the network was trained.

    See Also
    --------
    skimb.weighting.weight_grid : Class weights to search over.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skimb import ImbalancedNNClassifier
    >>> X, y = make_classification(500, weights=[0.95], flip_y=0, class_sep=2, random_state=0)
    >>> clf = ImbalancedNNClassifier(epochs=20, random_state=0).fit(X, y)
    >>> clf.class_weight_
    {0: 0.526..., 1: 10.0}
    >>> clf.predict(X[:3]).shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "model": [StrOptions({"auto", "mlp", "cnn"}), keras.Model, callable],
        "loss": [str, callable],
        "class_weight": [str, dict, "array-like", None],
        "pos_weight": [StrOptions({"balanced"}), Interval(Real, 0, None, closed="neither"),
                       "array-like", None],
        "weight_power": [Interval(Real, 0, None, closed="left")],
        "optimizer": [str, keras.optimizers.Optimizer, callable],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, keras.callbacks.Callback, callable, None],
        "metrics": [list, tuple, None],
        "scoring": [str, callable],
        "trainer": [StrOptions({"auto", "compiled", "keras"})],
        "dtype": [str],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }  # fmt: skip

    def __init__(
        self,
        model: Any = "auto",
        *,
        loss: Any = "cross_entropy",
        class_weight: Any = "balanced",
        pos_weight: Any = None,
        weight_power: float = 1.0,
        optimizer: Any = "adam",
        epochs: int = 100,
        batch_size: int | str = "auto",
        callbacks: Any = None,
        metrics: Any = None,
        scoring: Any = "f1",
        trainer: str = "auto",
        dtype: str = "auto",
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.class_weight = class_weight
        self.pos_weight = pos_weight
        self.weight_power = weight_power
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.callbacks = callbacks
        self.metrics = metrics
        self.scoring = scoring
        self.trainer = trainer
        self.dtype = dtype
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self._set_routed(routed)

    # ---- fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ImbalancedNNClassifier:
        """Train the network.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Features of shape (n_samples, n_features), or images of shape (n_samples, height,
            width) or (n_samples, height, width, channels). No scaling is needed.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type, or an indicator matrix of 0 and 1.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. They multiply the class weights; rows of weight 0 are left out.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an input is not accepted. The estimator is then as it was before.
        """
        with self._unchanged_on_error():
            self._validate_params()
            go_on = self.warm_start and self.__sklearn_is_fitted__()
            X, y, sample_weight = self._checked_rows(X, y, sample_weight, reset=not go_on)
            if go_on:
                self._fitted = replace(self._fitted, optimizer_state=None)
            else:
                self._start(X, y, targets.infer(y))
            codes = self._known_codes(y)
            self._count(codes, sample_weight, so_far=None)
            if not go_on:
                self._standardize(X, sample_weight)
            return self._train(X, codes, sample_weight, self.epochs)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> ImbalancedNNClassifier:
        """Train the network for one epoch on a chunk of the data.

        Class counts, and with them balanced weights, are those of all chunks so far; so are the
        mean and the variance that the built-in networks standardise with.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes there are. Needed in the first call, unless y is an indicator matrix.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `fit`, and if y has a class that was not among `classes`.
        """
        with self._unchanged_on_error():
            self._validate_params()
            first = not self.__sklearn_is_fitted__()
            X, y, sample_weight = self._checked_rows(X, y, sample_weight, reset=first)
            if first and y.ndim == 1 and classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit: a later chunk may "
                    "show a class that this one does not. Pass classes=np.unique(y_of_all_rows)."
                )
            if first:
                self._start(X, y, targets.infer(y, classes))
            elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(
                    f"classes={classes!r} differs from the classes of the first call to "
                    f"partial_fit, {self.classes_.tolist()}."
                )
            codes = self._fitted.target.codes(y)
            self._count(codes, sample_weight, so_far=None if first else self.class_counts_)
            self._standardize(X, sample_weight)
            return self._train(X, codes, sample_weight, epochs=1)

    def initialize(self, X: Any, y: Any) -> ImbalancedNNClassifier:
        """Get ready to predict without training, for a network that is trained already.

        Parameters
        ----------
        X, y
            As in `fit`. Their shapes and labels count, and the built-in networks standardise with
            the mean and the variance of X.

        Returns
        -------
        self
        """
        with self._unchanged_on_error():
            self._validate_params()
            X, y, ones = self._checked_rows(X, y, None, reset=True)
            self._start(X, y, targets.infer(y))
            self._count(self._fitted.target.codes(y), ones, so_far=None)
            self._standardize(X, ones)
            return self

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Any, ...]:
        """Return X, y and weights as arrays, without the rows of weight 0."""
        X, y = self._checked_X(X, y, reset=reset)
        y = targets.checked_labels(y)
        if sample_weight is None:
            return X, y, np.ones(X.shape[0])
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        kept = sample_weight > 0
        if not kept.any():
            raise ValueError("sample_weight has nothing but zero weights, so no row is left.")
        if kept.all():
            return X, y, sample_weight
        return X[kept], y[kept], sample_weight[kept]

    def _start(self, X: Any, y: np.ndarray, target: targets.Target) -> None:
        """Build the network for the data, and find out what its outputs mean."""
        rng = np.random.RandomState(draw_seed(generator(self.random_state)))
        loss = self._loss()
        two_columns = target.kind == "binary" and is_categorical(loss)
        n_outputs = 2 if two_columns else target.n_outputs
        meta = {**self._meta(X, y, target), "n_outputs_": n_outputs}
        network = self._new_network(X, n_outputs, meta, rng)
        ends = NetworkEnds.of(network.blueprint.example, X)
        target = target.agreeing(ends.units, ends.activation)
        check_target(loss, target.loss_target)
        scorer_for(self.scoring, target, 0)  # an unknown name is better known before the training
        self._fitted = Fitted(network, ends, target, X.shape[1:], rng)
        self.classes_ = target.classes_
        self.history_: dict[str, list[float]] = {}
        self.n_iter_ = 0
        for name in ("loss_", "trainer_"):
            self.__dict__.pop(name, None)

    def _meta(self, X: Any, y: np.ndarray, target: targets.Target) -> dict[str, Any]:
        kind = "multilabel-indicator" if target.kind == "multilabel" else target.kind
        known = {name: value for name, value in vars(self).items() if name.endswith("_in_")}
        return {
            **known,
            "X_shape_": X.shape,
            "X_dtype_": X.dtype,
            "y_dtype_": y.dtype,
            "y_ndim_": y.ndim,
            "target_type_": kind,
            "classes_": target.classes_,
            "n_classes_": len(target.classes_),
            "n_outputs_expected_": 1,  # output layers, as scikeras counts
        }

    def _known_codes(self, y: np.ndarray) -> np.ndarray:
        try:
            return self._fitted.target.codes(y)
        except ValueError as error:
            raise ValueError(
                f"warm_start=True goes on from a network for the classes {self.classes_.tolist()}, "
                "but y has others. Set warm_start=False, or fit a clone."
            ) from error

    def _count(self, codes: np.ndarray, sample_weight: np.ndarray, so_far: Any) -> None:
        """Count the classes, and set the weights that follow from the counts."""
        target, power = self._fitted.target, self.weight_power
        counts, n_rows = target.counts(codes, sample_weight), len(codes)
        if so_far is not None:
            counts, n_rows = counts + so_far, n_rows + self._fitted.n_rows
        self._fitted = replace(self._fitted, n_rows=n_rows)
        self.class_counts_ = counts
        self.minority_class_ = self.classes_[target.minority(counts)]
        self.pos_weight_ = pos_weight_used(
            target, counts, self.class_weight, self.pos_weight, power
        )
        self.class_weight_ = class_weight_used(
            target, counts, self.class_weight, self.pos_weight_, power
        )

    def _standardize(self, X: Any, sample_weight: np.ndarray) -> None:
        network, scaler = self._with_statistics(
            self._fitted.network, X, sample_weight, copy.deepcopy(self._fitted.scaler)
        )
        self._fitted = replace(self._fitted, network=network, scaler=scaler)

    def _train(
        self, X: Any, codes: np.ndarray, sample_weight: np.ndarray, epochs: int
    ) -> ImbalancedNNClassifier:
        fitted, target = self._fitted, self._fitted.target
        rng = copy.deepcopy(fitted.rng)  # an error later on leaves the old one where it was
        dtype = fitted.ends.output_dtype
        loss = BoundLoss(
            self._loss(),
            link=target.link,
            outputs="logits" if fitted.ends.activation == "linear" else "probabilities",
            target=target.loss_target,
            data={
                "class_counts": self.class_counts_.T,
                "minority_class": self._minority_code,
            },
            dtype=dtype,
        )
        weights = row_weights(
            codes, sample_weight, self.class_weight_, self.class_counts_, fitted.n_rows
        ).astype(dtype)
        encoded = target.encode(codes, loss.one_hot, dtype)
        loss.check_weights(encoded, fitted.ends.units, weights)
        size = 200 if self.batch_size == "auto" else self.batch_size
        trained = train(
            fitted.network,
            Rows(X, encoded, weights, fitted.ends.input_dtype),
            loss,
            self._optimizer(),
            ShuffledBatches(X.shape[0], min(size, X.shape[0])),
            epochs=epochs,
            rng=rng,
            optimizer_state=fitted.optimizer_state,
            callbacks=self._callbacks(),
            observers=self._observers(X, codes, sample_weight),
            trainer=self.trainer,
            verbose=int(self.verbose),
        )
        self._fitted = replace(
            fitted, network=trained.network, optimizer_state=trained.optimizer_state, rng=rng
        )
        self.trainer_ = trained.trainer
        names = {*self.history_, *trained.history}
        self.history_ = {
            name: [*self.history_.get(name, []), *trained.history.get(name, [])] for name in names
        }
        self.n_iter_ = len(self.history_["loss"])
        self.loss_ = self.history_["loss"][-1]
        return self

    def _observers(self, X: Any, codes: np.ndarray, sample_weight: np.ndarray) -> list[Observer]:
        """Return what computes the followed metrics on the training rows after an epoch."""
        if not self.metrics:
            return []
        target, network, ends = self._fitted.target, self._fitted.network, self._fitted.ends
        y = codes if codes.ndim > 1 else self.classes_[codes]
        scorers = {name: scorer_for(name, target, self._minority_code) for name in self.metrics}

        def observe(values: Callable[[], list[np.ndarray]]) -> dict[str, float]:
            logits = ends.logits(outputs(network, X, ends.input_dtype, values()))
            snapshot = Snapshot(target, logits)
            return {
                name: float(score(snapshot, X, y, sample_weight=sample_weight))
                for name, score in scorers.items()
            }

        return [observe]

    def _scored_class(self, y: np.ndarray) -> int:
        """Return the position of the class whose F1 is the score."""
        share = self.class_counts_.min() / self.class_counts_.sum()
        if self._fitted.target.kind == "binary" and share > 1 / 3:
            # behind SMOTE in a pipeline, the training rows do not tell which class is rare
            counts = [np.sum(y == label) for label in self.classes_]
            if min(counts) > 0 and counts[0] != counts[1]:
                return int(np.argmin(counts))
        return self._minority_code

    @property
    def _minority_code(self) -> int:
        return int(np.searchsorted(self.classes_, self.minority_class_))

    # ---- predicting

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = self._checked_X(X, reset=False)
        network, ends = self._fitted.network, self._fitted.ends
        return ends.logits(outputs(network, X, ends.input_dtype))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            Two classes have one column, in which above 0 is ``classes_[1]``.
        """
        logits = self._logits(X)
        return self._fitted.target.decision(logits)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities of the classes, under the weights of the training.

        Weights on rare classes raise their probabilities, as in
        ``LogisticRegression(class_weight=...)``.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels), float64
        """
        logits = self._logits(X)
        return self._fitted.target.probabilities(logits)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of `predict_proba`, finite also where that rounds to 0.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels), float64
        """
        logits = self._logits(X)
        return self._fitted.target.log_probabilities(logits)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class, or an indicator matrix of the probable labels.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
        """
        logits = self._logits(X)
        return self._fitted.target.decode(logits)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the F1 of the minority class, or what `scoring` names; not the accuracy.

        The minority class is that of the training rows, ``minority_class_``. Where a sampler has
        balanced those (neither class below a third), it is the rarer class of y. More than two
        classes and indicator targets give the macro-F1.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        logits = self._logits(X)
        y = targets.checked_labels(y)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        if callable(self.scoring):
            return float(self.scoring(self, X, y, **weight))
        scorer = scorer_for(self.scoring, self._fitted.target, self._scored_class(y))
        return float(scorer(Snapshot(self._fitted.target, logits), X, y, **weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.classifier_tags.multi_label = True
        tags.classifier_tags.multi_class = self.pos_weight is None
        return tags
