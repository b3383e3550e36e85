"""What a class is called on the command line, and how many of its words are listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from textlrp.cli import _textlrp
from textlrp.models import checkpoint
from textlrp.models.build import build
from textlrp.models.config import make_config
from textlrp.text.vocabulary import Vocabulary

REVIEW = "a good film with one fine cast but dull plot"


@pytest.fixture(scope="module")
def stars(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A checkpoint whose classes are called by numbers that are not their own."""
    folder = tmp_path_factory.mktemp("stars") / "m"
    config = make_config("dense", vocabulary_size=12, classes=("1", "2", "4", "5"), embedding_dim=4)
    checkpoint.save(folder, build(config), config, Vocabulary(REVIEW.split()))
    return str(folder)


def output(*arguments: str) -> str:
    done = CliRunner().invoke(_textlrp, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("target", ["1", "5"])
def test_a_number_that_is_the_name_of_a_class_means_that_class(target: str, stars: str) -> None:
    assert json.loads(output("explain", REVIEW, "--model", stars, "--target", target, "--json", "-"))["target"] == target
    compared = output("compare", REVIEW, "--model", stars, "--target", target, "--methods", "occlusion", "--json", "-")
    assert json.loads(compared)["target"] == target


@pytest.mark.parametrize(("form", "mark"), [("--markdown", "film"), ("--latex", "film"), ("--svg", "film"), ("--html", "film")])
def test_the_number_of_words_that_one_asks_for_is_that_of_every_form(form: str, mark: str, stars: str, tmp_path: Path) -> None:
    none, all_words = (output("explain", REVIEW, "--model", stars, form, "-", "--top", top).count(mark) for top in ("0", "20"))
    assert none < all_words
