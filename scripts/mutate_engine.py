# ruff: noqa: E501
"""Break the LRP engine on purpose, in a copy, in every way that matters, and see that the tests notice each time.

    python scripts/mutate_engine.py [--json FILE] [--only WORD]

Prints a table, one line a mutation, and fails if a mutation survives.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    "rules",
    "taylor",
    "recurrent",
    "gates",
    "recurrent_arras",
    "rules_layers",
    "forward",
    "padded",
    "ids",
    "tape",
    "stretches",
    "lstm_steps",
    "forward_steps",
    "quick",
    "affine",
    "inplace",
    "corners",
    "texts",
    "states",
)
FIRST = {
    "inplace": "inplace",
    "numbers": "corners",
    "affine": "affine",
    "lstm": "recurrent",
    "level": "recurrent",
    "lstm_steps": "recurrent",
    "forward": "forward",
    "forward_steps": "forward_steps",
    "padded": "padded",
    "rows": "recurrent",
    "gru": "recurrent",
    "stepwise": "recurrent",
    "stepwise_lstm": "stretches",
    "stretch": "recurrent",
    "cells": "recurrent",
    "sequence": "recurrent",
    "gates": "gates",
    "ids": "ids",
    "mode": "ids",
    "tape": "tape",
    "structural": "quick",
    "engine": "tape",
}
FIRST |= dict.fromkeys(
    ("pointwise", "normalise", "attention", "products"), "rules_layers"
)  # where a change is likely to be seen
NO_SHRINKING = """
from hypothesis import Phase

settings.register_profile("mutants", settings.get_profile("default"), phases=(Phase.explicit, Phase.generate))
settings.load_profile("mutants")
"""


@dataclass(frozen=True)
class Mutation:
    """A change of one place of the engine: what it means, the file, the text (once in it) and what takes its place."""

    meaning: str
    file: str
    old: str
    new: str


MUTATIONS = [
    # rules: sign, stabiliser, what is divided by what
    Mutation("every rule: sign(0) = 0", "numbers", "return signed(z + 0.0, epsilon).add_(z)", "return torch.sign(z).mul_(epsilon).add_(z)"),
    Mutation("every rule: ε without its sign", "numbers", "return signed(z + 0.0, epsilon).add_(z)", "return z + epsilon"),
    Mutation("every rule: ε taken off", "numbers", "return signed(z + 0.0, epsilon).add_(z)", "return z - signed(z + 0.0, epsilon)"),
    Mutation("zero, epsilon: sign", "linear", "return linear.transpose(messages[0], linear.weight, x), None", "return -linear.transpose(messages[0], linear.weight, x), None"),
    Mutation("zero: contributions without their weights", "linear", "return linear.transpose(messages[0], linear.weight, x), None", "return linear.transpose(messages[0], torch.ones_like(linear.weight), x), None"),
    Mutation("epsilon: no stabiliser", "linear", "self.stable = self.z + self.stabiliser\n", "self.stable = self.z\n"),
    Mutation("epsilon: stabiliser not booked", "linear", 'book("stabiliser", self.stabiliser * messages[0])', "pass"),
    Mutation("bias absorbed: not booked", "share", 'book("bias", taken)\n', "pass\n"),
    Mutation("bias spread: twice", "share", "given = linear.scatter(taken /", "given = 2 * linear.scatter(taken /"),
    Mutation("bias shared: left in the denominator", "linear", 'self.z = z if rule.bias != "share" or bias is None else z - bias', "self.z = z"),
    Mutation("gamma: sign", "signed", "over = inverse(stable, rule.epsilon)", "over = -inverse(stable, rule.epsilon)"),
    Mutation("gamma: no stabiliser", "signed", "self.epsilon, alone = rule.epsilon / (1 + rule.gamma / 2),", "self.epsilon, alone = 0 * rule.epsilon,"),
    Mutation("gamma: the wrong side is favoured", "signed", "torch.copysign(self.total, z, out=self.total)", "torch.copysign(self.total, -z, out=self.total)"),
    Mutation("gamma, bias shared: the bias in the denominator", "signed", "stable.add_(z - bias)", "stable.add_(z)"),
    Mutation("gamma, bias shared: ε in the direction of z", "signed", "stable.add_(sign(stable), alpha=self.epsilon)", "stable.add_(sign(z), alpha=self.epsilon)"),
    Mutation("alpha-beta: sign of beta", "rules", "negative = where_positive(-self.beta /", "negative = where_positive(self.beta /"),
    Mutation("alpha-beta: no stabiliser", "rules", "self.alpha / (p + self.epsilon)", "self.alpha / (p + 0.0)"),
    Mutation("alpha-beta: stabiliser of the negative part", "rules", "(n - self.epsilon)", "(n + self.epsilon)"),
    Mutation("alpha-beta: empty part not booked", "rules", "loss = no_p.mul_(self.alpha).sub_(no_n, alpha=self.beta)", "loss = 0 * p"),
    Mutation("z-plus: beta = 1", "rules", "super().__init__(1.0, 0.0, epsilon", "super().__init__(2.0, 1.0, epsilon"),
    Mutation("alpha-beta (by magnitudes): sign of beta", "signed", "share.down = torch.sub(z, total, out=total)", "share.down = torch.sub(z, total, out=total).neg_()"),
    Mutation("alpha-beta (by magnitudes): no stabiliser", "signed", "total.add_(2 * rule.epsilon)", "total.add_(0.0)"),
    Mutation("alpha-beta (by magnitudes): half the stabiliser booked", "signed", "messages[-1], 2 * self.rule.epsilon", "messages[-1], self.rule.epsilon"),
    Mutation("alpha-beta (by magnitudes): what finds no taker is not booked", "signed", 'book("rule", relevance * empty, times)', "pass"),
    Mutation("alpha-beta (by magnitudes): where nothing contributes, as elsewhere", "signed", "divisor.masked_fill_(empty, torch.inf)", "pass"),
    Mutation("alpha-beta (by magnitudes): one direction's kinds for both", "stepwise_lstm", "max(part.joint.kinds for part in parts)", "parts[0].joint.kinds"),
    Mutation("alpha-beta (by magnitudes): also where one sign is missing", "signed", ".amax() >= 0)", ".amax() > 1e30)"),
    Mutation("alpha-beta (by magnitudes): the bias in the denominator, though shared", "signed", "z, total = z if bias is None or share.bias is not None else z - bias, share.total", "total = share.total"),
    Mutation("signed inputs: negative inputs as positive ones", "signed", "sign(self.inputs[id(linear)])", "torch.ones_like(self.inputs[id(linear)])"),
    Mutation("signed inputs: left out of the denominator", "signed", "self.first = first.apply(x.abs(),", "self.first = first.apply(x.clamp(min=0),"),
    Mutation("w-square: w instead of w²", "linear", "linear.transpose(q, self.squares[id(linear)], x)", "linear.transpose(q, w, x)"),
    Mutation("w-square: denominator with |w|", "linear", "linear.sums(self.squares[id(linear)], x)", "linear.sums(linear.weight.abs(), x)"),
    Mutation("flat: sign", "linear", "return None, linear.scatter(q, x)", "return None, -linear.scatter(q, x)"),
    Mutation("flat: one input too many", "linear", "total = self.fan_in\n", "total = self.fan_in + 1\n"),
    Mutation("flat, w-square, z-box: no stabiliser", "linear", "stabilise(total, rule.epsilon)", "total"),
    Mutation("z-box: low and high swapped", "linear", "r = r - low * linear.transpose(q, w.clamp(min=0), x) - high * linear.transpose(q, w.clamp(max=0), x)", "r = r - high * linear.transpose(q, w.clamp(min=0), x) - low * linear.transpose(q, w.clamp(max=0), x)"),
    Mutation("z-box: sign of the box", "linear", "linear.apply(x, w) - linear.apply(low, w.clamp(min=0))", "linear.apply(x, w) + linear.apply(low, w.clamp(min=0))"),
    Mutation("convolution: padding counts as an input", "maps", "found = self.apply(like.new_ones([1, *like.shape[-2:]]), weight)", "found = 0 * self.apply(like.new_ones([1, *like.shape[-2:]]), weight) + weight.sum((1, 2))[:, None]"),
    Mutation("epsilon: biases of one place only", "maps", "q.flatten(1, -2).sum(1)", "q.flatten(1, -2)[:, 0]"),
    Mutation("epsilon: biases of one step of a convolution only", "maps", "torch.mv(q.sum(-1), self.bias[:, 0])", "torch.mv(q[..., 0], self.bias[:, 0])"),
    # gates
    Mutation("gates: prop without its sign", "gates", "return Split(g * over, s * over, stabiliser", "return Split(g.abs() * over, s * over, stabiliser"),
    Mutation("gates: prop swaps gate and signal", "gates", "return Split(g * over, s * over, stabiliser", "return Split(s * over, g * over, stabiliser"),
    Mutation("gates: prop without stabiliser", "gates", "over = _over(total.add_(stabiliser), epsilon)", "over = _over(total.add_(0.0), epsilon)"),
    Mutation("gates: abs swaps gate and signal", "gates", "gate, signal = (each.mul_(over)", "signal, gate = (each.mul_(over)"),
    Mutation("gates: abs without stabiliser", "gates", "(g + s).add_(epsilon)", "(g + s).add_(0.0)"),
    Mutation("gates: all gives the gate everything", "gates", "return Split(None, 1.0)", "return Split(1.0, 0.0)"),
    Mutation("gates: half gives a third", "gates", "return Split(0.5, 0.5)", "return Split(1 / 3, 2 / 3)"),
    Mutation("gates: zero loses nothing", "gates", "return Split(None, 0.5, loss=0.5)", "return Split(None, 1.0)"),
    # products of many rows
    Mutation("products: what is added is left out", "affine", "return affine(x, weight).add_(bias)", "return affine(x, weight)"),
    Mutation("products: the bias is left out", "affine", '(rows, weight, bias, "none", [], "")', '(rows, weight, None, "none", [], "")'),
    Mutation("products: a kernel for every number of rows", "affine", "count = rounded(len(rows))", "count = len(rows)"),
    Mutation("products: in place of what is there", "affine", "total.add_(affine(x, weight))", "total.copy_(affine(x, weight))"),
    # LSTM, fast walk
    Mutation("LSTM (fast): gates i and f swapped", "lstm_steps", "[[self.gate(side.cell, 0), g]", "[[self.gate(side.cell, 1), g]"),
    Mutation("LSTM (fast): gates o and i swapped", "lstm_steps", "torch.where(nothing, o, o * (", "torch.where(nothing, i, i * ("),
    Mutation("LSTM (fast): no path from h to h", "lstm", "to_h.baddbmm_(p, u)", "pass"),
    Mutation("LSTM (fast): no path from c to c", "lstm", "p = now.mul_(p).addcmul_(now_factor, q)", "p = now.zero_().addcmul_(now_factor, q)"),
    Mutation("LSTM (fast): the next step's f from the wrong step", "lstm_steps", "slice(begin + start + size, begin + end + size)", "slice(begin + start, begin + end)"),
    Mutation("LSTM (fast): f counts where a text ends", "lstm_steps", "end = start + size * (steps - 1) + going_on", "end = start + size * (steps - 1) + min(size, len(self.c[0]) - begin - start - size * steps)"),
    Mutation("LSTM (rows): steps of a piece in the wrong order", "lstm_steps", "d).view(steps, size, -1)", "d).view(steps, size, -1).flip(0)"),
    Mutation("LSTM (fast): activation for pre-activation", "lstm_steps", "self.divisor(d, z[d].clone(), x, before)", "self.divisor(d, z[d].tanh(), x, before)"),
    Mutation("LSTM (fast): no stabiliser at c", "lstm_steps", "on.mul_(stable).div_(stable.add_(self.epsilon_c))", "pass"),
    Mutation("LSTM (fast): sign of what reaches x", "lstm", "affine(p[d], self.cells.g[d].w.t())", "affine(p[d], -self.cells.g[d].w.t())"),
    Mutation("GRU (fast): gates r and z swapped", "gru", "r, z = gates.split(size, -1)", "z, r = gates.split(size, -1)"),
    Mutation("GRU (fast): no path from h to h through n", "gru", ".addmm_(o_after, u)", ""),
    Mutation("GRU (fast): the state that is kept gets nothing", "gru", ".addcmul_(z_after, k_after)", ""),
    Mutation("GRU (fast): activation for pre-activation", "gru", "_over(a[piece].tanh(), a[piece], epsilon)", "_over(a[piece].tanh(), a[piece].tanh(), epsilon)"),
    Mutation("GRU (fast): no stabiliser in the sum", "gru", "sums[piece] = _over(h[piece], h[piece], epsilon)", "sums[piece] = torch.ones_like(h[piece])"),
    Mutation("LSTM (fast): c_n gives nothing", "lstm", "torch.zeros_like(side.c0) if side.to_c_n is None else side.to_c_n * cells.scale", "torch.zeros_like(side.c0)"),
    Mutation("LSTM (fast): bias not booked", "lstm", 'tally.amounts["bias"] =', '_ ='),
    # LSTM, GRU, RNN, any rule
    Mutation("LSTM (kept gates): i and f swapped", "forward", "gates = Gates(i, f, g, c)", "gates = Gates(f, i, g, c)"),
    Mutation("LSTM (kept gates): not looked at", "forward", "return all(bool(((found - right).abs() < _WRONG).all()) for found, right in pairs)", "return True"),
    Mutation("LSTM (rows): what is read backwards is not turned", "rows", "return rows.index_select(0, self.turned.to(rows.device))", "return rows"),
    Mutation("LSTM (by steps): z of g stays doubled", "forward_steps", "for doubled in (z[..., of_g], new, cells)", "for doubled in (new, cells)"),
    Mutation("LSTM (by steps): words' part with the bias", "forward_steps", "torch.addcmul(bias, y[d], times, out=z[:, d])", "z[:, d] = y[d].add_(bias) * times"),
    Mutation("LSTM (by steps): what is read backwards is not turned back", "forward_steps", "each.flip(0) if d else each for d, each in", "each for d, each in"),
    Mutation("LSTM (by steps): kept cells are those of the step after", "forward_steps", "new[:, d], cells[:, d])", "new[:, d], cells[:, d].roll(-1, 0))"),
    Mutation("LSTM (by steps): the other direction's pre-activations", "level", "else self.worked[d]", "else self.worked[-1 - d]"),
    Mutation("LSTM (packed): words on padding count", "padded", "if even else pack(steps.contiguous(), lengths, False)[0]", "if even else steps.flatten(0, 1)[: int(lengths.sum())]"),
    Mutation("LSTM (kept cells): looked for a step too early", "forward", "(steps + 2) * texts * size", "(steps + 1) * texts * size"),
    Mutation("LSTM (kept cells): the last one is left out", "forward", "kept[1, -1] = c_n", ""),
    Mutation("LSTM (kept gates): i g without i", "forward", "torch.mul(self.i, self.g, out=kept[0])", "kept[0] = self.g"),
    Mutation("LSTM (packed): cells of the step after", "padded", "gates.c[:, ended]", "gates.c[1:, ended]"),
    Mutation("LSTM (fast, γ): magnitudes without those of h", "lstm_steps", "first, total = self.more[d].apply(x.abs(), before.abs())", "first, total = self.more[d].apply(x.abs(), torch.zeros_like(before))"),
    Mutation("LSTM (fast, γ): magnitudes without the bias", "lstm_steps", "Map(*(each.abs() * self.share for each in g))", "Map(*(each.abs() * self.share for each in g))._replace(b=torch.zeros_like(g.b))"),
    Mutation("LSTM (fast, γ): nothing more for h", "lstm", "to_h.addcmul_(torch.bmm(last_p, more), sign_h[:, :have])", "pass"),
    Mutation("LSTM (fast, γ): h taken as positive", "lstm", "to_h.addcmul_(torch.bmm(last_p, more), sign_h[:, :have])", "to_h.baddbmm_(last_p, more)"),
    Mutation("LSTM (fast, γ): x taken as positive", "lstm", "self.cells.more[d].w.t()), x.sign())", "self.cells.more[d].w.t()), x.sign().abs())"),
    Mutation("LSTM (fast, γ): nothing more for h_0", "lstm", "to_h0.addcmul_(self.signed_p[d] @ self.more_to_h[d], side.h0.sign())", "pass"),
    Mutation("LSTM (fast, γ): γ for its share", "lstm_steps", "gamma / (2 + gamma), scale *", "gamma, scale *"),
    Mutation("LSTM (fast, γ): ε as under LRP-ε", "lstm_steps", "scale * epsilon / (1 + gamma / 2)", "scale * epsilon"),
    Mutation("LSTM (fast, γ): the bias takes no more", "lstm", "taken += torch.mv(signed_p[d], self.cells.more[d].b)", "pass"),
    Mutation("LSTM (fast): v of the step after counts", "lstm", "p[:, here].div_(sizes[:, after.start - begin : after.stop - begin])", "pass"),
    Mutation("LSTM (fast): what was kept of c, with what was added", "lstm_steps", "torch.sub(self.c[:, after], self.ig[:, after], out=on[:, here])", "on[:, here] = self.c[:, after]"),
    Mutation("LSTM (fast): activation for pre-activation, gates kept", "lstm_steps", "self.divisor(d, z, x, before)", "self.divisor(d, z.tanh_(), x, before)"),
    Mutation("LSTM (fast): no stabiliser at c, gates kept", "lstm_steps", "by = self.c[:, piece.rows].abs().add_(self.epsilon_c)", "by = self.c[:, piece.rows].abs()"),
    Mutation("LSTM (fast): words take the bias's relevance", "lstm", "torch.sum(of_x, -1, out=self.to_x[d, mine]).sub_(taken)", "torch.sum(of_x, -1, out=self.to_x[d, mine])"),
    Mutation("LSTM (fast): h_n gives nothing", "lstm_steps", "if side.to_h_n is not None:", "if False:"),
    Mutation("LSTM (fast): what is read backwards is not turned", "lstm_steps", "if not self.sides[d].turned:", "if True:"),
    Mutation("LSTM (fast): another gate for the first f", "lstm_steps", "self.gate(side.cell, 1).apply(self.x(first, d)", "self.gate(side.cell, 0).apply(self.x(first, d)"),
    Mutation("LSTM (fast): cells without g hand nothing on", "lstm", ".clamp_(min=_TINY[v.dtype])", ".add_(0)"),
    Mutation("LSTM (fast): what stabilises z is not booked", "lstm", "c.sign().add_(v, alpha=cells.epsilon_z / cells.epsilon_c)", "c.sign()"),
    Mutation("LSTM (fast, γ): magnitudes without ε, gates kept", "lstm_steps", "z.add_(total.add_(self.epsilon_z))", "z.add_(total)"),
    Mutation("LSTM (fast, γ): nothing more for words", "lstm", "of_x.addcmul_(more, signed_p[d])", "pass"),
    Mutation("gamma (by magnitudes): γ for its share", "signed", "rule.gamma / (2 + rule.gamma)", "rule.gamma"),
    Mutation("gamma (by magnitudes): without the bias", "signed", "self.first + (more if self.bias is None else self.bias.abs() * part + more)", "self.first + more"),
    Mutation("gamma (by magnitudes): the bias takes no more", "signed", "return torch.addcmul(self.bias * messages[0], self.bias.abs(), messages[-1], value=self.part)", "return self.bias * messages[0]"),
    Mutation("gamma (by magnitudes): stabiliser as under LRP-ε", "signed", "self.epsilon, alone = rule.epsilon / (1 + rule.gamma / 2),", "self.epsilon, alone = rule.epsilon,"),
    Mutation("cat: parts in the wrong order", "structural", "else cut[at] for cut in cuts", "else cut[-1 - at] for cut in cuts"),
    Mutation("cat: relevance proper is lost", "structural", "for part in (y.c, y.r)]", "for part in (y.c, None)]"),
    Mutation("tape: lets go of what is needed", "tape", "kept = var.ids or var.needed or", "kept = var.ids or"),
    Mutation("tape: lets go of what a layer made", "tape", "var.node is None or var.node.reads", "var.node is None"),
    Mutation("tape: lets go under any rule", "engine", 'lean=gate.name == "all" and composite.plain and not layers', "lean=True"),
    Mutation("ids: an index that is written to later", "ids", "if indexed:", "if False:"),
    Mutation("in place: what is read is what is overwritten", "inplace", "fresh.get(id(leaf), leaf)", "leaf"),
    Mutation("constants: count as they are written later", "mode", "tape.constants.keep(leaves[0])", "pass"),
    Mutation("constants: run as in training", "mode", "if name in TRAINED:", "if False:"),
    Mutation("forward: the workspace under autocast", "forward", ' and not torch.is_autocast_enabled("cpu")', ""),
    Mutation("forward, step by step: faint states", "forward_steps", ">= _FAINT", ">= 0.0"),
    Mutation("numbers: subnormal denominators", "numbers", "tiny = torch.finfo(denominator.dtype).tiny", "tiny = 1e-45"),
    Mutation("ids: constants beside ids count as the first word", "ids", "return torch.full_like(leaf, -1)", "return torch.zeros_like(leaf)"),
    Mutation("LSTM: gates i and f swapped", "stretch", "z_i, z_f, z_g, z_o = z.split(size, -1)", "z_f, z_i, z_g, z_o = z.split(size, -1)"),
    Mutation("LSTM: gates i and f swapped, forwards", "stretch", "z_i, z_f, z_g, _ = z.split(", "z_f, z_i, z_g, _ = z.split("),
    Mutation("LSTM: relevance of i and f swapped", "stretch", "(total.b, write.gate), (total.a, keep.gate),", "(total.a, keep.gate), (total.b, write.gate),"),
    Mutation("LSTM: no path from h to h", "stepwise_lstm", "_add(from_above, *self.to_h, now_value, out=now_h)", "_add(from_above, None, None, now_value, out=now_h)"),
    Mutation("LSTM: no path from c to c", "stepwise_lstm", "torch.mul(now_c, keep, out=self.to_c)", "self.to_c.zero_()"),
    Mutation("LSTM: the output gate gets R_c", "stepwise_lstm", "message.mul_(now)", "message.mul_(torch.cat([now_c] * (now.shape[-1] // size), -1))"),
    Mutation("LSTM: nothing comes back from c_n", "stepwise_lstm", "c_thrice += torch.stack(", "c_thrice += 0 * torch.stack("),
    Mutation("LSTM: h taken as positive", "stepwise_lstm", "flatten(0, 1), _stacked(signs)", "flatten(0, 1), _stacked([None if each is None else torch.ones_like(each) for each in signs])"),
    Mutation("LSTM: each stretch by itself", "stepwise_lstm", "weights, signs = self._weights(parts)", "weights, signs = self._weights(parts)\n        self.to_c.zero_()"),
    Mutation("LSTM: kept gates of a direction backwards", "sequence", "return rows.unflatten(0, (self.steps, -1))", "return rows.unflatten(0, (self.steps, -1)).flip(0)"),
    Mutation("LSTM: what the gates' stabilisers take, without that of c", "stretch", "keep.mul_(total.a).addcmul_(write, total.b)", "keep.mul_(total.a)"),
    Mutation("sums: what the stabiliser takes has no sign of its own", "cells", "self.inverse.abs().mul_(relevance), self.epsilon", "(self.inverse * relevance), self.epsilon"),
    Mutation("LSTM: words get nothing of |W|", "signed", "messages[1].mul_(self.first)", "messages[1].zero_()"),
    Mutation("LSTM: words without their weights", "linear", "messages[0].mul_(y).sum(-1)", "messages[0].sum(-1)"),
    Mutation("LSTM: what is booked of the map", "stretch", "given.mul_(self.to_map) if", "given if"),
    Mutation("LSTM: activation of g for its pre-activation", "stretch", "(z_i, z_g)))", "(z_i, z_g.tanh())))"),
    Mutation("LSTM: activation of the gate for its pre-activation", "stretch", "((z_o, c), (z_f, c_before), (z_i, z_g))", "((z_o.sigmoid(), c), (z_f, c_before), (z_i, z_g))"),
    Mutation("LSTM: the projection is skipped", "stepwise_lstm", "side.project.finish()", "pass"),
    Mutation("sums in cells: no stabiliser", "cells", "self.inverse = inverse(stabilise(z, rule.epsilon), rule.epsilon)", "self.inverse = inverse(z, 0.0)"),
    Mutation("sums in cells: parts swapped", "cells", "return a * relevance, b * relevance", "return b * relevance, a * relevance"),
    Mutation("products in cells: stabiliser not booked", "cells", "tally.book(key, relevance * share)", "pass"),
    Mutation("GRU: gates r and z swapped", "stepwise", "z_r, z_z = z_gates.split(size, -1)", "z_z, z_r = z_gates.split(size, -1)"),
    Mutation("GRU: relevance of r and z swapped", "stepwise", "torch.cat([g_r, g_new + g_keep], -1)", "torch.cat([g_new + g_keep, g_r], -1)"),
    Mutation("GRU: 1 − z taken for z", "stepwise", "((-z_z, z_n), (z_z, before), (z_r, m))", "((z_z, z_n), (z_z, before), (z_r, m))"),
    Mutation("GRU: activation of n for its pre-activation", "stepwise", "((-z_z, z_n), (z_z, before), (z_r, m))", "((-z_z, n), (z_z, before), (z_r, m))"),
    Mutation("GRU: no path from h to h through n", "stepwise", "r_h = r_h + state.relevance(r_m, t)", "state.relevance(r_m, t)"),
    Mutation("GRU: the state that is kept gets nothing", "stepwise", "g_keep, r_h = keep(r_keep, t)", "g_keep, r_h = keep(r_keep, t)[0], torch.zeros_like(r_h)"),
    Mutation("RNN: no path from h to h", "stepwise", "back_h = joint.relevance(back_h, t)", "back_h = 0 * joint.relevance(back_h, t)"),
    # other layers
    Mutation("reverse direction read forwards", "sequence", "return data.flip(0) if self.reverse else data", "return data"),
    Mutation("non-linearities: gradient instead of f(x)/x", "pointwise", "return c * torch.where(near, slope, y / x.masked_fill(near, 1.0))", "return c * slope"),
    Mutation("sigmoid as activation: f(0) not booked", "pointwise", 'run.book("bias", self.outputs[0], c * rest)', "pass"),
    Mutation("layer norm: the mean is not subtracted", "normalise", "c - c.mean(self.axes, keepdim=True) if self.axes else c", "c"),
    Mutation("norms: shift not booked", "normalise", 'run.book("bias", y, (self.shift * c).expand(y.shape))', "pass"),
    Mutation("softmax: offset not booked", "attention", 'run.book("bias", y, torch.where(y.c == 0, 0.0, (result.detach() - along) * y.c))', "pass"),
    Mutation("matrix products: everything to both factors", "products", '"half": Split(0.5, 0.5)', '"half": Split(1.0, 1.0)'),
]  # fmt: skip


@dataclass
class Verdict:
    """Whether a mutation was caught, by which test, and how long that took."""

    meaning: str
    caught: bool
    by: str
    seconds: float


class Failures:
    """A pytest plugin that keeps the first failure."""

    def __init__(self) -> None:
        self.first = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failed test."""
        if report.failed and not self.first:
            self.first = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that cannot even be imported."""
        if report.failed and not self.first:
            self.first = report.nodeid


def _tests(folder: Path, files: list[str], answer: multiprocessing.Queue[tuple[bool, str]]) -> None:
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    failures = Failures()
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        code = pytest.main(["-q", "-x", "--tb=no", "-p", "no:cacheprovider", *files], plugins=[failures])
    answer.put((code == 0, failures.first or f"pytest ended with {code}"))


def run_tests(folder: Path, first: str = "rules") -> tuple[bool, str]:
    """Run the fast tests of the engine in a copy, up to the first failure; return whether all passed, and which failed.

    Each run is a fork of this process, which has torch but none of textlrp in memory.
    """
    files = [f"tests/lrp/test_{name}.py" for name in sorted(TESTS, key=lambda name: name != first)]
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue[tuple[bool, str]] = context.Queue()
    child = context.Process(target=_tests, args=(folder, files, answer))
    child.start()
    child.join(timeout=900)
    return answer.get() if child.exitcode == 0 else (False, f"the tests ended with {child.exitcode}")


def copy(folder: Path) -> None:
    """Copy what the tests of the engine need."""
    ignore = shutil.ignore_patterns("__pycache__", ".hypothesis")
    shutil.copytree(ROOT / "textlrp", folder / "textlrp", ignore=ignore)
    shutil.copytree(ROOT / "tests" / "lrp", folder / "tests" / "lrp", ignore=ignore)
    for name in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / name, folder / name)
    with (folder / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(NO_SHRINKING)


def judge(folder: Path, mutation: Mutation) -> Verdict:
    """Apply a mutation to the copy, run the tests, and take it back."""
    path = folder / "textlrp" / "lrp" / f"{mutation.file}.py"
    whole = path.read_text(encoding="utf-8")
    if mutation.old not in whole:
        return Verdict(
            mutation.meaning, False, f"the text is no longer in {mutation.file}.py: bring the mutation up to date", 0.0
        )
    begin = time.monotonic()
    path.write_text(whole.replace(mutation.old, mutation.new), encoding="utf-8")
    try:
        passed, failed = run_tests(folder, FIRST.get(mutation.file, "rules"))
    finally:
        path.write_text(whole, encoding="utf-8")
    return Verdict(mutation.meaning, not passed, "" if passed else failed.removeprefix("tests/lrp/"), time.monotonic() - begin)


def main() -> int:
    """Run all mutations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("--only", default="", help="only the mutations whose meaning contains this")
    options = parser.parse_args()
    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy(folder)
        passed, failed = run_tests(folder)
        if not passed:
            print(f"the tests fail without any mutation: {failed}")
            return 2
        for mutation in MUTATIONS:
            if options.only in mutation.meaning:
                verdicts.append(judge(folder, mutation))
                last = verdicts[-1]
                print(f"{'caught ' if last.caught else 'MISSED '} {last.meaning:55} {last.by}", flush=True)
    missed = [verdict for verdict in verdicts if not verdict.caught]
    print(f"{len(verdicts) - len(missed)} of {len(verdicts)} mutations caught")
    if options.json:
        options.json.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
