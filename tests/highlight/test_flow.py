"""The flow: a picture from plain numbers, and the numbers of a real network."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

import textlrp
from textlrp.highlight.flow import Flow, FlowLayer, draw
from textlrp.tracing import trace

HOSTILE = "</text><script>alert(1)</script>\x00\ud800\u202e&"
TEXT = "Not a bad film at all, but the plot is dull."


def bars(svg: str) -> list[tuple[float, float]]:
    root = ET.fromstring(svg)
    return [(float(r.attrib["x"]), float(r.attrib["width"])) for r in root.iter() if r.tag.endswith("rect")]


def test_hostile_names_and_words_leave_well_formed_xml_without_elements_of_theirs() -> None:
    layer = FlowLayer(HOSTILE, 1.0, 2.0, 1.0, hidden=((1.0, 2.0),), cell=((0.5, 1.0),))
    root = ET.fromstring(draw(Flow(HOSTILE, 2.0, (layer,), words=(HOSTILE, HOSTILE))))
    assert {each.tag.rsplit("}")[-1] for each in root.iter()} <= {"svg", "style", "text", "rect", "path", "polyline"}


def test_bars_are_as_long_as_their_relevance() -> None:
    drawn = bars(
        draw(Flow("a", 4.0, (FlowLayer("one", 2.0, 4.0, 2.0), FlowLayer("two", 2.0, 2.0, 0.0)), ledger={"words": 2.0}))
    )
    widths = [width for _, width in drawn]
    assert widths[0] == pytest.approx(2 * widths[-1], rel=0.01)
    assert widths[1] == pytest.approx(widths[2], rel=0.01)  # what goes on, and the outline of what stays


def test_negative_relevance_lies_left_of_positive() -> None:
    drawn = bars(draw(Flow("a", 1.0, (FlowLayer("minus", -1.0, -1.0, 0.0),), ledger={"words": 1.0})))
    assert drawn[1][0] + drawn[1][1] <= drawn[0][0] + 0.2


def test_nothing_at_all_is_drawn_too() -> None:
    ET.fromstring(draw(Flow("", 0.0, ())))


def test_drawing_needs_no_torch() -> None:
    code = "import sys, textlrp.highlight.flow; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("model", ["imdb-dense", "imdb-lstm"])
def test_what_layers_absorb_and_the_words_make_up_the_score(model: str) -> None:
    flow = trace(textlrp.load(model), TEXT, target="positive")
    for layer in flow.layers:
        assert layer.relevance_out == pytest.approx(layer.relevance_in + layer.absorbed, abs=1e-4)
    assert sum(flow.ledger.values()) == pytest.approx(flow.score, abs=1e-4)


def test_a_recurrent_layer_has_a_line_of_h_and_c_for_each_direction() -> None:
    flow = trace(textlrp.load("imdb-lstm"), TEXT, target="margin")
    layer = next(each for each in flow.layers if each.hidden)
    assert len(layer.hidden) == len(layer.cell) == 2
    assert {len(line) for line in (*layer.hidden, *layer.cell)} == {len(flow.words)}
    assert draw(flow).count("<polyline") == 4
