"""What a fit leaves behind: one frozen state, from which all public attributes are read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from skimb._types import Features
from skimb.data.samples import Schema
from skimb.data.targets import Target
from skimb.fitting.counts import ClassCounts
from skimb.fitting.crossfit import HeldOut
from skimb.fitting.decision import Decision
from skimb.fitting.decision_report import Reports
from skimb.fitting.encoding import Encoder
from skimb.fitting.held_out_score import HeldOutScore, interval_of_held_out, known_score
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import Extent
from skimb.fitting.tuned_threshold import reconstruction_errors
from skimb.fitting.weights import ClassWeights
from skimb.networks.inputs import arranged
from skimb.probability.binomial import Interval
from skimb.training import OptimizerState, Trained, outputs
from skimb.training.dataset import BLOCK_BYTES
from skimb.training.epochs import BestEpoch


@dataclass(frozen=True)
class TrainingRecord:
    """What is known of the epochs of all fits so far.

    Attributes
    ----------
    history : dict of str to list of float
        A value an epoch; NaN where an earlier or a later fit did not compute it.
    n_epochs : int
    best_epoch : int or None
        None before any training.
    trainer : {"xla", "graph", "keras"} or None
    optimizer_state : OptimizerState or None
        Where a stream goes on.
    """

    history: dict[str, list[float]] = field(default_factory=dict)
    n_epochs: int = 0
    best_epoch: int | None = None
    trainer: str | None = None
    optimizer_state: OptimizerState | None = None

    @property
    def last_loss(self) -> float | None:
        """The loss of the last epoch."""
        return self.history["loss"][-1] if self.n_epochs else None

    def going_on(self, extent: Extent) -> TrainingRecord:
        """Return the record to be extended: in `partial_fit` the optimizer goes on, too."""
        return self if extent == "chunk" else replace(self, optimizer_state=None)

    def extended(self, trained: Trained, best: BestEpoch | None) -> TrainingRecord:
        """Return the record with the epochs of another training."""
        before, new = self.n_epochs, len(trained.history["loss"])
        history = {
            name: [
                *self.history.get(name, [np.nan] * before),
                *trained.history.get(name, [np.nan] * new),
            ]
            for name in dict.fromkeys([*self.history, *trained.history])
        }
        best_epoch = before + (new if best is None or not best.epoch else best.epoch)
        return TrainingRecord(
            history, before + new, best_epoch, trained.trainer, trained.optimizer_state
        )


@dataclass(frozen=True)
class FittedState:
    """Everything that predictions, and a training that goes on, need.

    Attributes
    ----------
    schema : Schema
        The columns of X.
    encoder : Encoder or None
        From X as it is read to the input of the network.
    built : BuiltNetwork
        The network, its interface, and the target as it has it.
    decision : Decision
        From outputs to probabilities and labels.
    counts : ClassCounts
    weights : ClassWeights
    rng : RandomState
        From which the randomness of a training that goes on continues.
    split_seed : int
        Of the held-out samples.
    record : TrainingRecord
    held_out : HeldOut or None, default=None
        What the members of a cross-fit predict for the samples that they hold out.
    held_out_score : HeldOutScore or None, default=None
        Their score by `scoring`.
    report : DecisionReport, dict of them by label, or None, default=None
        Of a threshold that was chosen.
    """

    schema: Schema
    encoder: Encoder | None
    built: BuiltNetwork
    decision: Decision
    counts: ClassCounts
    weights: ClassWeights
    rng: np.random.RandomState
    split_seed: int
    record: TrainingRecord
    held_out: HeldOut | None = None
    held_out_score: HeldOutScore | None = None
    report: Reports | None = None

    @property
    def target(self) -> Target:
        """What y is."""
        return self.built.target

    @property
    def pos_label(self) -> Any:
        """The class that everything with a side is about, None of indicator targets."""
        target = self.target
        return None if target.kind == "multilabel" else target.classes_[self.counts.positive_class]

    @property
    def held_out_probabilities(self) -> np.ndarray | None:
        """Probabilities for the rows of X by members that held them out, None without members."""
        if self.held_out is None:
            return None
        return self.held_out.of_all_rows(self.decision.probabilities(self.held_out.logits))

    @property
    def out_of_fold_score(self) -> float:
        """The score of held-out samples."""
        return known_score(self.held_out_score, self.held_out)[0].value

    @cached_property
    def out_of_fold_interval(self) -> Interval:
        """The interval of that score, computed when it is first read: a fit has no use for it."""
        score, held_out = known_score(self.held_out_score, self.held_out)
        return interval_of_held_out(score, held_out, self.decision, self.split_seed)

    def inputs(self, X: Features) -> Features:
        """Return features as the network takes them."""
        X = X if self.encoder is None else self.encoder.transform(X)
        self.built.check_exact(X)
        return X

    def model_inputs(self, X: Features) -> Any:
        """Return features as the network of the user takes them, several inputs as dict or list."""
        inputs, layout = self.inputs(X), self.built.layout
        if layout is None:
            return inputs
        return arranged(self.built.model, layout, layout.apart(inputs))

    def logits(self, X: Features) -> np.ndarray:
        """Return the logits of samples as they were read."""
        found = outputs(self.built.network, self.inputs(X), self.built.interface.input_dtype)
        return self.built.interface.logits(found)

    def errors(self, X: Features) -> np.ndarray:
        """Return the reconstruction errors of samples, float64 of shape (n_samples,)."""
        found = np.empty(X.shape[0])
        block = max(1, BLOCK_BYTES // (8 * int(np.prod(X.shape[1:]))))
        for rows in gen_batches(X.shape[0], block):
            inputs = self.inputs(X[rows])
            found[rows] = reconstruction_errors(self.built, inputs)
        return found

    def with_values(self, values: list[np.ndarray]) -> FittedState:
        """Return the state with other values of the network's variables."""
        network = self.built.network.with_values(values)
        return replace(self, built=replace(self.built, network=network))

    def on_inputs(self, width: int) -> FittedState:
        """Return the state of an estimator to which X is the input of the network."""
        if self.encoder is None:
            return self
        schema = replace(
            self.schema,
            n_features=width,
            names=None,
            row_shape=(width,),
            categories=(),
            inputs=None,
        )
        return replace(self, encoder=None, schema=schema)
