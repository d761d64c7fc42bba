"""What other libraries call the parameters, and what to write here."""

from __future__ import annotations

from collections.abc import Collection

# to a parameter of the same meaning; of scikeras, Keras, scikit-learn's MLP and skorch
_SAME = {
    "build_fn": "model",
    "module": "model",
    "criterion": "loss",
    "solver": "optimizer",
    "learning_rate": "optimizer__learning_rate",
    "learning_rate_init": "optimizer__learning_rate",
    "lr": "optimizer__learning_rate",
    "alpha": "model__l2",
    "momentum": "optimizer__momentum",
    "beta_1": "optimizer__beta_1",
    "beta_2": "optimizer__beta_2",
    "max_iter": "epochs",
    "max_epochs": "epochs",
    "n_epochs": "epochs",
    "nb_epoch": "epochs",
    "n_iter_no_change": "patience",
    "validation_split": "validation_fraction",
}

# to a parameter that does its work in another way
_OTHER = {
    "run_eagerly": ("trainer", "Leave it out: what cannot be traced runs eagerly by itself."),
    "shuffle": (
        "batching",
        "Leave it out: samples are shuffled in every epoch, in the way that batching names.",
    ),
    "tol": (
        "early_stopping",
        "Leave it out: early_stopping stops after `patience` epochs without a better `monitor`.",
    ),
    "weighted_metrics": ("metrics", "Use metrics, names of scikit-learn's scorers."),
    "loss_weights": ("loss", "Leave it out: a network has one output, and so one loss."),
    "model_kwargs": ("model", "Pass its entries one by one, as model__units=16."),
    "fit_kwargs": ("epochs", "Pass its entries to the constructor, such as epochs=10."),
    "compile_kwargs": (
        "optimizer",
        "Pass its entries to the constructor: optimizer, loss and metrics.",
    ),
    "validation_data": ("early_stopping", "Pass it to fit, as X_val and y_val."),
    "costs": (
        "prior_correction",
        "Of two classes set prior_correction=True and threshold to fp / (fp + fn), of what a false "
        "and a missed pixel of the foreground cost.",
    ),
    "sample_weight": ("loss", "Pass it to fit."),
}

# of methods of Keras's models, whose arguments are parameters here
_PREFIXES = ("fit", "compile", "predict", "iterator_train", "module")


def cure_for(name: str, accepted: Collection[str]) -> str:
    """Return what to write for a parameter that other libraries have, as a sentence.

    Parameters
    ----------
    name : str
    accepted : collection of str
        The parameters that the estimator has, without the routed ones.

    Returns
    -------
    str
        Empty where the name is none of theirs.
    """
    prefix, separator, rest = name.partition("__")
    if separator and prefix in _PREFIXES:
        if prefix == "module":
            return f"Did you mean 'model__{rest}'?"
        if rest.partition("__")[0] in accepted:
            return f"Did you mean {rest!r}?"
        return cure_for(rest, accepted)
    if separator and prefix == "metrics" and "metrics" in accepted:
        return "metrics holds names of scikit-learn's scorers, which have no parameters."
    same = _SAME.get(name, "")
    if same.partition("__")[0] in (*accepted, "optimizer") and same:
        return f"Did you mean {same!r}?"
    parameter, sentence = _OTHER.get(name, ("", ""))
    return sentence if parameter in accepted else ""
