"""From the user's rows to those that are trained on: checks, the start, the rows held out, the
sampler, and the weights that follow from the counts of the classes.
"""

from __future__ import annotations

import copy
import itertools
import warnings
from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any

import keras
import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skimb import defaults, networks, targets
from skimb.base import BaseNetworkEstimator, Fitted
from skimb.batching import plan
from skimb.decision import Decision
from skimb.ends import NetworkEnds
from skimb.losses.binding import check_target, is_categorical
from skimb.metrics.scorers import Scorer, scorer_for
from skimb.randomness import draw_seed, generator
from skimb.row_weights import class_weight_used, pos_weight_used
from skimb.sampling import check_sampler, resampled
from skimb.training import Network
from skimb.training.decay import MemberDecay
from skimb.validation import HeldOut, stratified_split

# as in scikit-learn's HistGradientBoostingClassifier
EARLY_STOPPING_FROM_ROWS = 10_000


class Preparation(BaseNetworkEstimator):
    """The steps of a fit before the training, each named after what it does."""

    _auto_batch_size = 200

    @property
    def label_names_(self) -> list[Any] | None:
        """Names of the columns of a data frame y; None if y was no data frame."""
        return self._label_names

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Any, ...]:
        """Return X, y and weights as arrays, without the rows of weight 0."""
        if reset:  # names of labels, for pictures
            self._label_names = list(y.columns) if hasattr(y, "columns") else None
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
        ends = NetworkEnds.of(network.blueprint.example, X, per_pixel=target.per_pixel)
        _warn_of_channels_first(X)
        if getattr(loss, "takes_cosines", False) and not isinstance(self.model, str):
            self._warn_without_cosines(network)
        target = target.agreeing(ends.units, ends.activation)
        if (
            target.kind == "binary"
            and not target.per_pixel
            and "binary" in getattr(loss, "targets", ())
            and (target.loss_target not in loss.targets)
        ):
            raise ValueError(
                f"model ends in {ends.units} outputs, but loss={self.loss!r} takes one logit for "
                "two classes. End in one unit."
            )
        check_target(loss, target.loss_target, exclusive=target.link == "softmax")
        self._scorer(self.scoring, target, 0)  # an unknown name is known before the training
        described = {"model": self.model, **self._routed("model")}
        self._fitted = Fitted(
            network,
            ends,
            target,
            X.shape[1:],
            rng,
            described,
            Decision(target),
            split_seed=draw_seed(copy.deepcopy(rng)),
        )
        self.classes_ = target.classes_
        self.history_: dict[str, list[float]] = {}
        self.n_iter_ = 0
        for name in ("loss_", "trainer_"):
            self.__dict__.pop(name, None)

    def _warn_without_cosines(self, network: Network) -> None:
        if networks.Cosines.__name__ not in network.blueprint.layer_types:
            warnings.warn(
                f"loss={self.loss!r} is made for cosines, but the network does not end in "
                "skimb.networks.Cosines(n_classes), so that its margins mean little.",
                UserWarning,
                stacklevel=5,
            )

    def _check_same_model(self) -> None:
        """Raise a ValueError if the network to go on with is not the one that is asked for now."""
        described = {"model": self.model, **self._routed("model")}
        changed = [
            name
            for name in {**self._fitted.described, **described}
            if repr(described.get(name)) != repr(self._fitted.described.get(name))
        ]
        if changed:
            names = ", ".join(n if n == "model" else f"model__{n}" for n in changed)
            raise ValueError(
                f"{names} changed since the network was built, but warm_start and partial_fit go "
                "on with that network. Fit with warm_start=False, or a clone."
            )

    def _meta(self, X: Any, y: np.ndarray, target: targets.Target) -> dict[str, Any]:
        kind = "multilabel-indicator" if target.kind == "multilabel" else target.kind
        known = {name: value for name, value in vars(self).items() if name.endswith("_in_")}
        if X.ndim == 2 and known.get("n_features_in_") != X.shape[1]:
            known = {"n_features_in_": X.shape[1]}  # the network gets categories as columns
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

    def _check_without_fit(self, method: str) -> None:
        """Raise a ValueError for parameters that have a meaning in `fit` alone."""
        refused = {
            "class_weight_start": (bool(self.class_weight_start), "there is no last epoch"),
            "threshold": (isinstance(self.threshold, str), "no rows are held out"),
            "sampler": (self.sampler is not None, "not all rows are there to sample from"),
            "early_stopping": (self.early_stopping is True, "no rows are held out"),
        }
        for name, (given, reason) in refused.items():
            if given:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} cannot be used in {method}, because {reason}. "
                    "Leave it at its default, or use fit."
                )

    def _known_codes(self, y: np.ndarray) -> np.ndarray:
        try:
            return self._fitted.target.codes(y)
        except ValueError as error:
            raise ValueError(
                f"warm_start=True goes on from a network for the classes {self.classes_.tolist()}, "
                "but y has others. Set warm_start=False, or fit a clone."
            ) from error

    def _held_out(
        self, X: Any, codes: np.ndarray, sample_weight: np.ndarray, given: tuple[Any, ...]
    ) -> tuple[Any, np.ndarray, np.ndarray, HeldOut | None]:
        """Return the rows to train on and those held out, the user's own or drawn from all."""
        X_val, y_val, weight_val = given
        if (X_val is None) != (y_val is None) or (X_val is None and weight_val is not None):
            raise ValueError(
                "X_val and y_val belong together, and sample_weight_val to them. Pass both, or "
                "neither to have validation_fraction of the rows held out."
            )
        if X_val is not None:
            X_val, y_val, weight_val = self._checked_rows(X_val, y_val, weight_val, reset=False)
            try:
                codes_val = self._fitted.target.codes(y_val)
            except ValueError as error:
                raise ValueError(
                    f"y_val does not go with y, whose classes are {self.classes_.tolist()}."
                ) from error
            self._check_held_out(codes_val, len(codes), given=True)
            return X, codes, sample_weight, HeldOut(X_val, codes_val, weight_val, given=True)
        if not (self._stops_early(len(codes), False) or self._holds_out_for_threshold):
            return X, codes, sample_weight, None
        # the same rows in every fit of a warm start, or those trained on would be held out next
        rng = np.random.RandomState(self._fitted.split_seed)
        strata = self._fitted.target.strata(codes)
        train, held = stratified_split(strata, self.validation_fraction, rng)
        self._check_held_out(codes[held], len(codes), given=False)
        held_out = HeldOut(X[held], codes[held], sample_weight[held])
        return X[train], codes[train], sample_weight[train], held_out

    @property
    def _holds_out_for_threshold(self) -> bool:
        """Whether a threshold by name needs rows that were not trained on.

        Weights that are held down do not know rows by heart. A few rare rows held out tell less
        about the best cut, and are missing in training: measured, see the guide on defaults.
        """
        return isinstance(self.threshold, str) and not self._trains_by_default

    def _check_held_out(self, codes: np.ndarray, n_rows: int, *, given: bool) -> None:
        """Raise a ValueError if nothing can be chosen by these rows."""
        by_score = self.monitor != "loss" and self._stops_early(n_rows, given)
        target = self._fitted.target
        if target.kind == "multilabel" or not (by_score or isinstance(self.threshold, str)):
            return
        shown = np.flatnonzero(target.counts(codes, np.ones(len(codes))))
        if len(shown) < 2:
            what = "y_val has" if given else "The rows held out have"
            chooses = f"monitor={self.monitor!r}" if by_score else f"threshold={self.threshold!r}"
            raise ValueError(
                f"{what} the one class {self.classes_.tolist()[shown[0]]!r}, by which "
                f"{chooses} cannot choose. Pass rows "
                "of both classes as X_val and y_val, or set early_stopping=False and a number as "
                "threshold."
            )

    def _stops_early(self, n_rows: int, given: bool) -> bool:
        if self.early_stopping == "auto":
            # a learning rate that falls to 0 stops by itself, and best at its end
            return not self._trains_by_default and (given or n_rows > EARLY_STOPPING_FROM_ROWS)
        return bool(self.early_stopping)

    def _count(self, codes: np.ndarray, sample_weight: np.ndarray, so_far: Any) -> None:
        """Count the classes."""
        target = self._fitted.target
        counts = target.counts(codes, sample_weight)
        n_rows = codes.size if target.per_pixel else len(codes)
        if so_far is not None:
            counts, n_rows = counts + so_far, n_rows + self._fitted.n_rows
        self._fitted = replace(self._fitted, n_rows=n_rows)
        self.class_counts_ = counts
        self.minority_class_ = self.classes_[self._fitted.target.minority(counts)]

    def _sampling(
        self, X: Any, codes: np.ndarray, sample_weight: np.ndarray
    ) -> Callable[[], tuple[Any, np.ndarray, np.ndarray]]:
        """Return what draws the rows to train on."""
        if self.sampler is None:
            return lambda: (X, codes, sample_weight)
        check_sampler(self.sampler)
        target = self._fitted.target
        if codes.ndim > 1:
            raise ValueError(
                f"sampler={self.sampler!r} is for class labels, but y is an indicator matrix. Use "
                "batching='balanced', which draws rows by the rarity of their labels."
            )
        rng = np.random.RandomState(draw_seed(copy.deepcopy(self._fitted.rng)))
        draws = itertools.count()

        def draw() -> tuple[Any, np.ndarray, np.ndarray]:
            X_new, y_new, weight = resampled(
                self.sampler, X, self.classes_[codes], sample_weight, draw_seed(rng), next(draws)
            )
            return X_new, target.codes(y_new), weight

        return draw

    def _weigh(self, codes: np.ndarray, sample_weight: np.ndarray, so_far: Any = None) -> None:
        """Set the weights that follow from the classes as the network gets to see them."""
        target, power, fitted = self._fitted.target, self._weight_power, self._fitted
        if self.sampler is not None:
            fitted = replace(fitted, n_rows=len(codes))
        frequency = self._batches(codes).row_frequency
        if frequency is not None:
            sample_weight = (sample_weight.T * frequency).T
        seen = target.counts(codes, sample_weight)
        seen = seen if so_far is None else seen + so_far
        self._fitted = replace(fitted, seen=seen)
        as_drawn = self.class_prior is None or frequency is not None or self.sampler is not None
        known = seen if as_drawn else self._prior_counts
        scheme = self._weighting_scheme(codes, sample_weight)
        self.pos_weight_ = pos_weight_used(target, known, scheme, self.pos_weight, power)
        self.class_weight_ = class_weight_used(target, known, scheme, self.pos_weight_, power)

    def _weighting_scheme(self, codes: np.ndarray, sample_weight: np.ndarray) -> Any:
        """Return the scheme, or the numbers, of the class weights."""
        return "balanced" if self._weighs_by_default else self.class_weight

    @property
    def _weighs_by_default(self) -> bool:
        return isinstance(self.class_weight, str) and self.class_weight == "auto"

    @property
    def _weight_power(self) -> float:
        if self.weight_power != "auto":
            return float(self.weight_power)
        return defaults.WEIGHT_POWER if self._weighs_by_default and self._has_table_network else 1.0

    @property
    def _prior_counts(self) -> np.ndarray:
        """The weight of each class outside of training: of the rows, or by `class_prior`."""
        if self.class_prior is None:
            return self.class_counts_
        prior = np.asarray(self.class_prior, dtype=np.float64)
        expected = self.class_counts_.shape[:1]
        of_labels = self._fitted.target.kind == "multilabel"
        one_each = prior.shape == expected and np.all((prior > 0) & (prior < 1))
        if not one_each or (
            self._fitted.target.kind != "multilabel" and abs(prior.sum() - 1) > 1e-6
        ):
            raise ValueError(
                f"class_prior={self.class_prior!r} is not accepted. It has to be one share above 0 "
                f"and below 1 for each of {expected[0]} classes, with the sum 1, or for each label."
            )
        if of_labels:
            prior = np.column_stack([1.0 - prior, prior])
        return prior * self.class_counts_.sum(axis=-1, keepdims=True)

    def _batches(self, codes: np.ndarray) -> Any:
        """Return which rows go into which batch."""
        strata = codes if self.batching == "shuffled" else self._fitted.target.strata(codes)
        return plan(self.batching, strata, self._batch_rows(len(codes)))

    def _batch_rows(self, n_rows: int) -> int:
        asked = self._auto_batch_size if self.batch_size == "auto" else int(self.batch_size)
        return min(asked, n_rows)

    @property
    def _has_table_network(self) -> bool:
        """Whether the network is the one that "auto" stands for with tables."""
        if not isinstance(self.model, str):
            return False
        return self._built_in_name(1 + len(self._fitted.row_shape)) == defaults.TABLE_NETWORK

    def _n_epochs(self, n_rows: int) -> int:
        if self.epochs != "auto":
            return int(self.epochs)
        if not self._has_table_network:
            return defaults.EPOCHS
        return defaults.table_epochs(-(-n_rows // self._batch_rows(n_rows)))

    @property
    def _trains_by_default(self) -> bool:
        asked = isinstance(self.optimizer, str) and self.optimizer == "auto"
        return asked and self._has_table_network

    def _schedule(self, epochs: int) -> tuple[keras.optimizers.Optimizer, list[float] | None]:
        """Return the optimizer of a fit, and its learning rate in each epoch if that changes."""
        if not self._trains_by_default:
            return self._optimizer(), None
        decay = defaults.weight_decay(self.class_counts_)
        optimizer = self._optimizer_of(MemberDecay, weight_decay=decay)
        peak = self._routed("optimizer").get("learning_rate", defaults.LEARNING_RATE)
        if not isinstance(peak, Real):  # a schedule of the user's own
            return optimizer, None
        return optimizer, defaults.learning_rates(epochs, float(peak))

    def _begin_at_frequencies(self) -> None:
        """Let the network begin with the logits of the weighted frequencies of the classes.

        Few steps, and weights that are held down, would not get it there where a class is rare.
        """
        fitted, used = self._fitted, self.class_weight_
        weights = np.array(list(used.values())) if isinstance(used, dict) else used
        share = fitted.seen * weights
        share = share / share.sum(axis=-1, keepdims=True)
        log = np.log(np.maximum(share, 1e-4))
        of_sigmoid = fitted.target.link == "sigmoid"
        logits = np.atleast_1d(log[..., 1] - log[..., 0]) if of_sigmoid else log
        network = fitted.network.current()
        values = networks.with_last_bias(network.blueprint.example, network.values, logits)
        self._fitted = replace(fitted, network=Network(network.blueprint, values))

    def _scorer(self, name: Any, target: targets.Target, minority: int) -> Scorer:
        """Return a scorer by the name that `scoring`, `monitor` or `metrics` gives."""
        return scorer_for(name, target, minority)

    def _standardize(self, X: Any, sample_weight: np.ndarray) -> None:
        network, scaler = self._with_statistics(
            self._fitted.network, X, sample_weight, copy.deepcopy(self._fitted.scaler)
        )
        self._fitted = replace(self._fitted, network=network, scaler=scaler)

    def _scored_class(self, y: np.ndarray) -> int:
        """Return the position of the class whose F1 is the score."""
        if self._fitted.target.kind == "binary":
            counts = np.array([np.sum(y == label) for label in self.classes_])
            # behind SMOTE in a pipeline, the training rows do not tell which class is rare
            if 0 < 3 * counts.min() < counts.sum() and 3 * min(self.class_counts_) >= sum(
                self.class_counts_
            ):
                return int(np.argmin(counts))
        return self._positive_code

    @property
    def _positive_code(self) -> int:
        return int(np.searchsorted(self.classes_, self.minority_class_))


def _warn_of_channels_first(X: Any) -> None:
    if X.ndim == 4 and X.shape[1] in (1, 3) and min(X.shape[2:]) > 4:
        warnings.warn(
            f"X has images of shape {X.shape[1:]}, whose first axis is as long as channels are. "
            "Channels come last: pass np.moveaxis(X, 1, -1) if these are channels.",
            UserWarning,
            stacklevel=5,
        )
