"""The steps of a fit in which a table may have categories and missing values."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted

from skimb._backend.tensorflow import check_usable
from skimb.columns import Columns, missing_values_explained
from skimb.fitting import FitSteps


class TableFitSteps(FitSteps):
    """Numbers are made of the columns before everything else, by what the rows of the fit show."""

    _columns: Columns | None

    def model_inputs(self, X: Any) -> Any:
        """Return rows as ``model_`` takes them.

        Parameters
        ----------
        X : {array-like, data frame, sparse matrix} of shape (n_samples, ...)

        Returns
        -------
        {ndarray, sparse matrix} of shape (n_samples, ...)
            A table with categories or `allow_nan` has other columns than X: those of numbers, with
            the mean where a value is missing; of those that missed values in `fit`, whether they
            do; and the categories of each of the others.
        """
        check_is_fitted(self)
        return self._checked_X(X, reset=False)

    def _checked_rows(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> tuple[Any, ...]:
        X, y, sample_weight = super()._checked_rows(X, y, sample_weight, reset)
        if reset and self._columns is not None:
            X = self._columns.fit(X, sample_weight).transform(X)
        return X, y, sample_weight

    def _checked_X(self, X: Any, y: Any = "no_validation", *, reset: bool, **checks: Any) -> Any:
        with missing_values_explained(self.allow_nan):
            if reset:
                columns = Columns(X)
                self._columns = columns if columns.vocabularies else None
            if self._columns is not None and self._columns.vocabularies:
                check_usable()
                checked = self._columns.checked(self, X, y, reset=reset, allow_nan=self.allow_nan)
            else:
                gaps = "allow-nan" if self.allow_nan else True
                checked = super()._checked_X(X, y, reset=reset, ensure_all_finite=gaps)
                rows = checked if isinstance(y, str) else checked[0]
                if reset and self.allow_nan and rows.ndim == 2 and not sp.issparse(rows):
                    self._columns = Columns()
                elif self.allow_nan and self._columns is None:
                    assert_all_finite(rows, input_name="X")
        if reset or self._columns is None:  # fit goes on when it knows the weights
            return checked
        rows = checked if isinstance(y, str) else checked[0]
        rows = self._columns.transform(rows.toarray() if sp.issparse(rows) else rows)
        return rows if isinstance(y, str) else (rows, checked[1])

    def _taking_prepared_rows(self) -> dict[str, Any]:
        if self._columns is None:
            return {}
        width = self._fitted.row_shape[0]
        return {"_columns": None, "n_features_in_": width, "feature_names_in_": None}
