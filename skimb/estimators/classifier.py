"""The classifier: one label per sample, or several independent ones."""

from __future__ import annotations

from typing import Any, ClassVar

from sklearn.base import ClassifierMixin

from skimb._types import CV, Classes, Features, Groups, Label, Labels, RandomState, SampleWeight
from skimb.data.resampling import Sampler
from skimb.data.streams import is_stream
from skimb.estimators import predictions
from skimb.estimators.arguments import explained
from skimb.estimators.base import FittedAttribute
from skimb.estimators.callbacks import CallbackSupportMixin, with_callbacks
from skimb.estimators.constraints import OF_SAMPLES
from skimb.estimators.containers import check_complete
from skimb.estimators.network_classifier import NetworkClassifier
from skimb.estimators.reading import read_samples
from skimb.estimators.streams import state_of_stream
from skimb.fitting.parameters import (
    AugmentationLike,
    LossLike,
    ModelLike,
    OptimizerLike,
    ThresholdSpec,
    WeightScheme,
)
from skimb.losses.binding import takes_target
from skimb.losses.traits import TARGETS
from skimb.probability.costs import Costs
from skimb.training.distribution import Distribution


class ImbalancedNNClassifier(CallbackSupportMixin, ClassifierMixin, NetworkClassifier):
    """Neural network classifier for imbalanced classes.

    ``score`` is the F1 of the minority class (the macro-F1 with more than two classes or several
    labels), not the accuracy: with 2 % positives, predicting none of them is 98 % accurate.

    Fully balanced class weights maximise recall at the cost of precision. The best F1 often lies
    between balanced weights and none, as the default for tables does. Search over ``class_weight``
    with :func:`skimb.weighting.weight_grid`, or over ``weight_power``. The page "Defaults" of the
    user guide has the figures by which the values of ``"auto"`` were chosen.

    Parameters
    ----------
    model : {"auto", "mlp_ensemble", "mlp", "cnn"}, callable or keras.Model, default="auto"
        The network. ``"auto"`` is ``"mlp_ensemble"`` for tables and ``"cnn"`` for images. The
        ensemble is small networks, its members, trained together, whose logits are averaged: up to
        seven a fold of `cv`, four without folds, one for losses such as ``"soft_f_beta"``. A build
        function may take ``meta``, a dict of properties of the data (``n_features_in_``, the
        columns that the network gets, ``n_columns_`` and ``column_names_``, those of X before
        categories and missing values become columns, ``X_shape_``, ``X_dtype_``, ``y_dtype_``,
        ``y_ndim_``, ``target_type_``, ``classes_``, ``n_classes_``, ``n_outputs_``, the units of
        the last layer, of several inputs ``input_shapes_``), ``compile_kwargs``, ``params``, and
        any ``model__*``. A :class:`keras.Model` is copied for every fit, with its weights as
        initial values. Networks end in logits, a sigmoid or a softmax. The optimizer and the loss
        that one was compiled with are used where `optimizer` and `loss` are left at their defaults.
    loss : str, dict, keras.losses.Loss or callable, default="cross_entropy"
        A name from :func:`skimb.losses.available` or of a Keras loss, a class, an instance, or a
        function ``loss(y_true, y_pred)`` of the network's outputs. A dict of names and weights is a
        sum, ``{"cross_entropy": 1, "soft_f_beta": 0.5}``; hyperparameters of a term are routed by
        its name, ``loss__soft_f_beta__beta``.
    target : {"auto", "candidates"}, default="auto"
        What an indicator matrix y is: independent labels with ``"auto"``, and with
        ``"candidates"`` sets of acceptable classes, any one of which is correct, for
        ``loss="partial_label"``. Predictions are then one class per sample, a column of y. In the
        class counts a sample is divided equally among its candidates. In scores its true class is
        the predicted one if that is a candidate, and otherwise the most probable candidate.
        scikit-learn's own `scoring` of a search does not take candidates: use the `scoring` of the
        estimator.
    model_outputs : {"auto", "logits", "probabilities"}, default="auto"
        What a network of your own ends in. ``"auto"`` follows its operations back from the output,
        and where that is not possible uses the loss, and the outputs for training samples.
    pos_label : label or None, default=None
        The positive class: of scores, of a number, score or rule as `threshold`, of `pos_weight`,
        `monitor`, losses with a positive class, and displays. None is the class with the fewest
        samples, whatever their weights. Of an indicator matrix it is always the 1.
    class_weight : str, dict, array-like or None, default="auto"
        Weights of the classes: ``"balanced"``, ``"sqrt_balanced"``, ``"effective"``, or numbers,
        see :func:`skimb.weighting.class_weights`. ``"auto"`` is ``"balanced"`` raised to
        `weight_power`. By label a dict or a Series, where an array is in the order of ``classes_``.
        For indicator targets weights of 0 and 1 per label, an array of shape (n_labels, 2) or a
        dict of such pairs, see :func:`skimb.weighting.label_weights`.
    pos_weight : "balanced", float, array-like of shape (n_labels,), dict or None, default=None
        Weight of the positives (``pos_label_``, or the 1s of each label) relative to the
        negatives; ``"balanced"`` is negatives / positives. A dict or Series is by label. Binary and
        indicator targets only. It takes the place of ``class_weight="auto"``; only numbers of your
        own in ``class_weight`` (a dict or an array) may multiply ``"balanced"``.
    weight_power : float >= 0 or "auto", default="auto"
        Exponent on the weights, a single number to search over: 0 is no weighting, 1 the full.
        ``"auto"`` is 1, or 0.25 for the default weights of the default network for tables.
    class_weight_start : float in [0, 1), default=0.0
        Share of the epochs, rounded down, before the class weights are switched on: deferred
        re-weighting [1]_. ``sample_weight`` applies from the beginning. The loss jumps at the
        switch, so do not let a callback stop on it.
    optimizer : str, keras.optimizers.Optimizer or class, default="auto"
        ``"auto"`` is ``"adam"``. With the default networks it has a learning rate that falls to 0
        along a cosine, from 0.01 for tables and 0.003 for images, and for tables weight decay, with
        folds 0.3, 1.5 or 5, different members each, and without folds more for fewer rare samples.
        ``optimizer__learning_rate`` and ``optimizer__weight_decay`` override them, and a callback
        that sets the learning rate replaces the cosine.
    epochs : int or "auto", default="auto"
        ``"auto"`` is 100 for ``"mlp"`` and networks of your own. With the default network it is 300
        for small tables to 10 for large ones, and 60 for few images to 8 for many.
    batch_size : int or "auto", default="auto"
        ``"auto"`` is 200; with the default network for tables a little less, so that batches have
        one size, and for images a twentieth of them between 16 and 100.
    batching : {"shuffled", "stratified", "balanced"}, default="shuffled"
        How batches are drawn. ``"stratified"`` keeps the class ratio in each batch. ``"balanced"``
        shows the classes in equal numbers by oversampling the rare ones;
        ``class_weight="balanced"`` then has nothing left to balance.
    augmentation : "auto", keras.Layer, keras.Model, callable or None, default="auto"
        Augmentation of training batches. ``"auto"`` shifts images by a few pixels and changes their
        brightness and contrast a little with the default network for images, and does nothing
        otherwise. Or a layer such as :class:`keras.layers.RandomFlip`, or a function from a batch
        of samples to one of the same shape that draws random numbers with :mod:`keras.random`.
        Targets and weights stay with their samples. The validation set is not augmented.
    augment_classes : {"all", "minority"}, default="all"
        Which samples are augmented, all or those of ``pos_label_`` (or of the rarest label).
    early_stopping : bool or "auto", default="auto"
        Whether to stop when `monitor` no longer improves, and to restore the best epoch. ``"auto"``
        does where `fit` is given `X_val`, or above 10,000 samples, unless the learning rate falls
        by default: then the last epoch is the best, and stopping before it does harm.
    cv : int, splitter, iterable or None, default="auto"
        Folds of a cross-fit: for each fold members are trained without it, `predict` uses the mean
        of all, and what they say of the samples that they held out chooses the threshold. A
        number of stratified folds, a splitter of scikit-learn, pairs of positions, or None for no
        folds: all samples but a validation set train. ``"auto"`` is five folds (three above 20,000
        samples, fewer where the rarest class has fewer) for the default network for tables, where
        they also choose the weight decay and how features are encoded. It is None for other
        networks and optimizers, with a `sampler`, `warm_start`, ``early_stopping=True`` or
        ``model__n_members``, for losses that are no mean over samples (``"soft_f_beta"``) or end in
        cosines (``"ldam"``), for streams, and above 2,048 features or 20 outputs.
    validation_fraction : float in (0, 1), default=0.1
        Share of the samples of every class that is held out where there are no folds, if training
        may stop early or if `threshold` is chosen on it, and used for nothing else.
    monitor : str, default="average_precision"
        The score that early stopping watches on the validation set: ``"loss"``, or a name as in
        `scoring`. Classes and labels that the validation set lacks are left out of means.
    patience : int, default=10
        Epochs without improvement before training stops.
    threshold : float, array-like, dict or str, default=0.5
        Probability from which on `predict` decides for ``pos_label_`` (or for a label, one number
        or one for each, by position or by label). A name such as ``"f1"`` chooses the cut with the
        best score on `X_val` or, with `cv`, on what members held out; otherwise on the validation
        set or, for a default network, which has none, on the training samples.
        For more than two classes there is one number each, by which the probability is divided
        before the largest is taken. `predict_proba` does not change.

        A dict of these words is a rule, for two classes or each label, a promise about
        ``pos_label_``: ``{"recall": 0.9}``, ``{"precision": 0.8}``, ``{"fpr": 0.001}`` (at most)
        and ``{"alerts": 0.01}`` (at most this share of the samples), chosen on samples that were
        held out. With ``"confidence": 0.95`` in addition it holds in the population with this
        probability. See :func:`skimb.probability.best_threshold`, and ``decision_report_``.
    costs : array-like of shape (n_classes, n_classes), dict or None, default=None
        cost[true, predicted] in the order of ``classes_``, or of two classes a dict such as
        ``{"fp": 1, "fn": 20}`` about ``pos_label_``: `predict` decides for the class of least
        expected cost, see :func:`skimb.probability.min_cost`. The probabilities for it are
        corrected for class weights and the loss even without `prior_correction`. An error for
        losses without a closed form, for indicator matrices, and together with a `threshold`.
    prior_correction : bool, default=False
        Whether `predict_proba` is corrected for class weights, samplers, balanced batches and the
        loss, in closed form. An error for losses that have none, such as Dice or asymmetric ones,
        and for ``batching="balanced"`` of indicator targets.
    class_prior : array-like of shape (n_classes,) or (n_labels,), dict or None, default=None
        Frequencies of the classes (or of the 1s of each label) where they are known and differ from
        those of the training samples, in the order of ``classes_``, or as a dict or Series by
        label. Losses and `prior_correction` use them, and so do weights unless balanced batches or
        a sampler decide on the classes in training.
    sampler : object with fit_resample or None, default=None
        A sampler of imbalanced-learn, applied to the training samples after the validation set was
        held out. Synthetic samples get the mean ``sample_weight`` of their class. In contrast, a
        :class:`imblearn.pipeline.Pipeline` also resamples what this estimator would hold out: use
        it where a transformer has to come before the sampler and nothing is held out.
    resample_every_epoch : bool, default=False
        Whether the sampler draws again for every epoch, even if it has a ``random_state``.
    callbacks : list or dict of keras.callbacks.Callback, or None, default=None
        Instances or classes, or one of them; a dict names them. Their logs have the loss and
        `metrics` of the training samples, and with the prefix ``val_`` those of the validation set.
        Hooks for single batches make training use ``Model.fit``.
    metrics : list of str or None, default=None
        Names of scores, as for `scoring`, that are computed after every epoch for ``history_``.
    scoring : str or callable, default="f1"
        What `score` returns: ``"f1"``, ``"precision"``, ``"recall"``, ``"jaccard"`` or
        ``"average_precision"`` of the minority class (the mean over classes or labels where there
        are more), ``"minority_score"``, ``"precision_at_5"`` (any number) of indicator targets,
        any other scikit-learn scorer name, or ``scorer(estimator, X, y)``. In a search leave its
        own ``scoring`` out to use this one: scikit-learn's ``"f1"`` refuses labels other than 0
        and 1.
    trainer : {"auto", "compiled", "keras"}, default="auto"
        ``"compiled"`` runs an epoch as one compiled program, ``"keras"`` is ``Model.fit``, and
        ``"auto"`` uses the first wherever possible.
    distribution : {"mirrored"}, tf.distribute.Strategy, callable or None, default=None
        Devices that train together in ``Model.fit``, each on its part of every batch.
        ``"mirrored"`` uses all GPUs of this machine. For searches and pickles, which copy
        parameters, give a function that returns the strategy instead of the strategy itself.
    dtype : str, default="auto"
        Dtype or Keras dtype policy of networks that are built here. ``"auto"`` is float64 for a
        small problem with float64 data, where it costs little, and otherwise float32.
    warm_start : bool, default=False
        Whether `fit` continues with the network of the last fit.
    random_state : int, RandomState or None, default=None
        Seed of initial weights, held-out samples, samplers, batches, augmentation by layers, and
        dropout. The process's global generators are neither used nor changed.
    verbose : int, default=0
        1 shows a line that is updated every epoch where the output is a terminal or a notebook;
        otherwise, and with 2, a line per epoch is printed.
    **routed
        ``model__*`` for the network (``model__hidden_layer_sizes``, ``model__activation``,
        ``model__dropout``, ``model__l2``, ``model__normalize``, ``model__normalized_output`` for
        the built-in ones, ``model__n_members`` for ``"mlp_ensemble"``), ``optimizer__*``,
        ``loss__*`` and ``callbacks__*``.

    Attributes
    ----------
    model_ : keras.Model
        The fitted network. Its input is what `model_inputs` returns.
    classes_ : ndarray of shape (n_classes,)
        Class labels; the indices of the columns for indicator targets.
    label_names_ : list
        Names of the columns of y, only if it was a data frame.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if all names of the columns of X are strings.
    n_iter_ : int
        Number of epochs of training; a chunk in `partial_fit` is one.
    best_iter_ : int
        The epoch whose network was kept, `n_iter_` unless early stopping restored an earlier one.
    history_ : dict of str to list of float
        Loss and metrics after each epoch (of all members); ``val_`` marks the validation set's.
    loss_ : float
        The loss of the last epoch.
    class_counts_ : ndarray of shape (n_classes,) or (n_labels, 2)
        Summed sample weights of the classes, or of 0 and 1 for each label.
    class_weight_ : dict or ndarray of shape (n_labels, 2)
        The weights that were used, those of ``pos_weight`` included.
    pos_weight_ : float, ndarray of shape (n_labels,) or None
        The weights of the positives that were used, None without ``pos_weight``.
    threshold_ : float or ndarray
        The threshold that `predict` uses; not with `costs`.
    decision_report_ : DecisionReport, or dict of DecisionReport by class or label
        Of a threshold that was chosen by a rule or a score: by which, on which samples, and its
        recall, precision, false positive rate and share of alerts with intervals.
    pos_label_ : label
        The positive class, see the parameter; not for indicator targets.
    minority_class_ : label
        The class with the fewest samples; for indicator targets the column of the rarest label.
    oof_predict_proba_ : ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
        Probabilities by members that held the sample out, NaN where none did. Only with folds.
    oof_score_ : float
        Their score by `scoring`, each fold at a threshold that was chosen on the others if
        `threshold` names a score. Only with folds.
    oof_score_interval_ : Interval
        Named tuple (score, low, high): `oof_score_` with its 95 % confidence interval, see
        :func:`skimb.metrics.score_interval`. It is computed when it is first read.
    cv_results_ : dict of str to array
        The settings that were compared, their held-out log losses and their weights in the mean.
        Only with folds of the default network for tables.
    trainer_ : {"xla", "graph", "keras"}
        How the network was trained: compiled, with XLA or without, or in ``Model.fit``.

    See Also
    --------
    skimb.weighting.weight_grid : Class weights to search over.
    skimb.losses.available : The losses, and the targets that each takes.

    References
    ----------
    .. [1] K. Cao, C. Wei, A. Gaidon, N. Arechiga, T. Ma, "Learning Imbalanced Datasets with
       Label-Distribution-Aware Margin Loss", NeurIPS 2019. https://arxiv.org/abs/1906.07413

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from skimb import ImbalancedNNClassifier
    >>> X, y = make_classification(500, weights=[0.95], flip_y=0, class_sep=2, random_state=0)
    >>> clf = ImbalancedNNClassifier(epochs=20, random_state=0).fit(X, y)
    >>> clf.class_weight_
    {0: 0.85..., 1: 1.77...}
    >>> clf.predict(X[:3]).shape
    (3,)
    >>> score, low, high = clf.oof_score_interval_
    >>> print(f"F1 {score:.2f} ({low:.2f} to {high:.2f})")
    F1 0.9... (0.8... to 1.0...)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = OF_SAMPLES

    _read = read_samples

    pos_weight_ = FittedAttribute(lambda state: state.weights.pos_weight)
    pos_label_ = FittedAttribute(lambda state: state.pos_label, optional=True)
    cv_results_ = FittedAttribute(
        lambda state: None if state.held_out is None else state.held_out.results, optional=True
    )
    oof_predict_proba_ = FittedAttribute(lambda state: state.held_out_probabilities, optional=True)
    oof_score_ = FittedAttribute(lambda state: state.out_of_fold_score)
    oof_score_interval_ = FittedAttribute(lambda state: state.out_of_fold_interval)
    threshold_ = FittedAttribute(
        lambda state: state.decision.threshold if state.decision.costs is None else None,
        optional=True,
    )
    label_names_ = FittedAttribute(lambda state: state.schema.label_names, optional=True)

    def __init__(
        self,
        model: ModelLike = "auto",
        *,
        loss: LossLike = "cross_entropy",
        target: str = "auto",
        model_outputs: str = "auto",
        pos_label: Label = None,
        class_weight: WeightScheme = "auto",
        pos_weight: Any = None,
        weight_power: float | str = "auto",
        class_weight_start: float = 0.0,
        optimizer: OptimizerLike = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        batching: str = "shuffled",
        sampler: Sampler | None = None,
        resample_every_epoch: bool = False,
        augmentation: AugmentationLike = "auto",
        augment_classes: str = "all",
        early_stopping: bool | str = "auto",
        cv: CV = "auto",
        validation_fraction: float = 0.1,
        monitor: str = "average_precision",
        patience: int = 10,
        threshold: ThresholdSpec = 0.5,
        costs: Costs | None = None,
        prior_correction: bool = False,
        class_prior: Any = None,
        callbacks: Any = None,
        metrics: Any = None,
        scoring: Any = "f1",
        trainer: str = "auto",
        distribution: Distribution = None,
        dtype: str = "auto",
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        **routed: Any,
    ) -> None:
        self.model = model
        self.loss = loss
        self.target = target
        self.model_outputs = model_outputs
        self.pos_label = pos_label
        self.class_weight = class_weight
        self.pos_weight = pos_weight
        self.weight_power = weight_power
        self.class_weight_start = class_weight_start
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.batching = batching
        self.sampler = sampler
        self.resample_every_epoch = resample_every_epoch
        self.augmentation = augmentation
        self.augment_classes = augment_classes
        self.early_stopping = early_stopping
        self.cv = cv
        self.validation_fraction = validation_fraction
        self.monitor = monitor
        self.patience = patience
        self.threshold = threshold
        self.costs = costs
        self.prior_correction = prior_correction
        self.class_prior = class_prior
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

    @explained
    @with_callbacks
    def fit(
        self,
        X: Features,
        y: Labels = None,
        sample_weight: SampleWeight = None,
        X_val: Features = None,
        y_val: Labels = None,
        sample_weight_val: SampleWeight = None,
        groups: Groups = None,
    ) -> ImbalancedNNClassifier:
        """Train the network.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)
            Features of shape (n_samples, n_features), or images of shape (n_samples, height,
            width[, channels]). The built-in networks need no scaling. Columns of a data frame that
            hold text or categories are one-hot encoded; categories unseen in `fit` are all zeros.
            Missing values (NaN) of a dense table are replaced by the mean of the column, and where
            at least 20 are missing, a column of zeros and ones says which. To a network of your own
            with several inputs, a dict of these by the names of its input layers, a list in their
            order, or :class:`skimb.data.Inputs`, of which scikit-learn's folds can take samples.

            Or, without y, a stream of batches ``(X, y)`` or ``(X, y, sample_weight)`` that is never
            held as a whole: a :class:`tf.data.Dataset`, a :class:`keras.utils.PyDataset`, a
            ``DataLoader`` of PyTorch, or a function that returns an iterator of batches. Samples
            are shuffled within blocks of up to 16 MiB, nothing is held out, and ``cv="auto"`` is
            None. `X_val`, on which most thresholds need to be chosen, may be one, held in memory.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type, or an indicator matrix of 0 and 1. With
            ``target="candidates"`` every sample needs at least one 1.
        sample_weight : array-like of shape (n_samples,), default=None
            They multiply the class weights; samples of weight 0 are left out. Without folds, the
            weight decay of the default network depends on the summed weight of the rare classes:
            as with ``LogisticRegression``, keep the mean of the weights at 1.
        X_val, y_val, sample_weight_val
            A validation set, in the place of `validation_fraction` of the training samples:
            ``history_`` follows it, `early_stopping` watches it, and a named `threshold` is
            chosen on it.
        groups : array-like of shape (n_samples,), default=None
            What the splitter of `cv` keeps together.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an input is not accepted. The estimator is then as it was before.
        """
        given = X, y, sample_weight, X_val, y_val, sample_weight_val, groups
        if is_stream(X):
            state = state_of_stream(self, self._fit_parameters(), self._previous, *given)
            return self._adopt(state)
        check_complete("fit", X, y is not None)
        return self._fit(*given)

    @explained
    def partial_fit(
        self,
        X: Features,
        y: Labels,
        classes: Classes = None,
        sample_weight: SampleWeight = None,
    ) -> ImbalancedNNClassifier:
        """Train the network for one epoch on a chunk of the data, with nothing held out.

        Class counts, and with them balanced weights, are those of all chunks so far; so are the
        mean and the variance with which the built-in networks standardise. Categories, and which
        columns have missing values, are those of the first chunk.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All classes there are. Needed in the first call, unless y is an indicator matrix.

        Returns
        -------
        self
        """
        return self._fit_chunk(X, y, classes, sample_weight)

    def initialize(self, X: Features, y: Labels) -> ImbalancedNNClassifier:
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
        return self._initialize(X, y)

    model_inputs = predictions.model_inputs
    predict = predictions.predict
    predict_set = predictions.predict_set
    score = predictions.score

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        kinds = [kind for kind in TARGETS if takes_target(self.loss, kind)]
        labels = "multilabel" in kinds or self.target == "candidates"
        tags.classifier_tags.multi_label = labels and self.sampler is None
        tags.classifier_tags.multi_class = self.pos_weight is None and "multiclass" in kinds
        return tags
