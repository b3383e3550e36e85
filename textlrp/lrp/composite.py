"""Composites: which rule each layer gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from textlrp.errors import InputError
from textlrp.lrp.rule import Plain, Rule
from textlrp.lrp.rules import Epsilon

__all__ = ["Composite", "Layer", "Selector"]


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer that needs a rule, as a composite sees it."""

    name: str  # dotted name in the model, as in named_modules()
    kind: type[nn.Module]  # nn.Linear, nn.LSTM, …; functional code counts as the module it does the work of
    module: nn.Module | None  # the module that made the call, if it is one of the model's
    depth: int = 0  # how many layers with a rule lie between it and the words, at most
    count: int = 1  # the largest depth of the model, plus 1


Selector = type | str | Callable[[Layer], bool]


@dataclass(frozen=True)
class Composite:
    """An ordered list of (which layers, rule): the first that matches wins, else `default`.

    A selector is a layer type (`nn.Linear`), a pattern for its name (`"head.*"`), a predicate of a `Layer`, or a tuple of
    such, all of which must hold. `product` says who takes the relevance of a product of two signals, neither of them a
    gate: None (it is an error), "half", "first" or "second". `operations` gives rules to operations that have none: a
    mapping from the name of a torch function to a function `(inputs, output, relevance) -> list of relevances of the
    inputs`.

    >>> from torch import nn
    >>> from textlrp import lrp
    >>> c = Composite([(nn.LSTM, lrp.Epsilon(0.001)), ("head.*", lrp.Zero())], default=lrp.Gamma(0.25))
    >>> c.rule_for(Layer("head.0", nn.Linear, None)).name
    'zero'
    """

    rules: Sequence[tuple[Selector | tuple[Selector, ...], Rule]] = ()
    default: Rule = field(default=Epsilon(1e-3), kw_only=True)
    product: str | None = field(default=None, kw_only=True)
    operations: Mapping[str, Callable[..., Any]] = field(default_factory=dict, kw_only=True)
    name: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if isinstance(self.rules, Rule) or not isinstance(self.default, Rule):
            raise InputError("Composite: give a rule as default=Epsilon(0.001), and others as a list of (layers, rule)")
        for pair in self.rules:
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Rule)):
                raise InputError(f"Composite: each entry must be (layers, rule), not {pair!r}")
        if self.product not in (None, "half", "first", "second"):
            raise InputError(f"Composite: product must be None, 'half', 'first' or 'second', not {self.product!r}")

    def __str__(self) -> str:
        """Return the name of a named composite, else its rules: epsilon(0.001), or gamma(0.25), … else epsilon(0.001)."""
        if self.name:
            return self.name
        others = list(dict.fromkeys(str(rule) for _, rule in self.rules))
        return f"{', '.join(others)} else {self.default}" if others else str(self.default)

    @property
    def plain(self) -> bool:
        """Whether all rules share by the contributions themselves and absorb biases, and no operation has a rule of its own."""
        rules = self.default, *(rule for _, rule in self.rules)
        return not self.operations and all(isinstance(rule, Plain) and rule.bias == "absorb" for rule in rules)

    def rule_for(self, layer: Layer) -> Rule:
        """Return the rule of the first entry that matches `layer`, else the default."""
        for selector, rule in self.rules:
            parts = selector if isinstance(selector, tuple) else (selector,)
            if all(_matches(part, layer) for part in parts):
                return rule
        return self.default


def _matches(selector: Selector, layer: Layer) -> bool:
    if isinstance(selector, str):
        return fnmatchcase(layer.name, selector)
    if isinstance(selector, type):
        return issubclass(layer.kind, selector) or (layer.module is not None and isinstance(layer.module, selector))
    return bool(selector(layer))
