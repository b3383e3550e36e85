"""Configurations: what is allowed, what the errors say, and the way to JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from textlrp.errors import InputError, UnknownNameError
from textlrp.models.config import ARCHITECTURES, ModelConfig, make_config

BASE: dict[str, Any] = {"vocabulary_size": 10, "classes": ["bad", "good"]}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_configuration_comes_back_from_json(arch: str) -> None:
    config = make_config(arch, **BASE, hidden=[8, 4], max_tokens=100, temperature=1.5)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("arch", "options", "words"),
    [
        ("lstn", {}, "did you mean 'lstm'"),
        ("lstm", {"unit": 3}, "did you mean 'units'"),
        ("dense", {"units": 3}, "unknown option of the architecture 'dense' 'units'"),
        ("dense", {"pooling": ["last"]}, "unknown pooling 'last'"),
        ("lstm", {"pooling": []}, "pooling must be a list of 1 to 4 of mean, max, root, last"),
        ("lstm", {"pooling": ["max", "max"]}, "names the same twice"),
        ("gru", {"units": 0}, "units must be a whole number from 1 to"),
        ("gru", {"units": True}, "units must be a whole number"),
        ("gru", {"bidirectional": 1}, "bidirectional must be true or false"),
        ("cnn", {"widths": [3, 3]}, "widths names the same width twice"),
        ("cnn", {"dropout": float("nan")}, "dropout must be a number from 0 to 0.95"),
        ("dense", {"classes": ["one"]}, "2 to 10,000 class names"),
        ("dense", {"classes": ["one", "one"]}, "the same name twice"),
        ("dense", {"vocabulary_size": 10**40}, "not a number of more than 30 digits"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(arch: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(")):
        make_config(arch, **{**BASE, **options})


def test_a_missing_option_is_named() -> None:
    with pytest.raises(InputError, match="needs the option 'classes'"):
        make_config("dense", vocabulary_size=3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "vocabulary_size",
    "classes",
    "pooling",
    "hidden",
    "units",
    "widths",
    "dropout",
    "temperature",
    "max_tokens",
    "ngrams",
    "x",
]


@given(
    arch=st.sampled_from(ARCHITECTURES) | json_values, values=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4)
)
@settings(max_examples=60)
def test_any_json_makes_a_configuration_or_a_clear_error(arch: Any, values: dict[str, Any]) -> None:
    try:
        config = ModelConfig.from_dict({"arch": arch, **BASE, **values})
    except (InputError, UnknownNameError) as error:
        said = str(error)
    else:
        said = ""
        assert ModelConfig.from_dict(config.to_dict()) == config
    assert len(said) < 2_000
