"""The steps of a fit from prepared rows to a trained network that decides."""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from skimb import targets
from skimb.fitting.decision import Decision, check_threshold, corrections, threshold_for
from skimb.estimators.callbacks import CallbackSupportMixin, FitTask
from skimb.losses.binding import BoundLoss
from skimb.metrics.scorers import Scorer
from skimb.fitting.monitoring import observer
from skimb.preparation import Preparation
from skimb.fitting.weights import row_weights, unweighted
from skimb.training import Rows, outputs, train
from skimb.training.augmentation import Augmentation
from skimb.training.epochs import Batches, BestEpoch, Observer
from skimb.data.splitting import HeldOut

# that a threshold is chosen on: every cut point of every class is tried
MOST_PIXELS = 2**19


class FitSteps(CallbackSupportMixin, Preparation):
    """Training, what is followed meanwhile, and the decision at the end."""

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        given: tuple[Any, ...],
        kind: str = "auto",
        classes: Any = None,
    ) -> None:
        """Go through the steps from the user's rows to a network that decides.

        Parameters
        ----------
        X, y, sample_weight
        given : tuple
            `X_val`, `y_val` and `sample_weight_val`.
        kind, classes
            See :func:`skimb.data.targets.infer`.
        """
        task = FitTask(self, self.epochs if isinstance(self.epochs, int) else None)
        with self._unchanged_on_error():
            self._validate_params()
            go_on = self.warm_start and self.__sklearn_is_fitted__()
            X, y, sample_weight = self._checked_rows(X, y, sample_weight, reset=not go_on)
            if go_on:
                self._check_same_model()
                self._fitted = replace(self._fitted, optimizer_state=None)
            else:
                self._start(X, y, targets.infer(y, classes, kind))
            X, codes, sample_weight, held_out = self._held_out(
                X, self._known_codes(y), sample_weight, given
            )
            self._count(codes, sample_weight, so_far=None)
            if not go_on:
                self._standardize(X, sample_weight / sample_weight.mean())
            weight = {} if np.ptp(sample_weight) == 0 else {"sample_weight": sample_weight}
            labels = self._fitted.target.labels(codes)
            task.begin(X, labels, weight, self._taking_prepared_rows())
            self._train(X, codes, sample_weight, None, held_out, task=task)
            task.end()

    def _partial_fit(
        self, X: Any, y: Any, classes: Any, sample_weight: Any, kind: str = "auto"
    ) -> None:
        """Go through the steps of an epoch on a chunk of the data."""
        with self._unchanged_on_error():
            self._validate_params()
            self._check_without_fit("partial_fit")
            first = not self.__sklearn_is_fitted__()
            X, y, sample_weight = self._checked_rows(X, y, sample_weight, reset=first)
            if first and y.ndim != 2 and classes is None:
                raise ValueError(
                    "classes must be passed on the first call to partial_fit: a later chunk may "
                    "show a class that this one does not. Pass classes=np.unique(y_of_all_rows)."
                )
            if first:
                self._start(X, y, targets.infer(y, classes, kind))
            else:
                self._check_same_model()
                if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                    raise ValueError(
                        f"classes={classes!r} differs from the classes of the first call to "
                        f"partial_fit, {self.classes_.tolist()}."
                    )
            codes = self._fitted.target.codes(y)
            self._count(codes, sample_weight, so_far=None if first else self.class_counts_)
            self._standardize(X, sample_weight)
            seen_before = None if first else self._fitted.seen
            self._train(X, codes, sample_weight, epochs=1, seen_before=seen_before)

    def _initialize(self, X: Any, y: Any, *, kind: str = "auto", classes: Any = None) -> None:
        """Go through all steps but the training."""
        with self._unchanged_on_error():
            self._validate_params()
            X, y, ones = self._checked_rows(X, y, None, reset=True)
            self._check_without_fit("initialize")
            self._start(X, y, targets.infer(y, classes, kind))
            codes = self._fitted.target.codes(y)
            self._count(codes, ones, so_far=None)
            self._standardize(X, ones)
            self._weigh(codes, ones)
            self._bind_loss()
            self.threshold_ = self._fitted.decision.threshold

    def _train(
        self,
        X: Any,
        codes: np.ndarray,
        sample_weight: np.ndarray,
        epochs: int | None,
        held_out: HeldOut | None = None,
        seen_before: np.ndarray | None = None,
        task: FitTask | None = None,
    ) -> None:
        """Train on these rows, or on those that the sampler makes of them.

        Without a number of `epochs` they, and the learning rate of each, are those of the
        parameters.
        """
        draw = self._sampling(X, codes, sample_weight)
        first = draw()
        optimizer, rates = self._optimizer(), None
        if epochs is None:
            epochs = self._n_epochs(len(first[1]))
            optimizer, rates = self._schedule(epochs)
        self._weigh(*first[1:], seen_before)
        loss = self._bind_loss()
        self._warn_of_two_corrections(loss)
        self._warn_of_threshold_by_place()
        if rates is not None and not (self.n_iter_ or loss.corrects_frequencies):
            self._begin_at_frequencies()
        fitted = self._fitted
        early_epochs = int(self.class_weight_start * epochs)
        rows, batches = self._plan(*first, loss, early_epochs)
        loss.check_weights(rows.y, fitted.ends.units, rows.weight)
        observers, best = self._observers(X, codes, sample_weight, held_out, loss, early_epochs)
        rng = copy.deepcopy(fitted.rng)  # an error later on leaves the old one where it was
        told = task.of_epochs(self._fitted_with) if task else []
        anew = self.sampler is not None and self.resample_every_epoch
        trained = train(
            fitted.network,
            rows,
            loss,
            optimizer,
            batches,
            epochs=epochs,
            rng=rng,
            learning_rates=rates,
            optimizer_state=fitted.optimizer_state,
            callbacks=[*self._callbacks(), *told],
            observers=observers,
            best=best,
            resample=(lambda: self._plan(*draw(), loss, early_epochs)) if anew else None,
            augmentation=self._augmentation(),
            trainer=self.trainer,
            distribution=self.distribution,
            verbose=int(self.verbose),
        )
        self._fitted = replace(
            fitted, network=trained.network, optimizer_state=trained.optimizer_state, rng=rng
        )
        self.trainer_ = trained.trainer
        # a value an epoch, also of what only some fits of a warm start followed
        before, new = self.n_iter_, len(trained.history["loss"])
        names = dict.fromkeys([*self.history_, *trained.history])
        self.history_ = {
            name: [
                *self.history_.get(name, [np.nan] * before),
                *trained.history.get(name, [np.nan] * new),
            ]
            for name in names
        }
        self.n_iter_ = before + new
        self.loss_ = self.history_["loss"][-1]
        self.best_iter_ = self.n_iter_ if best is None else before + best.epoch
        self._choose_threshold(held_out or HeldOut(X, codes, sample_weight))

    def _taking_prepared_rows(self) -> dict[str, Any]:
        """Return the attributes of a fitted estimator to which X is what the network gets."""
        return {}

    def _fitted_with(self, values: list[np.ndarray]) -> dict[str, Any]:
        """Return the attributes of an estimator whose network has these values."""
        network = self._fitted.network.with_values(values)
        decision = self._fitted.decision
        fitted = replace(self._fitted, network=network)
        return {"_fitted": fitted, "threshold_": decision.threshold}

    def _bind_loss(self) -> BoundLoss:
        """Return the loss for the data, and set what it says of the meaning of the outputs."""
        fitted, target = self._fitted, self._fitted.target
        loss = self._bound(
            self._loss(),
            link=target.link,
            outputs="logits" if fitted.ends.activation == "linear" else "probabilities",
            target=target.loss_target,
            data={"class_counts": self._prior_counts.T, "minority_class": self._positive_code},
            dtype=fitted.ends.output_dtype,
            rare_first=target.kind == "binary" and self._positive_code == 0,
        )
        self._fitted = replace(
            fitted,
            ends=replace(fitted.ends, scale=getattr(loss.loss, "logit_scale", 1.0)),
            decision=self._decision(loss),
        )
        return loss

    def _bound(self, loss: Any, **parameters: Any) -> BoundLoss:
        return BoundLoss(loss, **parameters)

    def _plan(
        self,
        X: Any,
        codes: np.ndarray,
        sample_weight: np.ndarray,
        loss: BoundLoss,
        early_epochs: int,
    ) -> tuple[Rows, Batches]:
        """Return rows with their weights, and which of them go into which batch."""
        target, ends = self._fitted.target, self._fitted.ends
        seen = self._fitted.seen, self._fitted.n_rows
        weights = row_weights(codes, sample_weight, self.class_weight_, *seen)
        early = None
        if early_epochs:
            early = unweighted(codes, sample_weight, self.class_weight_, *seen)
            early = np.broadcast_to(early.reshape(-1, *[1] * (weights.ndim - 1)), weights.shape)
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
        return rows, self._batches(codes)

    def _refuse_class_as_augmentation(self) -> None:
        if inspect.isclass(self.augmentation):
            raise TypeError(
                f"augmentation={self.augmentation!r} is a class. Give an instance, or a function."
            )

    def _augmentation(self) -> Augmentation | None:
        if self.augmentation is None:
            return None
        self._refuse_class_as_augmentation()
        minority = self._positive_code if self.augment_classes == "minority" else None
        return Augmentation(self.augmentation, minority).checked(1, "a batch of rows")

    @property
    def _threshold(self) -> Any:
        return self.threshold

    def _decision(self, loss: BoundLoss) -> Decision:
        """Return what makes probabilities and labels of logits, at the threshold known so far."""
        target = self._fitted.target
        check_threshold(self._threshold, target)
        threshold = 0.5 if isinstance(self.threshold, str) else self.threshold
        threshold = threshold if np.ndim(threshold) == 0 else np.asarray(threshold, np.float64)
        if not self.prior_correction:
            return Decision(target, threshold)
        used = self.class_weight_
        weights = np.array(list(used.values())) if isinstance(used, dict) else used
        undone = corrections(loss, target, self._fitted.seen * weights, self._prior_counts)
        return Decision(target, threshold, **undone)

    def _choose_threshold(self, rows: HeldOut) -> None:
        """Set `threshold_`, chosen on these rows where a score is named for it."""
        fitted, decision = self._fitted, self._fitted.decision
        if isinstance(self.threshold, str):
            ends, target = fitted.ends, fitted.target
            logits = ends.logits(outputs(fitted.network, rows.X, ends.input_dtype))
            y, logits, weight = target.for_scores(
                rows.codes, logits, rows.sample_weight, decision.decode
            )
            if target.per_pixel and len(y) > MOST_PIXELS:
                rng = np.random.RandomState(fitted.split_seed)
                some = rng.choice(len(y), MOST_PIXELS, replace=False)
                y, logits, weight = y[some], logits[some], weight[some]
            chosen = threshold_for(
                self._threshold,
                target,
                self._positive_code,
                y,
                decision.probabilities(logits),
                weight,
            )
            self._fitted = replace(fitted, decision=replace(decision, threshold=chosen))
        self.threshold_ = self._fitted.decision.threshold

    def _observers(
        self,
        X: Any,
        codes: np.ndarray,
        sample_weight: np.ndarray,
        held_out: HeldOut | None,
        loss: BoundLoss,
        early_epochs: int,
    ) -> tuple[list[Observer], BestEpoch | None]:
        """Return what follows the training, and what stops it."""
        parts = self._fitted.network, self._fitted.ends, self._fitted.decision
        found = []
        if self.metrics:
            rows = HeldOut(X, codes, sample_weight)
            found.append(observer(*parts, rows, self._scorers(self.metrics)))
        if held_out is None:
            return found, None
        by_loss = self.monitor == "loss"
        if by_loss and loss.takes_features:
            raise ValueError(
                f"monitor='loss' is not possible with loss={self.loss!r} on features. Monitor a "
                "score, such as 'average_precision'."
            )
        names = dict.fromkeys([*([] if by_loss else [self.monitor]), *(self.metrics or [])])
        # of a batch of all rows it would be another number, and dear
        follows_loss = by_loss or not (loss.takes_features or loss.of_whole_batch)
        found.append(
            observer(
                *parts,
                held_out,
                self._scorers(list(names)),
                prefix="val_",
                loss=loss if follows_loss else None,
                loss_weight=self._loss_weight(held_out) if follows_loss else None,
            )
        )
        n_rows = len(codes) + (0 if held_out.given else len(held_out.codes))
        if not self._stops_early(n_rows, held_out.given):
            return found, None
        return found, BestEpoch(
            f"val_{self.monitor}", patience=self.patience, lower=by_loss, after=early_epochs
        )

    def _loss_weight(self, rows: HeldOut) -> np.ndarray:
        """Return the weights that rows held out have in the loss."""
        counts = self._fitted.target.counts(rows.codes, rows.sample_weight)
        return row_weights(
            rows.codes, rows.sample_weight, self.class_weight_, counts, len(rows.codes)
        )

    def _scorers(self, names: Sequence[Any]) -> dict[str, Scorer]:
        if not all(isinstance(name, str) for name in names):
            raise TypeError(
                f"metrics={self.metrics!r} is not a list of names. Accepted are those of "
                "scikit-learn's scorers, such as 'f1' and 'average_precision'."
            )
        return {n: self._scorer(n, self._fitted.target, self._positive_code) for n in names}

    def _warn_of_two_corrections(self, loss: BoundLoss) -> None:
        """Warn where the loss and the weights both make up for the frequencies of the classes."""
        by_scheme = isinstance(self.class_weight, str) or isinstance(self.pos_weight, str)
        used = self.class_weight_
        numbers = list(used.values()) if isinstance(used, dict) else used
        if loss.corrects_frequencies and by_scheme and np.ptp(numbers) > 0:
            warnings.warn(
                f"loss={self.loss!r} makes up for the frequencies of the classes, and "
                f"class_weight={self.class_weight!r} (pos_weight={self.pos_weight!r}) does so "
                "again, so that the rare class is weighted twice. Set class_weight=None.",
                UserWarning,
                stacklevel=4,
            )

    def _warn_of_threshold_by_place(self) -> None:
        """Warn where a number is meant for the rare class and stands for the other."""
        target, threshold = self._fitted.target, self.threshold
        by_place = target.kind == "binary" and not target.per_pixel and self._positive_code == 0
        if by_place and isinstance(threshold, Real) and threshold != 0.5:
            rare, common = target.classes_.tolist()
            warnings.warn(
                f"threshold={threshold!r} is the probability from which predict decides for "
                f"{common!r}, the second of classes_, which is not the rare one. To decide for "
                f"{rare!r} from that probability on, set threshold={1 - threshold:g}.",
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
