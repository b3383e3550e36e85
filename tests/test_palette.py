"""Figures are read by every eye."""

from __future__ import annotations

import json

import pytest

from textlrp.palette import COLOURS, MARKERS, mark


def test_no_two_series_of_twelve_share_a_marker_and_none_is_told_by_its_colour_alone() -> None:
    drawn = [mark(number) for number in range(24)]
    assert len({each["marker"] for each in drawn[: len(MARKERS)]}) == len(MARKERS) == 12
    assert len({json.dumps(each) for each in drawn}) == 24


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_stands_out_from_white(colour: str) -> None:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 2.0
