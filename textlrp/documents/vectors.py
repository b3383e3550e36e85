"""One vector for a document: the sum of its words' vectors, weighed by relevance, by tf-idf, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from textlrp import lrp
from textlrp.encoding import check_texts, read
from textlrp.errors import InputError, unknown_name
from textlrp.explaining import composite_of
from textlrp.models.batches import Encoded, length_batches
from textlrp.progress import track
from textlrp.targets import Target, engine_target

if TYPE_CHECKING:
    from textlrp.classifier import TextClassifier
    from textlrp.explaining import Rule

__all__ = ["WEIGHTINGS", "document_vectors"]

#: How words are weighed, and what that is.
WEIGHTINGS = {
    "relevance": "each word's vector times its relevance",
    "elements": "each element of a word's vector times its own relevance",
    "tf-idf": "each word's vector times its inverse document frequency",
    "uniform": "the plain sum of the words' vectors",
}


def document_vectors(
    classifier: TextClassifier,
    texts: Iterable[str],
    *,
    weighting: str = "relevance",
    target: Target = "predicted",
    rule: Rule = "default",
    gates: str = "all",
    batch_size: int = 256,
) -> np.ndarray:
    """Return a vector for each text, [n, E] float64, made of the model's own word vectors x_t and of no label.

    "relevance": d = Σ_t R_t x_t, "elements": d_e = Σ_t R_te x_te, with the relevance R of the target's score (by default
    the predicted class); "tf-idf" and "uniform" need no explanation: d = Σ_t idf_t x_t and d = Σ_t x_t (Arras et al.,
    "What is relevant in a text document?", PLoS ONE 2017, equations 7 and 8). A text without words has the vector 0.

    Raises UnknownNameError for another weighting, InputError where the model's words have no vectors of their own, or where
    single elements are asked of a model that looks n-grams up beside words.

    >>> import textlrp
    >>> document_vectors(textlrp.load("imdb-lstm"), ["A fine film.", ""]).shape
    (2, 100)
    """
    if weighting not in WEIGHTINGS:
        raise unknown_name("weighting", weighting, WEIGHTINGS)
    embedding = getattr(classifier.module, "embedding", None)
    if not isinstance(embedding, nn.Embedding):
        raise InputError("document vectors need a model with an nn.Embedding named `embedding`; this one has none")
    if weighting == "elements" and len(getattr(classifier.module, "ngrams", ())):
        raise InputError("this model reads n-grams beside words, whose elements are not those of words; use 'relevance'")
    vectors = embedding.weight.detach().double().cpu().numpy()
    longest = classifier.config_.max_tokens
    encoded = Encoded.of([read(text, classifier.vocabulary, max_tokens=longest).ids for text in check_texts(texts)])
    if weighting in ("tf-idf", "uniform"):
        return _summed(encoded, np.ones(len(encoded.flat)), vectors, idf=weighting == "tf-idf")
    composite, _ = composite_of(rule, classifier.config_.arch)
    device = next(classifier.module.parameters()).device
    result = np.zeros((len(encoded), vectors.shape[1]))
    batches = length_batches(encoded.lengths, most_texts=batch_size)
    with torch.no_grad():
        for batch in track(batches, "making vectors", total=len(batches)):
            ids, lengths = (each.to(device) for each in encoded.pad(batch))
            if not ids.shape[1]:
                continue
            words = embedding(ids)  # [B,T,E]
            # the words' relevance [B,T], or that of their elements [B,T,E]
            module = _FromVectors(classifier.module, embedding, ids) if weighting == "elements" else classifier.module
            found = lrp.attribute(
                module,
                words if weighting == "elements" else ids,
                lengths,
                target=engine_target(target),
                composite=composite,
                gates=gates,
                classes=[str(name) for name in classifier.classes_],
                layers=False,
            )
            relevance = found.tokens if weighting == "elements" else found.tokens[..., None]
            result[batch] = (relevance * words).sum(1).double().cpu().numpy()
    return result


class _FromVectors(nn.Module):
    """The model as a function of word vectors [B,T,E]: its embedding gives what it is given."""

    def __init__(self, module: nn.Module, embedding: nn.Embedding, ids: Tensor) -> None:
        super().__init__()
        self.module, self.embedding, self.ids = module, embedding, ids
        self.eval()

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:  # [B,T,E], [B] -> [B,C]
        """Return the logits."""
        with _replaced(self.embedding, words):
            logits: Tensor = self.module(self.ids, lengths)
        return logits


@contextmanager
def _replaced(embedding: nn.Embedding, words: Tensor) -> Iterator[None]:
    handle = embedding.register_forward_hook(lambda module, args, output: words)
    try:
        yield
    finally:
        handle.remove()


def _summed(encoded: Encoded, weights: np.ndarray, vectors: np.ndarray, *, idf: bool) -> np.ndarray:  # [N] -> [n,E]
    """Sum w_t x_t over the words of each text; with `idf` each weight is times ln((1+n)/(1+df)) + 1 of its word."""
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer

    counts = csr_matrix((weights, encoded.flat, encoded.offsets), shape=(len(encoded), len(vectors)))
    counts.sum_duplicates()
    if idf:
        counts = TfidfTransformer(norm=None).fit_transform(counts)
    return np.asarray(counts @ vectors)
