"""What other libraries call the parameters, and what to write here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

# what is written here: what others write, such as scikeras, Keras, scikit-learn's MLP, skorch,
# XGBoost, LightGBM and CatBoost
_SAME = {
    "model": "build_fn model_fn module net network architecture create_model estimator "
    "base_estimator",
    "loss": "criterion loss_fn loss_function objective",
    "optimizer": "solver optimiser",
    "optimizer__learning_rate": "learning_rate learning_rate_init lr eta step_size optimizer_lr "
    "optimizer__lr",
    "optimizer__momentum": "momentum",
    "optimizer__nesterov": "nesterov nesterovs_momentum",
    "optimizer__beta_1": "beta_1",
    "optimizer__beta_2": "beta_2",
    "optimizer__epsilon": "epsilon",
    "optimizer__rho": "rho",
    "optimizer__weight_decay": "weight_decay",
    "optimizer__clipnorm": "clipnorm clip_norm gradient_clip_val",
    "optimizer__clipvalue": "clipvalue",
    "optimizer__use_ema": "use_ema",
    "loss__gamma": "gamma focal_gamma",
    "loss__label_smoothing": "label_smoothing",
    "model__hidden_layer_sizes": "layers n_layers units hidden_units n_units n_hidden hidden_dims",
    "model__dropout": "dropout_rate drop_rate dropout_prob",
    "model__l2": "alpha reg_lambda lambda_l2 l2_leaf_reg l2_reg kernel_regularizer",
    "model__n_members": "n_members ensemble_size",
    "epochs": "max_iter max_epochs n_epochs num_epochs nb_epoch n_iter iterations n_estimators "
    "num_boost_round num_iterations",
    "batch_size": "mini_batch minibatch_size batch bs",
    "random_state": "seed random_seed rng global_seed np_random_state",
    "verbose": "silent verbosity verbose_eval logging_level loglevel",
    "patience": "n_iter_no_change early_stopping_patience od_wait",
    "early_stopping": "early_stop",
    "validation_fraction": "validation_split val_fraction val_size test_size validation_size "
    "train_split",
    "cv": "cv_folds folds n_splits n_folds nfold",
    "class_weight": "weights class_weights is_unbalance is_unbalanced auto_class_weights",
    "pos_weight": "scale_pos_weight",
    "class_prior": "prior priors prior_probabilities",
    "sampler": "smote oversampler oversampling oversample undersampler undersampling undersample "
    "resampler resample sampling_strategy",
    "augmentation": "augment augmentations data_augmentation",
    "threshold": "cutoff decision_threshold thresholds",
    "pos_label": "positive_class pos_class positive_label positive",
    "costs": "cost cost_matrix misclassification_costs",
    "metrics": "eval_metric custom_metric eval_metrics",
    "scoring": "scorer score_func",
    "dtype": "dtype_policy precision mixed_precision",
    "callbacks": "callback",
}
_MEANT = {theirs: ours for ours, names in _SAME.items() for theirs in names.split()}

_CORES = "Leave it out: TensorFlow takes all cores. n_jobs is for a search, or cross_val_score."
_DEVICE = "Leave it out: TensorFlow trains on a GPU where it finds one; `distribution` takes more."
_READ = "Leave it out: it is read from the data."
_TABLES = (
    "Leave it out: columns of text, of bools and of the dtype category are encoded. Give numbers "
    "that stand for categories this dtype, X.astype({'column': 'category'})."
)
_SCHEDULE = (
    "Pass a schedule of keras.optimizers.schedules as optimizer__learning_rate, or "
    "keras.callbacks.LearningRateScheduler in callbacks."
)
# to the parameter that does this work in another way, and what to do
_OTHER = {
    "run_eagerly": ("trainer", "Leave it out: what cannot be traced runs eagerly by itself."),
    "jit_compile": ("trainer", "Leave it out: `trainer` chooses XLA where it pays."),
    "shuffle": (
        "batching",
        "Leave it out: samples are shuffled in every epoch, in the way that batching names.",
    ),
    "tol": (
        "early_stopping",
        "Leave it out: early_stopping stops after `patience` epochs without a better `monitor`.",
    ),
    "early_stopping_rounds": (
        "patience",
        "Set early_stopping=True, and patience to this number of epochs.",
    ),
    "weighted_metrics": ("metrics", "Use metrics, names of scikit-learn's scorers."),
    "loss_weights": ("loss", "Leave it out: a network has one output, and so one loss."),
    "model_kwargs": ("model", "Pass its entries one by one, as model__units=16."),
    "model_params": ("model", "Pass its entries one by one, as model__units=16."),
    "optimizer_params": ("optimizer", "Pass its entries one by one, as optimizer__momentum=0.9."),
    "optimizer_kwargs": ("optimizer", "Pass its entries one by one, as optimizer__momentum=0.9."),
    "fit_kwargs": ("epochs", "Pass its entries to the constructor, such as epochs=10."),
    "compile_kwargs": (
        "optimizer",
        "Pass its entries to the constructor: optimizer, loss and metrics.",
    ),
    "validation_data": ("early_stopping", "Pass it to fit, as X_val and y_val."),
    "eval_set": ("early_stopping", "Pass it to fit, as X_val and y_val."),
    "costs": (
        "prior_correction",
        "Of two classes set prior_correction=True and threshold to fp / (fp + fn), of what a false "
        "and a missed pixel of the foreground cost.",
    ),
    "sample_weight": ("loss", "Pass it to fit."),
    "groups": ("cv", "Pass it to fit."),
    **dict.fromkeys(("n_jobs", "num_workers", "thread_count", "nthread"), ("model", _CORES)),
    **dict.fromkeys(("device", "gpu", "use_gpu", "task_type"), ("distribution", _DEVICE)),
    **dict.fromkeys(("n_classes", "num_classes", "num_class", "input_shape"), ("model", _READ)),
    **dict.fromkeys(("n_features", "input_dim", "class_names"), ("model", _READ)),
    **dict.fromkeys(("cat_features", "categorical_features"), ("model", _TABLES)),
    "enable_categorical": ("model", _TABLES),
    "missing": ("model", "Leave it out: NaN, None and pd.NA are missing values in a table."),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_schedule"), ("callbacks", _SCHEDULE)),
    "learning_rate_schedule": ("callbacks", _SCHEDULE),
}

# of methods of Keras's models, whose arguments are parameters here, and of parts of skorch's nets
_METHODS = ("fit", "compile", "predict", "iterator_train")
_PARTS = {"module": "model", "criterion": "loss"}


def suggestion(
    name: str, accepted: Collection[str], of_network: Sequence[str], *, where: str = ""
) -> str:
    """Return what to write for a parameter that an estimator does not have, as a sentence.

    Parameters
    ----------
    name : str
    accepted : collection of str
        The parameters of the estimator, without the routed ones.
    of_network : sequence of str
        The parameters of its network.
    where : str, default=""
        Follows the parameter that is suggested.

    Returns
    -------
    str
        Empty where nothing comes near.
    """
    prefix, _, rest = name.partition("__")
    if rest and prefix in _METHODS:
        if rest.partition("__")[0] in accepted:
            return f"Did you mean {rest!r}{where}?"
        return suggestion(rest, accepted, of_network, where=where)
    if rest and prefix in _PARTS:
        return f"Did you mean '{_PARTS[prefix]}__{rest}'{where}?"
    if rest and prefix == "metrics" and "metrics" in accepted:
        return "metrics holds names of scikit-learn's scorers, which have no parameters."
    routed = ["optimizer__learning_rate", "loss__gamma", *(f"model__{n}" for n in of_network)]
    exact = [known for known in routed if known.endswith(f"__{name}")]
    if exact:
        return f"Did you mean {exact[0]!r}{where}?"
    found = _of_others(name, accepted, routed, where)
    if found:
        return found
    close = difflib.get_close_matches(name, [*routed, *accepted], n=1, cutoff=0.7)
    close = close or [
        known
        for known in routed
        if difflib.SequenceMatcher(None, known.partition("__")[2], name).ratio() > 0.75
    ]
    if close:
        return f"Did you mean {close[0]!r}{where}?"
    others = difflib.get_close_matches(name, [*_MEANT, *_OTHER], n=1, cutoff=0.8)
    return _of_others(others[0], accepted, routed, where) if others else ""


def _of_others(name: str, accepted: Collection[str], routed: Sequence[str], where: str) -> str:
    """Return what to write for a name of another library, if it is one."""
    meant = _MEANT.get(name, "")
    part, separator, _ = meant.partition("__")
    # of a build function of the user's own the parameters are known
    if meant in (routed if part == "model" and separator else accepted) or part in (
        "optimizer", "loss",
    ):  # fmt: skip
        return f"Did you mean {meant!r}{where}?"
    parameter, sentence = _OTHER.get(name, ("", ""))
    return sentence if parameter in accepted else ""
