"""Small text models of many kinds, each with ids and lengths; what every test of the engine runs over."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

Tensor = torch.Tensor
WORDS, SIZE, UNITS, CLASSES = 30, 6, 5, 3


def mask_of(ids: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(ids.shape[1]) < lengths[:, None]


class Text(nn.Module):
    """Embed, do something with x [B, T, E] and the mask, read out."""

    def __init__(self, width: int, body: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, SIZE)
        for name, part in parts.items():
            self.add_module(name, part)
        self.body = body
        self.out = nn.Linear(width, CLASSES)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x = self.embedding(ids)
        logits: Tensor = self.out(self.body(self, x, mask_of(ids, lengths), lengths))
        return logits


def mean(x: Tensor, mask: Tensor) -> Tensor:
    return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def largest(x: Tensor, mask: Tensor) -> Tensor:
    return x.masked_fill(~mask[..., None], float("-inf")).amax(1)


def last(x: Tensor, lengths: Tensor) -> Tensor:
    return x[torch.arange(len(x)), lengths - 1]


MODELS: dict[str, Callable[[], nn.Module]] = {}


def model(name: str) -> Callable[[Callable[[], nn.Module]], Callable[[], nn.Module]]:
    def add(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        MODELS[name] = make
        return make

    return add


def _head(width: int = SIZE) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, SIZE))


MODELS["dense mean"] = lambda: Text(SIZE, lambda m, x, k, n: m.head(mean(x, k)), head=_head())
MODELS["dense max"] = lambda: Text(SIZE, lambda m, x, k, n: m.head(largest(x, k)), head=_head())
MODELS["dense last"] = lambda: Text(SIZE, lambda m, x, k, n: m.head(last(x, n)), head=_head())
MODELS["gathered last"] = lambda: Text(
    SIZE, lambda m, x, k, n: m.head(x.gather(1, (n - 1)[:, None, None].expand(-1, 1, SIZE)).squeeze(1)), head=_head()
)
MODELS["max over time by values"] = lambda: Text(
    SIZE, lambda m, x, k, n: m.head((x - 1e9 * (~k[..., None]).to(x)).max(1).values), head=_head()
)

for act in (
    nn.ReLU(),
    nn.LeakyReLU(0.1),
    nn.ELU(),
    nn.GELU(),
    nn.SiLU(),
    nn.Tanh(),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.Hardtanh(),
    nn.ReLU(inplace=True),
    nn.PReLU(),
):
    MODELS[f"activation {act}"] = lambda act=act: Text(
        SIZE, lambda m, x, k, n: m.act(m.inner(mean(x, k))), inner=nn.Linear(SIZE, SIZE), act=act
    )


def _conv(*, pool: str = "amax", **options: object) -> nn.Module:
    def body(m: nn.Module, x: Tensor, k: Tensor, n: Tensor) -> Tensor:
        h = m.conv((x * k[..., None]).transpose(1, 2)).relu()
        if pool == "amax":
            return h.amax(2)
        if pool == "adaptive":
            return functional.adaptive_max_pool1d(h, 1).flatten(1)
        if pool == "pooled":
            return functional.max_pool1d(h, 2).mean(2)
        if pool == "average":
            return functional.avg_pool1d(h, 2).amax(2)
        return h.mean(-1)

    return Text(UNITS + 1, body, conv=nn.Conv1d(SIZE, UNITS + 1, 3, **options))  # type: ignore[arg-type]


MODELS["conv"] = _conv
MODELS["conv strided"] = lambda: _conv(padding=2, stride=2, dilation=2, pool="adaptive")
MODELS["conv same"] = lambda: _conv(padding="same", pool="pooled")
MODELS["conv grouped, no bias"] = lambda: _conv(groups=2, bias=False, pool="average")
MODELS["conv circular"] = lambda: _conv(padding=1, padding_mode="circular", pool="mean")


def _recurrent(
    kind: type[nn.RNNBase], *, packed: bool, pool: str, first: bool = True, state: bool = False, **options: object
) -> nn.Module:
    module = kind(SIZE, UNITS, batch_first=first, **options)  # type: ignore[arg-type]
    directions = 2 if module.bidirectional else 1
    width = (module.proj_size or UNITS) * directions

    def body(m: nn.Module, x: Tensor, k: Tensor, n: Tensor) -> Tensor:
        h0 = None
        if state:
            h0 = torch.full((module.num_layers * directions, len(x), module.proj_size or UNITS), 0.3, dtype=x.dtype)
            if kind is nn.LSTM:
                h0 = (h0, torch.full((module.num_layers * directions, len(x), UNITS), -0.2, dtype=x.dtype))
        x = x if first else x.transpose(0, 1)
        if packed:
            data, end = m.rnn(pack_padded_sequence(x, n.cpu(), batch_first=first, enforce_sorted=False), h0)
            y, _ = pad_packed_sequence(data, batch_first=first, total_length=k.shape[1])
        else:
            y, end = m.rnn(x, h0)
        if pool == "cell":
            return torch.cat(list(end[1][-directions:]), -1)
        if pool == "last":
            return torch.cat(list((end[0] if isinstance(end, tuple) else end)[-directions:]), -1)
        y = y if first else y.transpose(0, 1)
        return mean(y, k) if pool == "mean" else largest(y, k)

    return Text(UNITS * directions if pool == "cell" else width, body, rnn=module)


for kind in (nn.LSTM, nn.GRU, nn.RNN):
    for packed in (True, False):
        way = "packed" if packed else "padded"
        for pool in ("last", "mean", "max"):
            MODELS[f"{kind.__name__} {way} {pool}"] = lambda kind=kind, packed=packed, pool=pool: _recurrent(
                kind, packed=packed, pool=pool
            )
            MODELS[f"{kind.__name__} bi {way} {pool}"] = lambda kind=kind, packed=packed, pool=pool: _recurrent(
                kind, packed=packed, pool=pool, bidirectional=True
            )
    MODELS[f"{kind.__name__} deep"] = lambda kind=kind: _recurrent(
        kind, packed=True, pool="last", bidirectional=True, num_layers=3, dropout=0.5
    )
    MODELS[f"{kind.__name__} time first, with state"] = lambda kind=kind: _recurrent(
        kind, packed=False, pool="mean", first=False, state=True, num_layers=2
    )
    MODELS[f"{kind.__name__} packed time first, with state"] = lambda kind=kind: _recurrent(
        kind, packed=True, pool="last", first=False, state=True, bidirectional=True
    )
    MODELS[f"{kind.__name__} no bias"] = lambda kind=kind: _recurrent(kind, packed=True, pool="max", bias=False)
MODELS["RNN relu"] = lambda: _recurrent(nn.RNN, packed=True, pool="mean", nonlinearity="relu", bidirectional=True)
MODELS["LSTM cell state"] = lambda: _recurrent(nn.LSTM, packed=True, pool="cell", bidirectional=True, num_layers=2)
MODELS["LSTM projected"] = lambda: _recurrent(
    nn.LSTM, packed=True, pool="mean", bidirectional=True, num_layers=2, proj_size=3, state=True
)


def _cells(cell: nn.Module, *, keep: str) -> nn.Module:
    def body(m: nn.Module, x: Tensor, k: Tensor, n: Tensor) -> Tensor:
        h = x.new_zeros(len(x), UNITS)
        c = torch.zeros_like(h)
        outs = torch.zeros(len(x), x.shape[1], UNITS, dtype=x.dtype)
        listed = []
        for t in range(x.shape[1]):
            if isinstance(m.cell, nn.LSTMCell):
                h, c = m.cell(x[:, t], (h, c))
            else:
                h = m.cell(x[:, t], h)
            if keep == "assigned":
                outs[:, t] = h
            elif keep == "copied":
                outs.select(1, t).copy_(h)
            else:
                listed.append(h)
        return mean(torch.stack(listed, 1) if listed else outs, k)

    return Text(UNITS, body, cell=cell)


MODELS["LSTMCell loop"] = lambda: _cells(nn.LSTMCell(SIZE, UNITS), keep="stacked")
MODELS["LSTMCell loop, assigned"] = lambda: _cells(nn.LSTMCell(SIZE, UNITS), keep="assigned")
MODELS["GRUCell loop, copied"] = lambda: _cells(nn.GRUCell(SIZE, UNITS), keep="copied")
MODELS["RNNCell loop"] = lambda: _cells(nn.RNNCell(SIZE, UNITS), keep="stacked")


def _by_hand() -> nn.Module:
    def body(m: nn.Module, x: Tensor, k: Tensor, n: Tensor) -> Tensor:
        h = c = x.new_zeros(len(x), UNITS)
        for t in range(x.shape[1]):
            i, f, g, o = (m.read(x[:, t]) + m.again(h)).chunk(4, 1)
            c = torch.sigmoid(f) * c + i.sigmoid() * g.tanh()
            h = torch.sigmoid(o) * torch.tanh(c)
        return h

    return Text(UNITS, body, read=nn.Linear(SIZE, 4 * UNITS), again=nn.Linear(UNITS, 4 * UNITS))


MODELS["LSTM by hand"] = _by_hand
MODELS["batch norm"] = lambda: Text(
    SIZE, lambda m, x, k, n: m.head(m.norm(mean(x, k))), norm=nn.BatchNorm1d(SIZE), head=_head()
)
MODELS["batch norm over time"] = lambda: Text(
    SIZE, lambda m, x, k, n: mean(m.norm(x.transpose(1, 2)).transpose(1, 2), k), norm=nn.BatchNorm1d(SIZE)
)
MODELS["layer norm"] = lambda: Text(SIZE, lambda m, x, k, n: m.head(mean(m.norm(x), k)), norm=nn.LayerNorm(SIZE), head=_head())
MODELS["rms norm"] = lambda: Text(SIZE, lambda m, x, k, n: m.head(mean(m.norm(x), k)), norm=nn.RMSNorm(SIZE), head=_head())
MODELS["dropout"] = lambda: Text(
    SIZE, lambda m, x, k, n: m.head(functional.dropout(m.drop(mean(x, k)))), drop=nn.Dropout(0.5), head=_head()
)
MODELS["residual"] = lambda: Text(SIZE, lambda m, x, k, n: mean(x + m.head(x), k), head=_head())
MODELS["residual in place"] = lambda: Text(SIZE, lambda m, x, k, n: mean(x.clone().add_(m.head(x)).mul_(0.5), k), head=_head())
MODELS["reused"] = lambda: Text(SIZE, lambda m, x, k, n: m.head(m.head(mean(x, k)).tanh()), head=_head())
MODELS["concatenated"] = lambda: Text(2 * SIZE, lambda m, x, k, n: torch.cat([mean(x, k), largest(x, k)], -1))
MODELS["attention pooling"] = lambda: Text(
    SIZE,
    lambda m, x, k, n: (m.score(x).squeeze(-1).masked_fill(~k, float("-inf")).softmax(1).unsqueeze(-1) * x).sum(1),
    score=nn.Linear(SIZE, 1),
)
MODELS["attention pooling by bmm"] = lambda: Text(
    SIZE,
    lambda m, x, k, n: torch.bmm(m.score(x).squeeze(-1).masked_fill(~k, float("-inf")).softmax(1)[:, None], x)[:, 0],
    score=nn.Linear(SIZE, 1),
)
MODELS["highway"] = lambda: Text(
    SIZE,
    lambda m, x, k, n: (lambda g, v: mean(g * m.new(v).tanh() + (1 - g) * v, k))(m.gate(x).sigmoid(), x),
    gate=nn.Linear(SIZE, SIZE),
    new=nn.Linear(SIZE, SIZE),
)
MODELS["attention"] = lambda: Text(
    SIZE,
    lambda m, x, k, n: mean(m.attend(x, x, x, key_padding_mask=~k)[0], k),
    attend=nn.MultiheadAttention(SIZE, 2, batch_first=True),
)
MODELS["attention, no weights"] = lambda: Text(
    SIZE,
    lambda m, x, k, n: mean(m.attend(x, x, x, key_padding_mask=~k, need_weights=False)[0], k),
    attend=nn.MultiheadAttention(SIZE, 2, batch_first=True),
)
MODELS["transformer"] = lambda: Text(
    SIZE,
    lambda m, x, k, n: mean(m.layer(x, src_key_padding_mask=~k), k),
    layer=nn.TransformerEncoderLayer(SIZE, 2, 8, batch_first=True),
)
MODELS["weight norm"] = lambda: Text(
    SIZE, lambda m, x, k, n: m.inner(mean(x, k)).relu(), inner=nn.utils.parametrizations.weight_norm(nn.Linear(SIZE, SIZE))
)
MODELS["log softmax"] = lambda: Text(SIZE, lambda m, x, k, n: functional.log_softmax(m.head(mean(x, k)), -1), head=_head())


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(WORDS, SIZE))
        self.w, self.b = nn.Parameter(torch.randn(UNITS, SIZE)), nn.Parameter(torch.randn(UNITS))
        self.v = nn.Parameter(torch.randn(UNITS, CLASSES))
        self.scale = nn.Parameter(torch.randn(UNITS))

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        x = mean(self.table[ids], mask_of(ids, lengths))
        h = functional.linear(x, self.w, self.b).relu() * self.scale
        return torch.einsum("bh,hc->bc", h, self.v) + h @ self.v


MODELS["functional"] = Functional


class Bag(nn.Module):
    def __init__(self, mode: str, *, flat: bool) -> None:
        super().__init__()
        self.bag, self.flat = nn.EmbeddingBag(WORDS, SIZE, mode=mode, padding_idx=0), flat
        self.head = _head()

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        if self.flat:
            offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)[:-1]])
            return self.head(self.bag(ids[mask_of(ids, lengths)], offsets))
        return self.head(self.bag(ids))


for mode in ("sum", "mean", "max"):
    for flat in (False, True):
        MODELS[f"bag {mode}{' flat' if flat else ''}"] = lambda mode=mode, flat=flat: Bag(mode, flat=flat)


class Ngrams(nn.Module):
    """Pairs of neighbouring ids, hashed; relevance comes back to both words, half each."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(17, SIZE))

    def forward(self, ids: Tensor) -> Tensor:
        return functional.embedding((ids[:, :-1] * 31 + ids[:, 1:]) % 17, self.weight)

    def share_relevance(self, relevance: Tensor, ids: Tensor) -> Tensor:
        return functional.pad(relevance, (0, 1)) / 2 + functional.pad(relevance, (1, 0)) / 2


class Pairs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.pairs = nn.Embedding(WORDS, SIZE), Ngrams()
        self.out = nn.Linear(SIZE, CLASSES)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        mask = mask_of(ids, lengths)
        return self.out(mean(self.words(ids), mask) + (self.pairs(ids) * mask[:, 1:, None]).sum(1))


MODELS["n-grams"] = Pairs

TWO_SIGNALS = {"attention", "attention, no weights", "transformer"}


def batch(seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, WORDS, (4, 9), generator=generator)
    lengths = torch.tensor([5, 9, 2, 7])
    return ids * mask_of(ids, lengths), lengths


def build(name: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    module = MODELS[name]()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2.0)
    return module.to(dtype).eval()
