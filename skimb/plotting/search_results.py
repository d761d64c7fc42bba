"""Curves of score against weight, read from the results of a search."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from numbers import Real
from reprlib import Repr
from textwrap import shorten
from typing import Any, NamedTuple

import numpy as np

from skimb.plotting.panels import score_title, shortened

_NAMES = ("class_weight", "pos_weight", "weight_power")
# settings of other parameters that are drawn as a line each
_FEW_SETTINGS = 6

_abbreviation = Repr()
_abbreviation.maxstring = _abbreviation.maxother = _abbreviation.maxlong = 24
_brief = _abbreviation.repr


class Curve(NamedTuple):
    """Scores of one setting of the other parameters, NaN where a fit failed.

    The ascending `x` are weights, or positions of categories.
    """

    label: str | None
    x: np.ndarray
    mean: np.ndarray
    std: np.ndarray


def read(
    results: Mapping[str, Any], param: str | None, score: str | None, score_name: str | None
) -> dict[str, Any]:
    """Return the arguments of a ``WeightSearchDisplay`` for the results of a search.

    The parameters are those of ``WeightSearchDisplay.from_cv_results``.
    """
    if "params" not in results:
        raise ValueError(
            "cv_results has no 'params'. Pass search.cv_results_ of a fitted search, such as "
            "GridSearchCV."
        )
    candidates = [dict(candidate) for candidate in results["params"]]
    score = _chosen_score(results, score)
    mean, std = (np.array(results[f"{of}_test_{score}"], np.float64) for of in ("mean", "std"))
    if not np.isfinite(mean).any():
        raise ValueError(
            f"mean_test_{score} has no finite value: every fit or score failed. "
            "error_score='raise' in the search shows why."
        )
    param = _chosen_param(candidates, param)
    final = _last_iteration(results, mean)
    if "n_resources" in results:  # halving: scores of fewer samples are another curve
        for candidate, n_resources in zip(candidates, results["n_resources"], strict=True):
            candidate["n_resources"] = n_resources
    note = _better_without(candidates, param, np.where(final, mean, np.nan))
    kept = np.array([param in candidate for candidate in candidates])
    distinct = {s for s, keep in zip(_settings(candidates, param)[0], kept, strict=True) if keep}
    if len(distinct) > _FEW_SETTINGS and (kept & final).any():
        kept &= final  # the best of scores of fewer samples and of all would be a score of neither
    candidates = [candidate for candidate, keep in zip(candidates, kept, strict=True) if keep]
    mean, std, final = mean[kept], std[kept], final[kept]
    if not np.isfinite(mean).any():
        raise ValueError(f"No candidate with {param} has a finite mean_test_{score}: all failed.")
    x, axis = _placed([candidate[param] for candidate in candidates], param)
    title = score_title(score_name or score)
    axis |= {"score_label": title[:1].upper() + title[1:] + _folds(results, score), "note": note}
    return axis | _curves(candidates, param, x, mean, std, final)


def _curves(
    candidates: list[dict[str, Any]],
    param: str,
    x: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    final: np.ndarray,
) -> dict[str, Any]:
    """Return a curve for each of few settings, and otherwise that of the best at each weight."""

    def curve(label: str | None, chosen: np.ndarray) -> Curve:
        chosen = chosen[np.argsort(x[chosen], kind="stable")]
        return Curve(label, x[chosen], mean[chosen], std[chosen])

    settings, names = _settings(candidates, param)
    by_setting = {s: np.flatnonzero([s == t for t in settings]) for s in settings}
    if len(by_setting) <= _FEW_SETTINGS:
        of_last = [i for i, chosen in enumerate(by_setting.values()) if final[chosen].all()]
        curves = [curve(setting or None, chosen) for setting, chosen in by_setting.items()]
        return {"curves": curves, "final": of_last or None}
    others = ", ".join(names) if len(names) <= 3 else f"{len(names)} other parameters"
    filled = np.where(np.isfinite(mean), mean, -np.inf)
    at = [np.flatnonzero(x == place) for place in np.unique(x)]
    best = np.array([chosen[np.argmax(filled[chosen])] for chosen in at])
    winner = settings[best[np.argmax(filled[best])]]
    least, most = min(map(len, at)), max(map(len, at))
    if least == 1:
        # lines between points that differ in more than the weight would be meaningless
        one = curve(f"each with other settings of {others}", np.arange(len(x)))
        return {"curves": [one], "connected": False, "best_setting": winner}
    number = most if least == most else f"{least} to {most}"
    one = curve(f"best of {number} settings of {others}", best)
    return {"curves": [one], "best_setting": winner}


def _last_iteration(results: Mapping[str, Any], mean: np.ndarray) -> np.ndarray:
    """Return which candidates the best is selected from: those at the end of a halving search."""
    rounds = results.get("iter", results.get("n_resources"))
    if rounds is None:
        return np.ones(len(mean), dtype=bool)
    rounds = np.asarray(rounds)
    return rounds == rounds[np.isfinite(mean)].max()


def _folds(results: Mapping[str, Any], score: str) -> str:
    """Return what the mean and the standard deviation of a score are taken over."""
    scores = rf"split\d+_test_{re.escape(score)}"
    n_folds = len([name for name in results if re.fullmatch(scores, str(name))])
    if n_folds == 1:
        return ": of one fold"
    return f": mean ± std of {n_folds} folds" if n_folds else ": mean ± std"


def _better_without(candidates: list[dict[str, Any]], param: str, mean: np.ndarray) -> str | None:
    """Return a note on a candidate without the parameter that is better than all with it."""
    filled = np.where(np.isfinite(mean), mean, -np.inf)
    best = int(np.argmax(filled))
    having = [filled[i] for i, candidate in enumerate(candidates) if param in candidate]
    if param in candidates[best] or filled[best] <= max(having):
        return None
    setting = _settings(candidates, param)[0][best] or "another candidate"
    return f"not drawn, without {param.rpartition('__')[2]}: {mean[best]:.3f} of {setting}"


def _chosen_score(results: Mapping[str, Any], score: str | None) -> str:
    prefix = "mean_test_"
    known = [str(n).removeprefix(prefix) for n in results if str(n).startswith(prefix)]
    if score is None:
        if "score" in known or len(known) == 1:
            return "score" if "score" in known else known[0]
        raise ValueError(
            f"score has to be named, as the search has {known or 'none: is it cv_results_?'}."
        )
    if score in known:
        return score
    close = difflib.get_close_matches(score, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"score={score!r} is not in cv_results, which has {known}.{hint}")


def _chosen_param(candidates: list[dict[str, Any]], param: str | None) -> str:
    known = list(dict.fromkeys(name for candidate in candidates for name in candidate))
    if param is not None:
        name = param.removeprefix("param_")
        found = [name] if name in known else [k for k in known if k.endswith(f"__{name}")]
    else:
        weights = [name for name in known if name.rpartition("__")[2] in _NAMES]
        varied = [n for n in weights if len({repr(c[n]) for c in candidates if n in c}) > 1]
        found = varied or weights
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"param has to be named: the search is over {found}.")
    what = "no class_weight, pos_weight or weight_power" if param is None else f"no {param!r}"
    raise ValueError(f"cv_results has {what}. It is over {known}; name one of them with param=.")


def _placed(values: list[Any], param: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the place of each value on the axis, and the label, scale and categories of it."""
    tables = {
        i: _as_mapping(value, param)
        for i, value in enumerate(values)
        if value is not None and not isinstance(value, (str, Real))
    }
    if tables and all(value is None for i, value in enumerate(values) if i not in tables):
        # no weights are equal weights
        tables = {i: tables.get(i, {}) for i in range(len(values))}
    ratios, ratio_label = _ratios(list(tables.values()))
    items: list[Any] = list(values)
    for i, ratio in zip(tables, ratios, strict=True):
        items[i] = ratio
    if tables and len(tables) == len(values) and all(0 < ratio < np.inf for ratio in ratios):
        return np.array(ratios), {"weight_label": ratio_label, "scale": "log"}
    if not tables and all(isinstance(value, Real) for value in values):
        x = np.array(values, dtype=np.float64)
        return x, {"weight_label": param, "scale": _scale(np.unique(x))}
    words = dict.fromkeys(str(item) for item in items if not isinstance(item, Real))
    numbers = dict.fromkeys(sorted(float(item) for item in items if isinstance(item, Real)))
    places = {name: place for place, name in enumerate([*words, *numbers])}
    x = np.array([places[float(i) if isinstance(i, Real) else str(i)] for i in items], np.float64)
    label = f"{param} (numbers: {ratio_label[0].lower()}{ratio_label[1:]})" if tables else param
    names = [*words, *(f"{number:.3g}" for number in numbers)]
    return x, {"weight_label": label, "categories": names}


def _as_mapping(value: Any, param: str) -> dict[Any, float]:
    """Return class weights as a dict, those without names by their position."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return dict(value)
    array = np.asarray(value)
    if array.ndim != 1 or array.dtype.kind not in "fiu" or not len(array):
        raise ValueError(
            f"{param}={_brief(value)} is not one number, as an axis needs. Accepted are numbers, "
            "names, None, and class weights as a dict or in one dimension."
        )
    return {f"number {i}": weight for i, weight in enumerate(array.tolist())}


def _ratios(tables: list[dict[Any, float]]) -> tuple[list[float], str]:
    """Return a ratio for each dict of class weights, and its name."""
    classes = list(dict.fromkeys(label for table in tables for label in table))
    weights = np.array([[table.get(k, 1.0) for k in classes] for table in tables], dtype=np.float64)
    of = [f"class {shortened(str(label))}" for label in classes] or ["class 0", "class 1"]
    if len(classes) == 1:
        return list(weights[:, 0]), f"Weight of {of[0]} / weight of the other"
    with np.errstate(divide="ignore", invalid="ignore"):
        if len(classes) > 2:
            return list(weights.max(axis=1) / weights.min(axis=1)), "Largest / smallest weight"
        ratios = weights[:, 1] / weights[:, 0] if tables else np.empty(0)
        # weights of 0 leave a class out, and do not tell which class is rare
        finite = np.log(ratios[np.isfinite(ratios) & (ratios > 0)])
        rare = int(np.sum(finite) >= 0)
        ratios = ratios if rare else 1 / ratios
    return list(ratios), f"Weight of {of[rare]} / weight of {of[1 - rare]}"


def _scale(numbers: np.ndarray) -> str:
    """Return the scale for distinct numbers by their gaps, as scikit-learn's displays do."""
    gaps = np.diff(numbers)
    if len(gaps) < 2 or gaps.max() <= 5 * gaps.min():
        return "linear"
    return "log" if numbers[0] > 0 else "symlog"


def _settings(candidates: list[dict[str, Any]], param: str) -> tuple[list[str], list[str]]:
    """Return the other parameters of each candidate as a text, and the names of those that vary."""
    known = dict.fromkeys(name for candidate in candidates for name in candidate)
    varied = [
        name
        for name in known
        if name != param and len({repr(c.get(name, known)) for c in candidates}) > 1
    ]
    step = param.rpartition("__")[0] + "__"
    short = {name: name.removeprefix(step) for name in varied}
    settings = [
        ", ".join(f"{short[name]}={_value(c[name])}" for name in varied if name in c)
        for c in candidates
    ]
    return settings, list(short.values())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return shorten(value, 30, placeholder="…") if " " in value else value
    return f"{value:.4g}" if isinstance(value, float) else _brief(value)
