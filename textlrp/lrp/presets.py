"""Composites with a name, for the command line and for a first try."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from textlrp.errors import unknown_name
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.rules import AlphaBeta, Epsilon, Flat, Gamma, WSquare, Zero, ZPlus

__all__ = ["PRESETS", "Preset", "preset"]


@dataclass(frozen=True)
class Preset:
    """A composite with a name, and when to use it."""

    name: str
    description: str
    composite: Composite


def _lower_half(layer: Layer) -> bool:
    return 2 * layer.depth < layer.count - 1


def _reads_words(layer: Layer) -> bool:
    recurrent = issubclass(layer.kind, (nn.RNNBase, nn.RNNCellBase))
    return layer.depth == 0 and not recurrent


def _make() -> dict[str, Preset]:
    presets = (
        Preset(
            "epsilon",
            "LRP-ε with ε = 0.001 everywhere: right for most text models, and the rule of Arras 2017 for LSTMs",
            Composite(default=Epsilon(1e-3)),
        ),
        Preset(
            "zero",
            "LRP-0 everywhere: exact shares and nothing absorbed by stabilisers, but noisy in deep networks",
            Composite(default=Zero()),
        ),
        Preset(
            "gamma",
            "LRP-γ with γ = 0.25 everywhere: favours what agrees with the output; fewer, clearer words, less weight on "
            "contradictions",
            Composite(default=Gamma(0.25)),
        ),
        Preset(
            "alpha-beta",
            "LRP-αβ with α = 2, β = 1 everywhere: evidence for and against kept apart; for ReLU networks, not for "
            "recurrent ones",
            Composite(default=AlphaBeta(2.0, 1.0)),
        ),
        Preset(
            "z-plus",
            "LRP-z⁺ everywhere: only supporting evidence; every word gets relevance of the score's own sign",
            Composite(default=ZPlus()),
        ),
        Preset(
            "epsilon-gamma",
            "γ = 0.25 in the lower half of the layers, ε = 0.001 above: for deep networks, where ε alone is noisy near "
            "the words",
            Composite([(_lower_half, Gamma(0.25))], default=Epsilon(1e-3)),
        ),
        Preset(
            "epsilon-flat",
            "flat at the layer that reads the words (if it is not recurrent), ε = 0.001 above: where in the text, "
            "rather than which word",
            Composite([(_reads_words, Flat())], default=Epsilon(1e-3)),
        ),
        Preset(
            "epsilon-w-square",
            "w² at the layer that reads the words (if it is not recurrent), ε = 0.001 above: what that layer listens "
            "to, whatever was said",
            Composite([(_reads_words, WSquare())], default=Epsilon(1e-3)),
        ),
    )
    return {each.name: each for each in presets}


PRESETS = _make()


def preset(name: str) -> Preset:
    """Return the preset called `name`.

    >>> str(preset("gamma").composite)
    'gamma(0.25)'
    """
    if name not in PRESETS:
        raise unknown_name("rule", name, PRESETS)
    return PRESETS[name]
