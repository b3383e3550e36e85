"""Measure the tokeniser and the reading of word vectors on real data, and write reports/text.md.

    python scripts/report_text.py --data-dir FOLDER    # the folder with aclImdb_v1.tar.gz and glove.imdb.100d.txt.gz

Seconds are of the processor, of one core, so that other work on the machine does not count.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from textlrp.files import write_text
from textlrp.text.sources import load_reviews
from textlrp.text.tokens import tokenise, words
from textlrp.text.vectors import coverage, load_vectors
from textlrp.text.vocabulary import Vocabulary

REPORT = Path(__file__).resolve().parents[1] / "reports" / "text.md"
SEED, WORDS, SIZE = 0, 400_000, 100


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what `work` returns, and the seconds of the processor it took."""
    begin = time.process_time()
    result = work()
    return result, time.process_time() - begin


def generated(folder: Path) -> Path:
    """Write a text file of 400,000 vectors of 100 numbers, as large as real ones."""
    rows = np.random.default_rng(SEED).normal(size=(20_000, SIZE))
    figures = [b" ".join(b"%.5f" % number for number in row) for row in rows]
    path = folder / "vectors.txt"
    with open(path, "wb") as handle:
        for number in range(WORDS):
            handle.write(b"word%d %b\n" % (number, figures[number % len(figures)]))
    return path


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    data = parser.parse_args().data_dir
    texts = list(load_reviews("imdb:train", data_dir=data)["text"])
    _, seconds_words = timed(lambda: deque(map(words, texts), maxlen=0))
    _, seconds_tokens = timed(lambda: deque(map(tokenise, texts), maxlen=0))
    counts = Vocabulary.count(texts)
    glove = load_vectors(data / "glove.imdb.100d.txt.gz")
    whole = coverage(glove, counts, most_missing=15)
    plain = coverage(glove, {word: count for word, count in counts.items() if word != "<br />"})
    often = coverage(glove, {word: count for word, count in counts.items() if count >= 2})
    with tempfile.TemporaryDirectory() as name:
        os.environ["TEXTLRP_CACHE"] = name
        path = generated(Path(name))
        _, first = timed(lambda: load_vectors(path))
        _, again = timed(lambda: load_vectors(path))
        megabytes = path.stat().st_size / 1e6
    packages = ", ".join(f"{package} {version(package)}" for package in ("textlrp", "regex", "numpy", "pyarrow", "gensim"))
    missing = ", ".join(f"`{word}` {count:,}" for word, count in whole.missing)
    lines = [
        "# Text: tokens and word vectors",
        "",
        f"Made by `python scripts/report_text.py --data-dir …`; Python {platform.python_version()}, {packages};",
        f"seed {SEED} (generated vectors). Seconds are of the processor, of one core.",
        "",
        "| what | measured |",
        "| --- | --- |",
        f"| `words`, reviews of imdb:train a second | {len(texts) / seconds_words:,.0f} |",
        f"| `tokenise` (with offsets), reviews a second | {len(texts) / seconds_tokens:,.0f} |",
        f"| tokens in the {len(texts):,} reviews | {whole.tokens:,} |",
        f"| different words; seen twice or more | {whole.words:,}; {often.words:,} |",
        f"| running text with a vector in glove.imdb.100d | {whole.text_share:.2%} |",
        f"| the same without the line breaks, which the vectors do not have | {plain.text_share:.2%} |",
        f"| words seen twice or more with a vector | {often.vocabulary_share:.1%} |",
        f"| {WORDS:,} × {SIZE} vectors as text ({megabytes:.0f} MB), first reading | {first:.1f} s |",
        f"| the same, from the cache | {again:.2f} s |",
        "",
        f"Most frequent words without a vector: {missing}.",
        "",
    ]
    write_text(REPORT, "\n".join(lines))
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()
