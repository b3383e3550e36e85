"""What LRP is compared with, for any text module: (module, ids [B,T], lengths [B], weights [B,C]) -> relevance [B,T].

`weights` over the logits make the score that is explained; relevance is 0 on padding. What draws at random takes a `seed`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

from textlrp.baselines.activation import class_activation
from textlrp.baselines.gradients import gradient, gradient_x_input, integrated_gradients, smoothgrad
from textlrp.baselines.omission import occlusion
from textlrp.baselines.packages import lime, ready, shap

__all__ = [
    "LIMITED",
    "METHODS",
    "Method",
    "class_activation",
    "gradient",
    "gradient_x_input",
    "integrated_gradients",
    "lime",
    "occlusion",
    "ready",
    "shap",
    "smoothgrad",
]

Method: TypeAlias = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]

#: The methods by the names that `textlrp compare` uses.
METHODS: dict[str, Method] = {
    "gradient": gradient,
    "gradient × input": gradient_x_input,
    "smoothgrad": smoothgrad,
    "integrated gradients": integrated_gradients,
    "occlusion": occlusion,
}

#: Methods that need a certain network (else RelevanceError) or a package (else MissingPackageError).
LIMITED: dict[str, Method] = {"class activation": class_activation, "LIME": lime, "SHAP": shap}
