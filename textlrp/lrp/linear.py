"""Relevance through one linear map, under any rule: the three kinds of `rules.py` as three short functions."""

from __future__ import annotations

from collections.abc import Callable

import torch

from textlrp.lrp.maps import LinearMap
from textlrp.lrp.numbers import quotient, sign, stabilise
from textlrp.lrp.rules import Flat, Free, Plain, Rule, Signed, WSquare, ZBox

__all__ = ["Book", "propagate"]

Book = Callable[[str, torch.Tensor], None]  # an entry of the ledger, and an amount in the shape of z
Parts = tuple[torch.Tensor | None, torch.Tensor | None]  # c and r


def propagate(
    rule: Rule, linear: LinearMap, x: torch.Tensor, z: torch.Tensor, c: torch.Tensor | None, r: torch.Tensor | None, book: Book
) -> Parts:
    """Bring R_j = z_j · c_j + r_j back to the inputs, as R_i = x_i · c_i + r_i; book what bias, stabiliser and rule take."""
    if isinstance(rule, Plain):
        return _plain(rule, linear, x, z, c, r, book)
    relevance = r if c is None else (z * c if r is None else z * c + r)
    assert relevance is not None
    if isinstance(rule, Signed):
        return _signed(rule, linear, x, z, relevance, book)
    assert isinstance(rule, Free)
    return _free(rule, linear, x, relevance, book)


def _plain(
    rule: Plain, linear: LinearMap, x: torch.Tensor, z: torch.Tensor, c: torch.Tensor | None, r: torch.Tensor | None, book: Book
) -> Parts:
    b = linear.bias
    left_out = b if rule.bias == "share" else None
    if c is not None and r is None and rule.epsilon == 0 and left_out is None:
        q = c  # c z / z, also where z = 0
    else:
        d = rule.denominator(z, left_out)
        empty = d == 0
        relevance = z * c if c is not None else torch.zeros_like(z)
        if r is not None:
            relevance = relevance + r
        q = relevance / d.masked_fill(empty, 1.0)
        if rule.epsilon > 0:
            book("stabiliser", (rule.epsilon * q).mul_(sign(d)))
        else:
            book("stabiliser", relevance * empty)
            if c is not None and left_out is None:
                q = torch.where(empty, c, q)
    extra = None
    if b is not None and left_out is None:
        extra = _bias(rule, linear, x, b * q, book)
    return linear.transpose(q, linear.weight, x), extra


def _signed(rule: Signed, linear: LinearMap, x: torch.Tensor, z: torch.Tensor, relevance: torch.Tensor, book: Book) -> Parts:
    w_up, w_down = linear.weight.clamp(min=0), linear.weight.clamp(max=0)
    x_up, x_down = x.clamp(min=0), x.clamp(max=0)
    signed = bool((x < 0).any())
    p, n = linear.apply(x_up, w_up), linear.apply(x_up, w_down)
    if signed:
        p, n = p + linear.apply(x_down, w_down), n + linear.apply(x_down, w_up)
    b = linear.bias if rule.bias != "share" else None
    factors = rule.factors(p, n, b, z)
    q_up, q_down = relevance * factors.positive, relevance * factors.negative
    book("stabiliser", relevance * factors.stabiliser)
    book("rule", relevance * factors.loss)
    extra = None
    if b is not None:
        extra = _bias(rule, linear, x, b.clamp(min=0) * q_up + b.clamp(max=0) * q_down, book)
    c = linear.transpose(q_up, w_up, x) + linear.transpose(q_down, w_down, x)
    if signed:
        c = torch.where(x < 0, linear.transpose(q_up, w_down, x) + linear.transpose(q_down, w_up, x), c)
    return c, extra


def _free(rule: Free, linear: LinearMap, x: torch.Tensor, relevance: torch.Tensor, book: Book) -> Parts:
    w, b = linear.weight, linear.bias if rule.bias != "share" else None
    d: torch.Tensor | float
    if isinstance(rule, Flat):
        d, own = linear.fan_in(x), 1.0
    elif isinstance(rule, WSquare):
        d, own = linear.apply(torch.ones_like(x), w * w), (0.0 if b is None else b * b)
    else:
        assert isinstance(rule, ZBox)
        low, high = (torch.as_tensor(bound, dtype=x.dtype, device=x.device).expand(x.shape) for bound in (rule.low, rule.high))
        w_up, w_down = w.clamp(min=0), w.clamp(max=0)
        d, own = linear.apply(x, w) - linear.apply(low, w_up) - linear.apply(high, w_down), (0.0 if b is None else b)
    d = torch.as_tensor(d if b is None else d + own, dtype=x.dtype, device=x.device)
    stable = stabilise(d, rule.epsilon)
    q = relevance * quotient(torch.ones_like(stable), stable)
    book("stabiliser", rule.epsilon * sign(d) * q)
    book("rule", relevance * (stable == 0))
    if isinstance(rule, Flat):
        r = linear.scatter(q, x)
    elif isinstance(rule, WSquare):
        r = linear.transpose(q, w * w, x)
    else:
        r = x * linear.transpose(q, w, x) - low * linear.transpose(q, w_up, x) - high * linear.transpose(q, w_down, x)
    if b is not None:
        extra = _bias(rule, linear, x, own * q, book)
        r = r if extra is None else r + extra
    return None, r


def _bias(rule: Rule, linear: LinearMap, x: torch.Tensor, amount: torch.Tensor, book: Book) -> torch.Tensor | None:
    """Book the share of the bias, or give it back to the inputs, each the same."""
    if rule.bias == "absorb":
        book("bias", amount)
        return None
    return linear.scatter(amount / linear.fan_in(x), x)
