"""Other explainers of the same network, as their packages give them: captum's integrated gradients, SHAP's partitions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from torch import Tensor, nn

from textlrp.baselines.scoring import scores

__all__ = ["captum_integrated_gradients", "shap_partition"]

Method = Callable[[nn.Module, Tensor, Tensor, Tensor], object]


def captum_integrated_gradients(*, steps: int = 50) -> Method:
    """captum's LayerIntegratedGradients at the embedding, from padding to the words, in one batch of all steps."""
    from captum.attr import LayerIntegratedGradients

    def run(module: nn.Module, ids: Tensor, lengths: Tensor, _weights: Tensor) -> object:
        embedding = next(each for each in module.modules() if isinstance(each, nn.Embedding))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            explainer = LayerIntegratedGradients(module, embedding)
            return explainer.attribute(ids, baselines=ids * 0, additional_forward_args=(lengths,), target=1, n_steps=steps)

    return run


def shap_partition(*, evaluations: int = 500) -> Method:
    """SHAP's PartitionExplainer with its Text masker, words left out; the number of evaluations is its default for text."""
    import shap

    def run(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor) -> object:
        count = int(lengths[0])
        score = partial(scores, module, ids[0, :count], weights[0])

        def read(texts: np.ndarray) -> np.ndarray:  # each "word" is the number of a place
            masks = np.zeros((len(texts), count), dtype=bool)
            for row, text in zip(masks, texts, strict=True):
                row[np.array(str(text).split(), dtype=np.int64)] = True
            return np.asarray(score(masks))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            masker = shap.maskers.Text(r"\s+", " ", collapse_mask_token=True)
            explainer = shap.PartitionExplainer(read, masker)
            return explainer([" ".join(map(str, range(count)))], max_evals=evaluations, silent=True)

    return run
