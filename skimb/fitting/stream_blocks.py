"""The training data of a stream, block by block: encoded, weighted, and in the order of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from skimb._warnings import warn_user
from skimb.data.batching import BalancedBatches, ShuffledBatches, even_batches, plan_batches
from skimb.data.samples import Samples
from skimb.data.stream_batches import balanced, rebatched
from skimb.data.streams import SampleStream, rows_of_block
from skimb.data.targets import Target
from skimb.fitting.counts import ClassCounts
from skimb.fitting.encoding import Encoder, encoded
from skimb.fitting.loss import weighted_rows
from skimb.fitting.network import BuiltNetwork
from skimb.fitting.parameters import FitParameters
from skimb.fitting.plan import Plan
from skimb.fitting.recipe import batch_size_of, divides_evenly
from skimb.fitting.weights import ClassWeights
from skimb.losses.binding import BoundLoss
from skimb.training import Rows


def stream_batches(params: FitParameters, counts: ClassCounts, sample: Samples) -> ShuffledBatches:
    """Return the numbers of samples and batches of an epoch.

    A stream of one block is trained as its arrays would be. What is left over of more blocks is a
    smaller batch of each.

    Raises
    ------
    ValueError
        If balanced batches are smaller than the number of classes.
    """
    n_rows = counts.n_samples
    size = batch_size_of(params, sample.n_axes, n_rows)
    if divides_evenly(params, sample.n_axes) and n_rows <= rows_of_block(sample.X):
        return even_batches(n_rows, size)
    if params.batching == "balanced":
        present = counts.unweighted[counts.unweighted > 0]
        BalancedBatches(np.arange(len(present)), size)  # which raises the error
        n_rows = int(len(present) * present.max())
    return ShuffledBatches(n_rows, size)


def shown_counts(params: FitParameters, counts: ClassCounts) -> np.ndarray:
    """Return the summed sample weights of the classes as the batches of a stream show them."""
    if params.batching != "balanced":
        return counts.weighted
    present = counts.unweighted > 0
    equal = counts.n_samples / np.count_nonzero(present)
    mean_weight = counts.weighted / np.maximum(counts.unweighted, 1.0)
    return np.where(present, equal, 0.0) * mean_weight


@dataclass(frozen=True)
class StreamBlocks:
    """Yields what an epoch trains on.

    Attributes
    ----------
    params, plan, built, weights, loss
        Of the fit.
    stream : SampleStream
    encoder : Encoder or None
    sample : Samples
        What was kept of the stream, encoded, with codes for labels.
    counts : ClassCounts
        Of the stream.
    """

    params: FitParameters
    plan: Plan
    built: BuiltNetwork
    weights: ClassWeights
    loss: BoundLoss
    stream: SampleStream
    encoder: Encoder | None
    sample: Samples
    counts: ClassCounts

    @cached_property
    def room(self) -> int:
        """Number of samples of a block, whole batches."""
        batches = self.plan.batches
        most = max(1, rows_of_block(self.sample.X) // batches.batch_size) * batches.batch_size
        # a power of 2, so that streams of nearly the same length share a compiled program
        n_rows = max(batches.n_epoch_rows, self.counts.n_samples, batches.batch_size)
        least = 2 ** int(np.ceil(np.log2(n_rows)))
        return min(most, -(-least // batches.batch_size) * batches.batch_size)

    @property
    def example(self) -> Rows:
        """A block that shows the shapes and dtypes of all."""
        kept = self._trained(self.sample)
        return self._rows(kept.take(np.arange(min(len(kept), self.room))))

    def __call__(self, rng: np.random.RandomState) -> Iterator[tuple[Rows, np.ndarray]]:
        """Yield the blocks of an epoch, each with the order of its samples.

        Raises
        ------
        ValueError
            If the stream shows other samples than in its first pass.
        """
        size, batching = self.plan.batches.batch_size, self.params.batching
        blocks = self._samples()
        if batching == "balanced":
            kept = self._trained(self.sample)
            counts = np.where(self._is_trained, self.counts.unweighted, 0.0)
            for block in balanced(blocks, kept, counts, size, self.room, rng):
                yield self._rows(block), np.arange(len(block), dtype=np.int32)
            return
        evenly = divides_evenly(self.params, self.sample.n_axes)
        for block in rebatched(blocks, self.room):
            strata = self.built.target.strata(block.y)
            in_one = evenly and len(block) == self.counts.n_samples
            batches = self.plan.batches if in_one else plan_batches(batching, strata, size)
            yield self._rows(block), batches.epoch(rng)

    def _samples(self) -> Iterator[Samples]:
        """Yield the samples of a pass, encoded, with codes for labels."""
        n_samples = 0
        for samples in self.stream.blocks(self.room):
            coded = replace(samples, y=codes_of_pass(self.built.target, samples.y))
            n_samples += len(samples)
            yield self._trained(encoded(coded, self.encoder))
        if not n_samples:
            raise ValueError(
                "X yields no batches in its second pass, but a fit goes through it several times. "
                "Pass an object that begins anew with every iter(X), such as the function that "
                "returns the iterator."
            )
        if n_samples != self.counts.n_samples:
            warn_user(
                f"X yields {n_samples} samples in a later pass, but {self.counts.n_samples} in its "
                "first, of which classes and means were counted. Pass a stream that begins anew "
                "with every pass and shows the same samples in it, in any order."
            )

    def _trained(self, samples: Samples) -> Samples:
        """Return the samples of classes whose weight is not 0."""
        if self._is_trained.all():
            return samples
        return samples.take(np.flatnonzero(self._is_trained[samples.y]))

    @cached_property
    def _is_trained(self) -> np.ndarray:
        """Whether each class has a weight; a single True where samples have several classes."""
        exclusive = self.sample.y.ndim == 1
        return self.weights.table > 0 if exclusive else np.array([True])

    def _rows(self, samples: Samples) -> Rows:
        shown = self.counts.unweighted
        if self.params.batching == "balanced":
            shown = (shown > 0).astype(np.float64)
        mean = 1.0
        if not self._is_trained.all():
            mean = shown.sum() / shown[self._is_trained].sum()
        rows, _ = weighted_rows(
            self.params, self.plan, self.built, self.weights, self.loss, samples, mean
        )
        return replace(rows, room=self.room)


def codes_of_pass(target: Target, y: np.ndarray) -> np.ndarray:
    """Return the codes of labels in a later pass through a stream.

    Raises
    ------
    ValueError
        If there are others than in the first pass.
    """
    try:
        return target.codes(y)
    except ValueError as error:
        raise ValueError(
            "X yields labels that it did not yield in its first pass. A stream has to show the "
            "same samples in every pass, in any order."
        ) from error
