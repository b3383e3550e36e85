"""What scikit-learn asks of an estimator, without importing scikit-learn, whose import takes as long as torch's."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from textlrp.errors import InputError, unknown_name

__all__ = ["Classes", "Estimator"]


class Classes(list[Any]):
    """The class names: a list, which compares with one name element by element, as scikit-learn expects of an array.

    >>> Classes(["bad", "good"]) == ["bad", "good"], (Classes(["bad", "good"]) == "good").tolist()
    (True, [False, True])
    """

    def __eq__(self, other: object) -> Any:
        if isinstance(other, (list, tuple)):
            return list(self) == list(other)
        return np.asarray(self.tolist()) == other

    def __ne__(self, other: object) -> Any:
        equal = self == other
        return not equal if isinstance(equal, bool) else ~equal

    __hash__ = None  # type: ignore[assignment]

    def tolist(self) -> list[Any]:
        """Return a plain list."""
        return list(self)


class Estimator:
    """Parameters by name, tags, score: `clone`, `cross_val_score`, `Pipeline` and `GridSearchCV` work with a subclass.

    A subclass has keyword parameters, which `__init__` stores as they are, and `predict`.
    """

    _estimator_type = "classifier"

    @classmethod
    def _parameters(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, as they were given."""
        return {name: getattr(self, name) for name in self._parameters()}

    def set_params(self, **parameters: Any) -> Any:
        """Set parameters by name; what was fitted stays until `fit` is called again."""
        known = self._parameters()
        for name, value in parameters.items():
            if name not in known:
                raise unknown_name("parameter", name, known)
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=False, string=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def predict(self, texts: Iterable[str]) -> np.ndarray:
        """Return the class of each text [n]."""
        raise NotImplementedError

    def score(self, texts: Iterable[str], labels: Sequence[Any]) -> float:
        """Return the accuracy on labelled texts."""
        predicted = self.predict(texts)
        if len(predicted) != len(labels):
            raise InputError(f"{len(predicted)} texts but {len(labels)} labels; give one label a text")
        return float(np.mean([str(a) == str(b) for a, b in zip(predicted, labels, strict=True)]))

    def __repr__(self) -> str:
        given = inspect.signature(type(self).__init__).parameters
        changed = {n: v for n, v in self.get_params().items() if given[n].default is not v}
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in changed.items())})"
