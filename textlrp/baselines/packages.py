"""LIME and SHAP through their own packages (`pip install 'textlrp[compare]'`): words are left out, and a score answers."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from textlrp.baselines.scoring import scores
from textlrp.errors import InputError, MissingPackageError

__all__ = ["lime", "ready", "shap"]

_NEEDED = {"LIME": ("lime", "lime.lime_text"), "SHAP": ("shap", "shap")}

#: Gives the score [n] of a text with only those words left that masks [n,T] say.
Score: TypeAlias = Callable[[np.ndarray], np.ndarray]


def ready(method: str) -> None:
    """Import and warm up what the method of this name needs, so that its run time is its own.

    Raises MissingPackageError where it is absent.

    >>> ready("occlusion")
    """
    if method in _NEEDED:
        _imported(method)
    if method == "SHAP":  # the package compiles itself when it is first used
        _shapley(2, lambda masks: masks.sum(axis=1) * 1.0, rounds=1, seed=0)


def lime(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, *, samples: int = 1000, seed: int = 0) -> Tensor:
    """LIME's linear model of the score around each text, fitted to `samples` texts with words left out (Ribeiro 2016).

    `ids` [B,T] int64, `lengths` [B] int64, `weights` [B,C] over the logits make the score; returns [B,T], 0 on padding: the
    coefficient of each place of the text. The kernel and the ridge regression are the package's own. Raises
    MissingPackageError where the package `lime` is absent.
    """
    if samples < 2:
        raise InputError(f"LIME needs at least 2 samples, not {samples}")
    package = _imported("LIME")

    def one(count: int, score: Score) -> np.ndarray:
        def read(texts: list[str]) -> np.ndarray:  # each "word" that LIME sees is the number of a place
            masks = np.zeros((len(texts), count), dtype=bool)
            for row, text in zip(masks, texts, strict=True):
                row[np.array(text.split(), dtype=np.int64)] = True
            return score(masks)[:, None]

        places = " ".join(map(str, range(count)))
        explainer = package.LimeTextExplainer(random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = explainer.explain_instance(places, read, labels=(0,), num_features=count, num_samples=samples)
        relevance = np.zeros(count)
        for index, coefficient in found.local_exp[0]:
            relevance[int(found.domain_mapper.indexed_string.word(index))] = coefficient
        return relevance

    return _each(module, ids, lengths, weights, one)


def shap(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, *, rounds: int = 2, seed: int = 0) -> Tensor:
    """Shapley values of the places of each text, from `rounds` permutations and their reverses (Strumbelj 2014; Lundberg 2017).

    Shapes as in `lime`; a text's values sum to its score minus that of the empty text. Raises MissingPackageError where the
    package `shap` is absent.
    """
    if rounds < 1:
        raise InputError(f"SHAP needs at least 1 round, not {rounds}")
    return _each(module, ids, lengths, weights, lambda count, score: _shapley(count, score, rounds=rounds, seed=seed))


def _shapley(count: int, score: Score, *, rounds: int, seed: int) -> np.ndarray:
    package = _imported("SHAP")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        masker = package.maskers.Independent(np.zeros((1, count)))
        explainer = package.PermutationExplainer(lambda rows: score(rows > 0.5), masker, seed=seed)
        found = explainer(np.ones((1, count)), max_evals=rounds * (2 * count + 1), silent=True)
    return np.asarray(found.values, dtype=np.float64).reshape(count)


def _imported(method: str) -> Any:
    package, name = _NEEDED[method]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other packages, about each other
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingPackageError(
            f"{method} needs the package {package!r}, which cannot be imported ({error}): "
            f"pip install {package}, or pip install 'textlrp[compare]'"
        ) from error


def _each(module: nn.Module, ids: Tensor, lengths: Tensor, weights: Tensor, one: Callable[[int, Score], np.ndarray]) -> Tensor:
    """Explain each text by `one(number of words, score)`."""
    result = torch.zeros(ids.shape, dtype=weights.dtype, device=ids.device)
    for b, count in enumerate(lengths.tolist()):
        if count:
            found = one(count, partial(scores, module, ids[b, :count], weights[b]))
            result[b, :count] = torch.from_numpy(found).to(result)
    return result
