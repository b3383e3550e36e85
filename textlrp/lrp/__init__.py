"""LRP, layer-wise relevance propagation, for any PyTorch text model."""

from __future__ import annotations

from textlrp.lrp.attribution import Attribution, LayerRelevance
from textlrp.lrp.composite import Composite, Layer
from textlrp.lrp.engine import attribute
from textlrp.lrp.gates import GATES
from textlrp.lrp.rules import RULES, AlphaBeta, Epsilon, Flat, Gamma, Rule, WSquare, ZBox, Zero, ZPlus

__all__ = [
    "GATES",
    "RULES",
    "AlphaBeta",
    "Attribution",
    "Composite",
    "Epsilon",
    "Flat",
    "Gamma",
    "Layer",
    "LayerRelevance",
    "Rule",
    "WSquare",
    "ZBox",
    "ZPlus",
    "Zero",
    "attribute",
]
