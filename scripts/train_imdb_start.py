"""The weights that a training of `train_imdb.py` begins with: word vectors, the linear model's weights, earlier runs'."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from train_imdb_data import Reviews, word_vectors
from train_imdb_teacher import linear_ngrams

from textlrp.models.build import build
from textlrp.models.config import ModelConfig

RECURRENT, BESIDE = 0.6, 0.4  # what each of two networks brings to the logits where they are joined


def initialised(config: ModelConfig, reviews: Reviews, work: Path, *, seed: int, strength: float) -> nn.Module:
    """Return the module with word vectors in its embedding, forget gates open, and a dense network as the linear model."""
    module = build(config, seed=seed)
    with torch.no_grad():
        vectors = torch.from_numpy(word_vectors(reviews.vocabulary, seed=seed))
        module.embedding.weight[:, : vectors.shape[1]] = vectors
        module.embedding.weight[0] = 0.0
        if config.arch == "lstm":
            for name, bias in module.lstm.named_parameters():
                if name.startswith("bias_ih"):
                    bias[config.units : 2 * config.units] = 1.0
        if config.arch == "dense":
            _as_linear(module, config, work, strength=strength)
    return module


def _as_linear(module: nn.Module, config: ModelConfig, work: Path, *, strength: float) -> None:
    """Select the n-grams that the linear model finds weightiest, and put its weights into the network.

    The last number of a word's vector, and the first of an n-gram's, becomes `strength` times the linear weight; pooled by
    the root, they reach the logits with weights -½ and ½: a review of n words gets `strength` / √n of its linear margin.
    All other weights of the last layer begin at 0.
    """
    hashes, weights = linear_ngrams(work, 1, config.vocabulary_size)
    last = torch.zeros(config.vocabulary_size)
    last[torch.from_numpy(hashes - 1)] = strength * torch.from_numpy(weights)  # the hash of a single word is its id + 1
    module.embedding.weight[:, -1] = last
    for table in module.ngrams.values():
        hashes, weights = linear_ngrams(work, table.n, table.buckets - 1)
        table.select(hashes)
        table.weight[1 : len(hashes) + 1, 0] = strength * torch.from_numpy(weights)
    output, half = module.head.output.weight.zero_(), torch.tensor([-0.5, 0.5])
    output[:, (config.pooling.index("root") + 1) * config.embedding_dim - 1] = 0.8 * half  # fewer words than bigrams differ
    for column in range(output.shape[1] - len(config.ngrams) * config.ngram_dim, output.shape[1], config.ngram_dim):
        output[:, column] = half


def widened(weights: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Return the weights, with zeros for what further ways of pooling bring to the last layer: the outputs stay the same."""
    name = "head.output.weight"
    wide = torch.zeros_like(module.state_dict()[name])
    wide[:, : weights[name].shape[1]] = weights[name]
    return weights | {name: wide}


def joined(recurrent: dict[str, Tensor], dense: dict[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a recurrent network with the words and n-grams of a dense one beside it, all before one last layer.

    What the dense network pools by the root is linear in each word: its vector and the last layer make one number of it, the
    vector of a 1-gram. What it pools by the maximum is left out.
    """
    head, vectors = "head.output.weight", dense["embedding.weight"]  # [2,F], [V,E]
    words = vectors @ (dense[head][1] - dense[head][0])[: vectors.shape[1]]  # the root stands first; [V]
    table = module.ngrams["1"]
    table.select(torch.arange(1, len(vectors) + 1).numpy())  # the hash of a single word is its id + 1
    weights = {name: each for name, each in dense.items() if name.startswith("ngrams.")} | recurrent
    weights["ngrams.1.keys"] = table.keys
    weights["ngrams.1.weight"] = torch.cat([torch.zeros(1), words])[:, None]
    last = [RECURRENT * recurrent[head], BESIDE * torch.tensor([[-0.5], [0.5]])]
    last += [BESIDE * dense[head][:, 2 * vectors.shape[1] :]]  # one column for the n-grams of each length
    return weights | {head: torch.cat(last, dim=1), "head.output.bias": RECURRENT * recurrent["head.output.bias"]}
