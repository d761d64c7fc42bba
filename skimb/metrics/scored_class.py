import numpy as np


def scored_class(classes, class_counts, pos_label, y):
    counts = np.array([np.sum(y == label) for label in classes])
    if 0 < 3 * counts.min() < counts.sum() and 3 * min(class_counts) >= sum(class_counts):
        return int(np.argmin(counts))
    return int(np.flatnonzero(classes == pos_label)[0])
