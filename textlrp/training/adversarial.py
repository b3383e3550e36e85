"""Adversarial and virtual adversarial training on word vectors: predictions that small changes of the vectors do not turn.

Miyato, Dai & Goodfellow, ICLR 2017; with entropy minimisation, Sachan, Zaheer & Salakhutdinov, AAAI 2019.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from textlrp.errors import InputError

__all__ = ["adversarial_loss", "entropy", "nearest_step", "normalise_embedding", "virtual_adversarial_loss", "word_scales"]

Forward = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def normalise_embedding(embedding: nn.Embedding, counts: Tensor) -> None:  # [V,E], [V]
    """Shift and scale word vectors in place to mean 0 and variance 1 over running text: ε then means the same for all.

    v ← (v - E[v]) / √Var[v], with the word frequencies as weights (Miyato et al. 2017, equation 1); padding stays 0.

    >>> embedding = nn.Embedding.from_pretrained(torch.tensor([[0.0], [1.0], [3.0]]))
    >>> normalise_embedding(embedding, torch.tensor([0, 1, 1]))
    >>> embedding.weight.flatten().tolist()
    [0.0, -1.0, 1.0]
    """
    if counts.shape != embedding.weight.shape[:1] or counts.sum() <= 0:
        raise InputError(f"counts must hold one count for each of the {embedding.num_embeddings} words, and not be all 0")
    share = (counts / counts.sum())[:, None].to(embedding.weight.dtype)
    mean = (share * embedding.weight).sum(0)
    variance = (share * (embedding.weight - mean) ** 2).sum(0)
    embedding.weight.sub_(mean).div_(variance.clamp(min=1e-12).sqrt())
    embedding.weight[0] = 0.0


@torch.no_grad()
def word_scales(embedding: nn.Embedding, counts: Tensor) -> Tensor:  # [V,E], [V] -> [E]
    """Return the standard deviation of each number of the word vectors over running text.

    A step that is taken in these units is the step in vectors normalised as by `normalise_embedding`, which stay as they are.

    >>> word_scales(nn.Embedding.from_pretrained(torch.tensor([[0.0], [1.0], [3.0]])), torch.tensor([0, 1, 1])).tolist()
    [1.0]
    """
    share = (counts / counts.sum())[:, None].to(embedding.weight.dtype)
    mean = (share * embedding.weight).sum(0)
    return (share * (embedding.weight - mean) ** 2).sum(0).clamp(min=1e-12).sqrt()


def nearest_step(gradient: Tensor, logits: Tensor, targets: Tensor, labels: Tensor, *, size: float, scales: Tensor) -> Tensor:
    """Return the step r [B,T,E] on word vectors that moves texts most towards the other of two classes.

    `gradient` [B,T,E] is that of the cross-entropy of `logits` [B,2] with `targets` [B,2] by the word vectors. With two classes
    it is (p - t) · ∂m/∂v, a multiple of the margin's gradient, and that is also where the prediction diverges most (its second
    derivative is p (1 - p) ∂m/∂v ∂m/∂vᵀ): the step of adversarial training, and the one that virtual adversarial training finds
    by power iteration, come with the backward pass of the plain loss. A text with a label (0 or 1) is moved away from it, one
    without (-1) away from its prediction. r / scales has the length `size` over each text as a whole.
    """
    excess = logits.float().softmax(-1)[:, 1] - targets[:, 1]
    own = torch.where(labels >= 0, 2 * labels - 1, (logits[:, 1] > logits[:, 0]) * 2 - 1)
    scaled = gradient * scales * (-own * excess.sign())[:, None, None]
    norm = scaled.flatten(1).norm(dim=1).clamp(min=1e-30)
    return size * scaled * scales / norm[:, None, None]


@contextlib.contextmanager
def _changed(embedding: nn.Embedding, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Let the embedding's output be `change(output)` inside the block."""
    handle = embedding.register_forward_hook(lambda module, args, output: change(output))
    try:
        yield
    finally:
        handle.remove()


def _step(direction: Tensor, size: float) -> Tensor:  # [B,T,E] -> [B,T,E]
    """Return size · d / ‖d‖, the norm taken over each text as a whole."""
    norm = direction.flatten(1).norm(dim=1).clamp(min=1e-12)
    return size * direction / norm[:, None, None]


def adversarial_loss(
    forward: Forward, embedding: nn.Embedding, ids: Tensor, lengths: Tensor, targets: Tensor, *, size: float
) -> Tensor:
    """Return the cross-entropy at the word vectors moved by r = ε g / ‖g‖, g the gradient of the cross-entropy there.

    `forward(ids [B,T], lengths [B])` gives logits [B,C] and looks its words up in `embedding`; `targets` [B,C] are shares of
    the classes; ε is `size`. Equation 5 of Miyato et al. 2017.

    >>> _ = torch.manual_seed(0)
    >>> embedding, output = nn.Embedding(9, 4), nn.Linear(4, 2)
    >>> ids, lengths, targets = torch.tensor([[3, 4, 5]]), torch.tensor([3]), torch.tensor([[0.0, 1.0]])
    >>> forward = lambda ids, lengths: output(embedding(ids).mean(1))
    >>> plain = functional.cross_entropy(forward(ids, lengths), targets)
    >>> bool(adversarial_loss(forward, embedding, ids, lengths, targets, size=1.0) > plain)
    True
    """
    seen: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[-1]

    with torch.enable_grad(), _changed(embedding, keep):
        loss = functional.cross_entropy(forward(ids, lengths).float(), targets)
    (gradient,) = torch.autograd.grad(loss, seen[-1])
    move = _step(gradient, size)
    with _changed(embedding, lambda output: output + move):
        return functional.cross_entropy(forward(ids, lengths).float(), targets)


def virtual_adversarial_loss(
    forward: Forward,
    embedding: nn.Embedding,
    ids: Tensor,
    lengths: Tensor,
    *,
    size: float,
    probe: float = 0.1,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return KL(p(·|x) ‖ p(·|x + r)), r the step of length ε that changes the prediction most; it needs no label.

    r is found by one power iteration: a random d of length `probe` is added, and the divergence's gradient there is followed.
    Equations 6 to 8 of Miyato et al. 2017. The prediction at x is held fixed.
    """
    inside = (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None])[..., None]
    with torch.no_grad():
        fixed = functional.softmax(forward(ids, lengths).float(), dim=-1)
    seen: list[Tensor] = []

    def shake(output: Tensor) -> Tensor:
        noise = torch.randn(output.shape, generator=generator, device=output.device, dtype=output.dtype) * inside
        seen.append(_step(noise, probe).requires_grad_())
        return output.detach() + seen[-1]

    with torch.enable_grad(), _changed(embedding, shake):
        divergence = _divergence(fixed, forward(ids, lengths))
    (gradient,) = torch.autograd.grad(divergence, seen[-1])
    move = _step(gradient, size)
    with _changed(embedding, lambda output: output + move):
        return _divergence(fixed, forward(ids, lengths))


def entropy(logits: Tensor) -> Tensor:  # [B,C] -> []
    """Return the mean entropy of the predictions, which unlabelled texts are trained to lower (Grandvalet & Bengio 2004).

    >>> round(entropy(torch.zeros(3, 2)).item(), 4)
    0.6931
    """
    log = functional.log_softmax(logits.float(), dim=-1)
    return -(log.exp() * log).sum(-1).mean()


def _divergence(fixed: Tensor, logits: Tensor) -> Tensor:  # [B,C], [B,C] -> []
    return functional.kl_div(functional.log_softmax(logits.float(), dim=-1), fixed, reduction="batchmean")
