"""LRP, layer-wise relevance propagation, for any PyTorch text model."""

from __future__ import annotations

from textlrp.errors import RelevanceError
from textlrp.lrp.attribution import Attribution, LayerRelevance
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.engine import attribute
from textlrp.lrp.gates import GATES
from textlrp.lrp.presets import PRESETS, Preset, preset
from textlrp.lrp.rule import Rule
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, WSquare, ZBox, Zero, ZPlus
from textlrp.lrp.targets import TARGETS, Margin, Relevance, Weights

__all__ = [
    "GATES",
    "PRESETS",
    "RULES",
    "TARGETS",
    "AlphaBeta",
    "Attribution",
    "Composite",
    "Epsilon",
    "Flat",
    "Gamma",
    "Layer",
    "LayerRelevance",
    "Margin",
    "Preset",
    "Relevance",
    "RelevanceError",
    "Rule",
    "WSquare",
    "Weights",
    "ZBox",
    "ZPlus",
    "Zero",
    "attribute",
    "preset",
]
