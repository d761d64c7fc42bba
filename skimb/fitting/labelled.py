"""Parameters that are given by label, brought into the order of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from skimb._types import Label
from skimb.data.labels import object_array
from skimb.data.targets import Target, listed
from skimb.fitting.decision_rules import as_rule
from skimb.fitting.parameters import FitParameters


def in_order_of_classes(
    params: FitParameters, target: Target, label_names: list[Any] | None
) -> FitParameters:
    """Return the parameters with what is given by label as arrays in the order of `classes_`.

    Parameters
    ----------
    params : FitParameters
    target : Target
    label_names : list or None
        Names of the columns of an indicator matrix.

    Raises
    ------
    ValueError
        If labels do not match those of y, or numbers are in the order of the classes where that is
        unclear.
    """
    if target.kind == "reconstruction":
        return params
    _check_places(params, target)
    of_columns = target.kind in ("multilabel", "candidates")
    names = label_names if of_columns else None
    changes: dict[str, Any] = {}
    for name in ("pos_weight", "class_prior", "threshold"):
        mapping = _as_mapping(getattr(params, name))
        if mapping is None:
            continue
        rule = as_rule(mapping, target, names) if name == "threshold" else None
        if rule is not None:
            changes[name] = rule
            continue
        if target.kind == "binary" and name != "class_prior":
            raise _of_one_class(name, mapping, target)
        values = _ordered(mapping, name, target, names)
        if any(isinstance(value, Mapping) for value in values):
            raise ValueError(
                f"{name}={mapping!r} has a mapping for a label, but takes a number for each. A "
                "rule such as threshold={'recall': 0.9} applies to every label."
            )
        try:
            changes[name] = np.array(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name}={mapping!r} takes a number for each label, but {error}."
            ) from error
    if params.costs is not None:
        changes["costs"] = costs_in_order(params.costs, target)
    weights = _as_mapping(params.class_weight)
    if weights is not None and of_columns:
        changes["class_weight"] = _weights_of_columns(weights, target, names)
    return replace(params, **changes) if changes else params


def costs_in_order(costs: Any, target: Target) -> Any:
    """Return costs with the rows and columns of a data frame in the order of `classes_`.

    Raises
    ------
    ValueError
        If a data frame is labelled by anything but the classes, or positions.
    """
    if hasattr(costs, "columns") and hasattr(costs, "to_numpy") and not hasattr(costs, "index"):
        _check_columns_of_costs(list(costs.columns), target)
        return costs.to_numpy()
    if not hasattr(costs, "columns") or not hasattr(costs, "index"):
        return costs
    classes, positions = target.classes_.tolist(), list(range(len(target.classes_)))
    rows, columns = list(costs.index), list(costs.columns)
    values = np.asarray(costs)
    if set(rows) == set(columns) == set(classes) and values.shape == (len(classes),) * 2:
        order = [rows.index(label) for label in classes], [columns.index(k) for k in classes]
        return values[np.ix_(*order)]
    if rows == columns == positions:
        return values
    raise ValueError(
        f"costs has the rows {rows} and the columns {columns}, but y has the classes "
        f"{listed(target.classes_)}. Label both with the classes, true ones as rows and predicted "
        "ones as columns, or pass an array in the order of classes_."
    )


def _check_columns_of_costs(columns: list[str], target: Target) -> None:
    """Raise a ValueError for a frame without names of rows, as of polars, in another order."""
    classes = [str(label) for label in target.classes_.tolist()]
    if columns != classes and set(columns) & set(classes):
        raise ValueError(
            f"costs has the columns {columns} and no names of rows, but y has the classes "
            f"{listed(target.classes_)}. Put rows and columns in the order of classes_, or pass a "
            "pandas data frame with the classes as its index and its columns."
        )


def position_of_label(pos_label: Label, target: Target) -> int | None:
    """Return the position of the class that `pos_label` names, None where it names none.

    Raises
    ------
    ValueError
        If it is not among the classes, or each label has a positive side of its own.
    """
    if pos_label is None:
        return None
    if target.kind == "multilabel":
        raise ValueError(
            f"pos_label={pos_label!r} does not go with an indicator matrix, in which 1 is the "
            "positive side of every label. Leave it at None."
        )
    classes = target.classes_.tolist()
    if pos_label not in classes:
        raise ValueError(
            f"pos_label={pos_label!r} is not a class of y, which has {listed(target.classes_)}."
        )
    return classes.index(pos_label)


def _as_mapping(given: Any) -> dict[Any, Any] | None:
    """Return a dict, or a pandas Series by its index, as a dict; None for everything else."""
    if isinstance(given, Mapping):
        return dict(given)
    if hasattr(given, "columns") and hasattr(given, "iterrows"):  # a row for each label
        return {name: dict(row.items()) for name, row in given.iterrows()}
    if hasattr(given, "index") and hasattr(given, "items"):
        return dict(given.items())
    return None


def _ordered(
    mapping: dict[Any, Any], parameter: str, target: Target, names: list[Any] | None
) -> list[Any]:
    """Return the values of a mapping in the order of the classes, or of the columns by name."""
    for labels in ([] if names is None else [names]) + [target.classes_.tolist()]:
        if set(mapping) == set(labels):
            return [mapping[label] for label in labels]
    known = object_array(target.classes_.tolist() if names is None else names)
    given = object_array(list(mapping))
    raise ValueError(
        f"{parameter} is given for {listed(given)}, but y has {listed(known)}. It needs a value "
        "for each of them."
    )


def _of_one_class(parameter: str, mapping: dict[Any, Any], target: Target) -> ValueError:
    """Return the error for a number of the positive one of two classes that is given by label."""
    cure = "Set pos_label to that class, and a number."
    if parameter == "pos_weight":
        cure = "Weights by label go into class_weight, with pos_weight=None."
    return ValueError(
        f"{parameter}={mapping!r} is given by label, but of two classes, here "
        f"{listed(target.classes_)}, it is one number, that of the positive class. {cure}"
    )


def _weights_of_columns(mapping: dict[Any, Any], target: Target, names: list[Any] | None) -> Any:
    """Return weights by column, of indicator targets for the zeros and the ones of each."""
    labels = target.classes_.tolist()
    if target.kind == "multilabel" and set(mapping) <= {0, 1} and not (names and 0 in names):
        return mapping  # of the zeros and the ones of all columns
    if target.kind == "candidates":
        by_name = dict(zip(labels if names is None else names, labels, strict=True))
        known = by_name if set(mapping) <= set(by_name) else {k: k for k in labels}
        if not set(mapping) <= set(known):
            _ordered(mapping, "class_weight", target, names)  # which says what is wrong
        return {known[label]: weight for label, weight in mapping.items()}
    values = _ordered(mapping, "class_weight", target, names)
    pairs = []
    for label, value in zip(labels if names is None else names, values, strict=True):
        pair = [value.get(0, np.nan), value.get(1, np.nan)] if isinstance(value, Mapping) else value
        if np.shape(pair) != (2,) or np.isnan(np.asarray(pair, np.float64)).any():
            raise ValueError(
                f"class_weight[{label!r}]={value!r} is not accepted for an indicator matrix, which "
                "takes a pair for each label, the weights of its 0 and of its 1. For a weight of "
                "the ones alone use pos_weight={label: weight} with class_weight=None."
            )
        pairs.append(pair)
    return np.array(pairs, dtype=np.float64)


def _check_places(params: FitParameters, target: Target) -> None:
    """Raise a ValueError if numbers are by position and `classes` has another order than sorted."""
    if params.classes is None:
        return
    given = np.asarray(params.classes).tolist()
    if given == target.classes_.tolist() or sorted(given) != target.classes_.tolist():
        return
    if params.costs is not None and not isinstance(params.costs, Mapping):
        raise ValueError(
            f"costs is in the order of classes_, {listed(target.classes_)}, but classes lists them "
            f"as {given}. Pass classes in the order of classes_, and costs in that order."
        )
    for name in ("class_weight", "class_prior", "threshold"):
        value = getattr(params, name)
        if value is None or isinstance(value, str) or _as_mapping(value) is not None:
            continue
        if np.ndim(value):
            by_label = dict(zip(given, np.asarray(value).tolist(), strict=False))
            raise ValueError(
                f"{name}={value!r} is in the order of classes_, {listed(target.classes_)}, but "
                f"classes lists them as {given}. Give it by label, such as {name}={by_label!r}."
            )
