"""Answer single samples over HTTP: MODEL=model.skops uvicorn service:app."""

import os

import numpy as np
import skops.io
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

path = os.environ["MODEL"]
# the types that a look at the file has shown are of skimb and Keras
types = skops.io.get_untrusted_types(file=path)
if not all(name.startswith(("skimb.", "keras.")) for name in types):
    raise SystemExit(f"{path} holds types that are not of skimb or Keras: {types}")
clf = skops.io.load(path, trusted=types)
clf.predict_proba(np.zeros((1, clf.n_features_in_)))  # compiles before the first request
app = FastAPI()


class Sample(BaseModel):
    """Values of the columns, null where one is missing."""

    values: list[float | None]


@app.post("/predict")
def predict(sample: Sample) -> dict:
    """Return the probability of each class, and the decided class."""
    try:
        X = np.array([sample.values], dtype=np.float64)
        proba, label = clf.predict_proba(X)[0], clf.predict(X)[0]
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    names = map(str, clf.classes_)
    return {"class": str(label), "probabilities": dict(zip(names, proba.tolist(), strict=True))}
