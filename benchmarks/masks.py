"""Compare segmentations: ``python -m benchmarks.masks [--membranes FILE] [--seeds N]``.

Lesions are drawn: 0.1 to 0.5 % of the pixels of noisy images of 256 x 256, a quarter of which are
empty; 64 images to train and 40 to test. With ``--membranes``, an .npz file with ``images`` and
``masks`` of eight electron microscopy sections, six to train and two to test, as tiles of 64 and of
128 and as whole sections. Dice is that of all pixels together. A lesion of 20 pixels and more is
found if any of its pixels is, and a false alarm is a region that touches no lesion.

Baselines in Keras train with ``Model.fit`` for as long as the defaults took on the same data.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from benchmarks.plain_keras import cross_entropy_and_dice, fitted_u_net
from skimb import ImbalancedNNSegmenter

RESULTS = Path(__file__).parent / "results" / "masks.json"

#: the defaults before they were chosen by measurement
FORMER = {
    "loss": "dice_cross_entropy", "optimizer": "adam", "epochs": 30, "patch_size": None,
    "augmentation": None,
}  # fmt: skip

Predict = Callable[[np.ndarray], np.ndarray]


def lesions(n: int, seed: int, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy images, and masks of their lesions."""
    rng = np.random.default_rng(seed)
    images, masks = np.zeros((n, size, size), "float32"), np.zeros((n, size, size), bool)
    rows, columns = np.mgrid[:size, :size]
    for index in range(n):
        background = 12 * ndimage.gaussian_filter(rng.normal(size=(size, size)), 8)
        images[index] = background + rng.normal(size=(size, size))
        wanted = rng.uniform(0.001, 0.005) * size**2 if index % 4 else 0
        while masks[index].sum() < wanted:
            a, b = rng.uniform(1.5, 6, 2)
            (y, x), angle = rng.uniform(8, size - 8, 2), rng.uniform(0, np.pi)
            u = (rows - y) * np.cos(angle) + (columns - x) * np.sin(angle)
            v = (columns - x) * np.cos(angle) - (rows - y) * np.sin(angle)
            lesion = (u / a) ** 2 + (v / b) ** 2 <= 1
            images[index] += lesion * rng.uniform(1.0, 2.0)
            masks[index] |= lesion
    return images, masks


def found_and_false(
    true: np.ndarray, predicted: np.ndarray, least: int = 20
) -> tuple[float, float]:
    """Return the share of lesions that is found, and the false alarms an image."""
    neighbours = np.ones((3, 3))
    found, n_false = [], 0
    for mask, guess in zip(true, predicted, strict=True):
        labels, n = ndimage.label(mask, neighbours)
        sizes = np.bincount(labels.ravel(), minlength=n + 1)
        hit = np.bincount(labels[guess], minlength=n + 1) > 0
        found += hit[1:][sizes[1:] >= least].tolist()
        labels, n = ndimage.label(guess, neighbours)
        touching = np.bincount(labels[mask], minlength=n + 1) > 0
        n_false += int(np.sum(~touching[1:]))
    return float(np.mean(found)), n_false / len(true)


def dice(true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the Dice coefficient of all pixels together."""
    return float(2 * np.sum(true & predicted) / (np.sum(true) + np.sum(predicted)))


def tiles(sections: np.ndarray, size: int) -> np.ndarray:
    """Return square tiles, those of a section in a row."""
    n, height, width = sections.shape
    parts = sections.reshape(n, height // size, size, width // size, size)
    return parts.transpose(0, 1, 3, 2, 4).reshape(-1, size, size)


def problems(membranes: Path | None, seed: int) -> Iterator[tuple[str, tuple[np.ndarray, ...]]]:
    """Yield names, and images and masks to train and to test."""
    yield "lesions", (*lesions(64, 100 + seed), *lesions(40, 5000))
    if membranes is not None:
        file = np.load(membranes)
        images, masks = file["images"], file["masks"].astype(bool)
        for size in (64, 128, images.shape[1]):
            parts = [tiles(part, size) for part in (images[:6], masks[:6], images[6:], masks[6:])]
            yield f"membranes of {size}", tuple(parts)


def contenders(X: np.ndarray, y: np.ndarray, seed: int) -> Iterator[tuple[str, float, Predict]]:
    """Yield names, seconds of the fit, and functions from images to masks."""
    seconds = 0.0
    for name, params in (("skimb", {}), ("skimb, defaults before", FORMER)):
        start = time.perf_counter()
        segmenter = ImbalancedNNSegmenter(**params, random_state=seed).fit(X, y)
        took = time.perf_counter() - start
        seconds = seconds or took
        yield name, took, segmenter.predict
        if name == "skimb":
            mirrored = segmenter.set_params(test_time_augmentation=True)
            yield "skimb, test-time augmentation", took, mirrored.predict
            segmenter.set_params(test_time_augmentation=False)
    for name, loss in (
        ("Keras U-Net, cross-entropy", "binary_crossentropy"),
        ("Keras U-Net, cross-entropy + Dice", cross_entropy_and_dice),
    ):
        start = time.perf_counter()
        predict = fitted_u_net(X, y, loss, seconds, seed)
        yield name, time.perf_counter() - start, predict


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--membranes", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for seed in range(arguments.seeds):
        for problem, (X, y, X_test, y_test) in problems(arguments.membranes, seed):
            print(f"\n{problem}, seed {seed}: Dice (training), lesions found, false alarms, s")
            for name, seconds, predict in contenders(X, y, seed):
                predicted = predict(X_test)
                found, n_false = found_and_false(y_test, predicted)
                row = {
                    "dice": dice(y_test, predicted), "training dice": dice(y, predict(X)),
                    "found": found, "false alarms": n_false, "seconds": seconds,
                }  # fmt: skip
                results.setdefault(problem, {}).setdefault(name, []).append(row)
                print(
                    f"  {name:<34} {row['dice']:.3f} ({row['training dice']:.3f})  {found:.3f} "
                    f"{n_false:6.2f}  {seconds:6.1f}",
                    flush=True,
                )
    print("\nMeans over seeds")
    for problem, of_names in results.items():
        print(problem)
        for name, rows in of_names.items():
            mean = {key: np.mean([row[key] for row in rows]) for key in rows[0]}
            print(
                f"  {name:<34} {mean['dice']:.3f} ({mean['training dice']:.3f})  "
                f"{mean['found']:.3f} {mean['false alarms']:6.2f}  {mean['seconds']:6.1f}"
            )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
