"""The tables of operations, by name: what relevance does at each. Whatever is in none of them needs a rule, or is an error.

Layers and operations with a function of their own (linear, lstm, softmax, mul…) are in the table `OPERATIONS` of mode.py.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ADDING",
    "ALIASES",
    "ALIGNED",
    "CONSTANTS",
    "COPIES",
    "ELEMENTWISE",
    "FACTORIES",
    "FILLING",
    "GATING",
    "IDENTITIES",
    "LIKE",
    "LOGIC",
    "LOOKUPS",
    "POINTWISE",
    "POOLING",
    "RANDOM",
    "READERS",
    "REDUCING",
    "SELECTIONS",
    "SUMS",
    "WRITES",
    "adds",
]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Each output element is a copy of one input element, or a constant: relevance moves along.
COPIES = _names("""
    __getitem__ _pack_padded_sequence _pad_packed_sequence alias atleast_2d atleast_3d bfloat16 broadcast_to cat
    chunk clone contiguous cpu cuda detach diagonal double expand expand_as flatten flip fliplr flipud float gather
    half hstack index_fill index_put index_select masked_fill masked_scatter masked_select moveaxis movedim narrow
    pad permute ravel repeat repeat_interleave reshape reshape_as roll scatter select select_scatter slice_scatter
    split split_with_sizes squeeze stack swapaxes swapdims t take_along_dim tensor_split tile to transpose tril triu
    type type_as unbind unflatten unfold unsqueeze view view_as vstack where
""")
# Of these only the first argument is copied; another tensor may say the type or the shape.
LIKE = _names("expand_as reshape_as to type_as view_as")
# Each output is a fixed linear combination of inputs, plus constants: relevance in proportion to the summands.
SUMS = _names("""
    adaptive_avg_pool1d add avg_pool1d cumsum diff index_add mean nanmean nansum neg rsub scatter_add sub sum trace
""")
# Each output is one of the inputs, chosen by their values: the winner takes all.
SELECTIONS = _names("""
    adaptive_max_pool1d adaptive_max_pool1d_with_indices amax amin aminmax cummax cummin fmax fmin kthvalue max
    max_pool1d max_pool1d_with_indices maximum median min minimum nan_to_num sort topk
""")
# Functions of each element by itself; parameters (slopes, bounds) may follow: relevance passes.
POINTWISE = _names("""
    abs asinh atan celu clamp clamp_max clamp_min elu erf exp expm1 gelu hardshrink hardsigmoid hardswish hardtanh
    leaky_relu log1p logsigmoid mish pow prelu relu relu6 rrelu selu sigmoid silu sin sinh softplus softshrink softsign
    sqrt square tanh tanhshrink threshold
""")
# Those that make gates; so do softmax, and 1 − gate.
GATING = _names("hardsigmoid sigmoid")
# In evaluation, these do nothing.
IDENTITIES = _names("""
    alpha_dropout alpha_dropout_ dropout dropout1d dropout_ feature_alpha_dropout feature_alpha_dropout_ feature_dropout
    feature_dropout_ native_dropout
""")
# What these make of an activation is a constant, or no tensor.
CONSTANTS = _names("""
    detach_ dim empty_like full_like isinf isnan item new_empty new_full new_ones new_tensor new_zeros numpy ones_like
    rand_like randn_like requires_grad_ retain_grad size stride tolist zeros_like
""")
# These make constants out of nothing: an initial state, if there is a row for each text.
FACTORIES = _names("""
    empty empty_like full full_like new_empty new_full new_ones new_zeros normal ones ones_like rand rand_like randn
    randn_like zeros zeros_like
""")
# These draw random numbers, whose state is restored afterwards.
RANDOM = _names("""
    bernoulli bernoulli_ cauchy_ exponential_ geometric_ gumbel_softmax log_normal_ multinomial normal normal_ poisson
    rand rand_like randint randint_like randn randn_like random_ randperm uniform_
""")
# In-place writes of one tensor's elements into another; any other in-place function is its out-of-place twin, written back.
WRITES = _names("""
    __setitem__ copy_ fill_ index_add_ index_copy_ index_fill_ index_put_ masked_fill_ masked_scatter_ scatter_
    scatter_add_ zero_
""")
ADDING = _names("index_add_ scatter_add_")  # those that add to what is there
# These read ids on purpose; any other operation on ids alone only moves them, or computes indices from them.
READERS = _names("_pack_padded_sequence _pad_packed_sequence embedding embedding_bag")
# What these make of ids is no index.
LOGIC = _names("all any argmax argmin argsort bincount count_nonzero eq ge gt le lt ne sum")
# What these make of ids stands where the ids stood, element by element; a constant may take the place of one.
ELEMENTWISE = _names("""
    __and__ __floordiv__ __invert__ __lshift__ __or__ __rfloordiv__ __rlshift__ __rmod__ __rrshift__ __rshift__ __xor__ abs
    add bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor bucketize byte ceil char clamp
    clamp_max clamp_min div floor floor_divide fmax fmin fmod gcd index_fill int lcm long masked_fill maximum minimum mul neg
    positive pow relu remainder round rsub searchsorted short sign square sub to tril triu trunc type type_as where
""")
# Of a table that is no activation, these read an entry for each id.
LOOKUPS = _names("__getitem__ gather index_select take")
# These may put constants among the activations that are not tensors.
FILLING = _names("""
    _pad_packed_sequence add fmax fmin index_add index_fill masked_fill maximum minimum pad rsub scatter sub where
""")
# The axis of the texts: these leave it (but for broadcasting), take axes away, or work along the last axis.
ALIGNED = _names("""
    add alias bfloat16 broadcast_to clone contiguous cpu cuda cummax cummin cumsum detach diff double expand expand_as
    float fmax fmin half index_fill masked_fill maximum minimum nan_to_num neg rsub sub to tril triu type type_as where
""")
REDUCING = _names("amax amin kthvalue max mean median min nanmean nansum sum")
POOLING = _names("""
    adaptive_avg_pool1d adaptive_max_pool1d adaptive_max_pool1d_with_indices avg_pool1d max_pool1d
    max_pool1d_with_indices
""")
# Different names of one operation.
ALIASES = dict(
    pair.split("=")
    for pair in [
        "__abs__=abs",
        "__add__=add",
        "__iadd__=add_",
        "__iand__=bitwise_and_",
        "__ifloordiv__=floor_divide_",
        "__ilshift__=bitwise_left_shift_",
        "__imod__=remainder_",
        "__imul__=mul_",
        "__ior__=bitwise_or_",
        "__ipow__=pow_",
        "__irshift__=bitwise_right_shift_",
        "__isub__=sub_",
        "__itruediv__=div_",
        "__ixor__=bitwise_xor_",
        "__matmul__=matmul",
        "__mul__=mul",
        "__neg__=neg",
        "__pow__=pow",
        "__radd__=add",
        "__rmul__=mul",
        "__rsub__=rsub",
        "__rtruediv__=rdiv",
        "__sub__=sub",
        "__truediv__=div",
        "arctan=atan",
        "clip=clamp",
        "concat=cat",
        "concatenate=cat",
        "divide=div",
        "log_sigmoid=logsigmoid",
        "mm=matmul",
        "multiply=mul",
        "mv=matmul",
        "negative=neg",
        "subtract=sub",
        "true_divide=div",
    ]
)


def adds(name: str, args: Any, kwargs: Any) -> bool:
    """Tell whether a write, in place or not, adds to what is there.

    >>> adds("index_add_", (), {}), adds("index_put", (0, 0, 0, True), {}), adds("index_put", (0, 0, 0), {})
    (True, True, False)
    """
    if name in ("index_put", "index_put_"):
        return bool(kwargs.get("accumulate", args[3] if len(args) > 3 else False))
    return name in ADDING or (name in ("scatter", "scatter_") and kwargs.get("reduce") == "add")
