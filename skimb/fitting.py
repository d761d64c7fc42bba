"""The steps of a fit, each named after what it does; the classifier strings them together."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from skimb import targets
from skimb.base import BaseNetworkEstimator, Fitted
from skimb.batching import ShuffledBatches
from skimb.ends import NetworkEnds
from skimb.losses.binding import BoundLoss, check_target, is_categorical
from skimb.metrics.scorers import Snapshot, scorer_for
from skimb.randomness import draw_seed, generator
from skimb.row_weights import class_weight_used, pos_weight_used, row_weights
from skimb.training import Rows, outputs, train
from skimb.training.epochs import Observer


class FitSteps(BaseNetworkEstimator):
    """From checked rows to a trained network."""

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
        described = {"model": self.model, **self._routed("model")}
        self._fitted = Fitted(network, ends, target, X.shape[1:], rng, described)
        self.classes_ = target.classes_
        self.history_: dict[str, list[float]] = {}
        self.n_iter_ = 0
        for name in ("loss_", "trainer_"):
            self.__dict__.pop(name, None)

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

    def _train(self, X: Any, codes: np.ndarray, sample_weight: np.ndarray, epochs: int) -> None:
        fitted, target, ends = self._fitted, self._fitted.target, self._fitted.ends
        rng = copy.deepcopy(fitted.rng)  # an error later on leaves the old one where it was
        loss = BoundLoss(
            self._loss(),
            link=target.link,
            outputs="logits" if ends.activation == "linear" else "probabilities",
            target=target.loss_target,
            data={"class_counts": self.class_counts_.T, "minority_class": self._minority_code},
            dtype=ends.output_dtype,
        )
        ends = replace(ends, scale=getattr(loss.loss, "logit_scale", 1.0))
        fitted = self._fitted = replace(fitted, ends=ends)
        self._warn_of_two_corrections(loss)
        observers = self._observers(X, codes, sample_weight)
        weights = row_weights(
            codes, sample_weight, self.class_weight_, self.class_counts_, fitted.n_rows
        )
        early_epochs = round(self.class_weight_start * epochs)
        early = self._unweighted(codes, sample_weight, weights) if early_epochs else None
        if weights.ndim == 1 and not np.all(weights):
            X, codes, weights, early = self._without_weight_zero(X, codes, weights, early)
        rows = Rows(
            X,
            target.encode(codes, loss.one_hot, ends.output_dtype),
            weights.astype(ends.output_dtype),
            ends.input_dtype,
            early if early is None else early.astype(ends.output_dtype),
            early_epochs,
        )
        loss.check_weights(rows.y, ends.units, rows.weight)
        size = 200 if self.batch_size == "auto" else int(self.batch_size)
        trained = train(
            fitted.network,
            rows,
            loss,
            self._optimizer(),
            ShuffledBatches(len(rows), min(size, len(rows))),
            epochs=epochs,
            rng=rng,
            optimizer_state=fitted.optimizer_state,
            callbacks=self._callbacks(),
            observers=observers,
            trainer=self.trainer,
            verbose=int(self.verbose),
        )
        self._fitted = replace(
            fitted, network=trained.network, optimizer_state=trained.optimizer_state, rng=rng
        )
        self.trainer_ = trained.trainer
        names = dict.fromkeys([*self.history_, *trained.history])
        self.history_ = {
            name: [*self.history_.get(name, []), *trained.history.get(name, [])] for name in names
        }
        self.n_iter_ = len(self.history_["loss"])
        self.loss_ = self.history_["loss"][-1]

    def _unweighted(
        self, codes: np.ndarray, sample_weight: np.ndarray, weights: np.ndarray
    ) -> np.ndarray:
        """Return the weights of the rows without those of the classes, in the same shape."""
        used = self.class_weight_
        one_each = dict.fromkeys(used, 1.0) if isinstance(used, dict) else np.ones_like(used)
        early = row_weights(codes, sample_weight, one_each, self.class_counts_, self._fitted.n_rows)
        return early if weights.ndim == 1 else np.broadcast_to(early[:, np.newaxis], weights.shape)

    def _warn_of_two_corrections(self, loss: BoundLoss) -> None:
        """Warn where the loss and the weights both make up for the frequencies of the classes."""
        by_scheme = isinstance(self.class_weight, str) or isinstance(self.pos_weight, str)
        used = self.class_weight_
        numbers = list(used.values()) if isinstance(used, dict) else used
        if getattr(loss.loss, "corrects_frequencies", False) and by_scheme and np.ptp(numbers) > 0:
            warnings.warn(
                f"loss={self.loss!r} makes up for the frequencies of the classes, and "
                f"class_weight={self.class_weight!r} (pos_weight={self.pos_weight!r}) does so "
                "again, so that the rare class is weighted twice. Set class_weight=None.",
                UserWarning,
                stacklevel=4,
            )

    def _without_weight_zero(
        self, X: Any, codes: np.ndarray, weights: np.ndarray, early: np.ndarray | None
    ) -> Any:
        """Return the rows whose class has a weight, the weights with mean 1 again."""
        kept = weights > 0
        if not kept.any():
            raise ValueError(
                f"class_weight={self.class_weight!r} gives every row the weight 0, so there is "
                "nothing to learn from."
            )
        weights = weights[kept]
        early = early if early is None else early[kept]
        if self._fitted.n_rows == len(codes):  # a stream has seen other rows too
            weights = weights / weights.mean()
            early = early if early is None else early / early.mean()
        return X[kept], codes[kept], weights, early

    def _observers(self, X: Any, codes: np.ndarray, sample_weight: np.ndarray) -> list[Observer]:
        """Return what computes the followed metrics on the training rows after an epoch."""
        if not self.metrics:
            return []
        target, network, ends = self._fitted.target, self._fitted.network, self._fitted.ends
        y = codes if codes.ndim > 1 else self.classes_[codes]
        if not all(isinstance(name, str) for name in self.metrics):
            raise TypeError(
                f"metrics={self.metrics!r} is not a list of names. Accepted are those of "
                "scikit-learn's scorers, such as 'f1' and 'average_precision'."
            )
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
        if self._fitted.target.kind == "binary":
            counts = np.array([np.sum(y == label) for label in self.classes_])
            # behind SMOTE in a pipeline, the training rows do not tell which class is rare
            if 0 < 3 * counts.min() < counts.sum() and 3 * min(self.class_counts_) >= sum(
                self.class_counts_
            ):
                return int(np.argmin(counts))
        return self._minority_code

    @property
    def _minority_code(self) -> int:
        return int(np.searchsorted(self.classes_, self.minority_class_))
