"""Numbers that overflowed or became NaN are an error that names the texts, before anything is drawn or written of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from textlrp.errors import NumericalError

__all__ = ["check_finite"]

_MOST_NAMED = 5
_WEIGHTS = "the model's weights are too large for these texts; leave the texts out, or train again with a lower learning rate"


def check_finite(
    what: str,
    values: np.ndarray,
    *,
    texts: Sequence[object] | None = None,
    places: np.ndarray | None = None,
    because: str = _WEIGHTS,
) -> None:
    """Raise NumericalError where a row of `values` [n, …], the `what` of n texts, is not finite.

    A text is named by its id in `texts` where these are given, else by its place, from 0: row i is that of text `places[i]`
    (left out: of text i). `because` says why that may be, and what to do.

    >>> check_finite("logits", np.zeros((2, 2)))
    >>> check_finite("logits", np.array([[0.0, 1.0], [np.nan, 0.0]]), texts=["a", "b"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    textlrp.errors.NumericalError: the logits of text 'b' are not finite numbers (nan): ...
    """
    rows = np.asarray(values)
    rows = rows.reshape(len(rows), -1) if rows.size else rows.reshape(len(rows), 0)
    sound = np.isfinite(rows).all(axis=1)
    if sound.all():
        return
    bad = np.flatnonzero(~sound)
    at = bad if places is None else np.asarray(places)[bad]
    names = [repr(texts[i]) if texts is not None else str(i) for i in at[:_MOST_NAMED].tolist()]
    more = f" and {len(bad) - len(names):,} more" if len(bad) > len(names) else ""
    first = rows[bad[0]]
    which = f"text {names[0]} are" if len(bad) == 1 else f"texts {', '.join(names)}{more} are"
    raise NumericalError(
        f"the {what} of {which} not finite numbers ({first[~np.isfinite(first)][0]}): {because}",
        at.tolist(),
    )
