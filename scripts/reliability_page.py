"""The page reports/reliability.md and its figure, from the numbers in reports/reliability.json."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

__all__ = ["write"]

Numbers = dict[str, Any]


def write(found: Numbers, folder: Path) -> None:
    """Write the page, with the parts that have been measured."""
    parts = [
        "# Reliability and scale",
        "What `textlrp explain-corpus` costs and withstands, and how far explanations depend on how they are computed. "
        "Every number here was printed by the command named beside it and lies in `reliability.json`; "
        "`python scripts/reliability.py page` makes this page of it.",
        figures(found),
        *(part(found) for part in (corpora, memory, kills, room, agreement, training, fuzz, cost, missing)),
    ]
    if "memory" in found:
        draw(found["memory"], folder / "reliability_memory.png")
    (folder / "reliability.md").write_text("\n\n".join(filter(None, parts)) + "\n", encoding="utf-8")


def figures(found: Numbers) -> str:
    """The figures at a glance."""
    rows = []
    texts = sum(found[name]["texts"] for name in found if name.startswith("corpus "))
    texts += sum(run["texts"] for run in found.get("memory", {}).get("runs", []))
    if texts:
        rows.append(("texts explained for this page", f"{texts:,}"))
    if "kills" in found:
        rows += [("kills survived", f"{found['kills']['kills']}"), ("rows lost", f"{found['kills']['rows_lost']}")]
        rows += [("rows written twice", f"{found['kills']['rows_twice']}")]
    if "fuzz" in found:
        rows.append(("inputs fuzzed", f"{found['fuzz']['inputs']:,}"))
    return table(("figure", ""), rows) if rows else ""


def corpora(found: Numbers) -> str:
    """All 100,000 reviews."""
    runs = [found[name] for name in sorted(found) if name.startswith("corpus ")]
    if not runs:
        return ""
    rows = [
        (
            f"`{run['model']}`",
            f"{run['texts']:,}",
            f"{run['tokens'] / 1e6:.1f} M",
            clock(run["seconds"]),
            f"{run['rate']:,.0f}",
            clock(run["processor_seconds"]),
            f"{run['texts'] / run['processor_seconds']:,.0f}",
            f"{run['predict_processor_rate']:,.0f}",
            f"{run['predict_processor_rate'] / (run['texts'] / run['processor_seconds']):.1f}",
            f"{run['peak_mb']:,.0f}",
            f"{run['bytes'] / 1e6:,.0f}",
            f"{run['rejects']}",
        )
        for run in runs
    ]
    head = (
        "model",
        "texts",
        "tokens",
        "time",
        "texts/s",
        "processor time",
        "texts a processor-second",
        "prediction alone, the same",
        "ratio",
        "memory, MB",
        "shards, MB",
        "rejects",
    )
    return "\n\n".join(
        [
            "## All 100,000 reviews of aclImdb",
            "`imdb:train`, `imdb:test` and `imdb:unsup`, one after the other in one file of JSON lines, explained for the "
            "margin with the default rule into shards that keep the texts, by two workers on two cores. *Time* is the whole "
            "command: starting, loading, reading, tokenising, explaining, writing, syncing; *processor time* that of all its "
            "processes. *Prediction alone* is `predict_proba` (tokenising, network) of every fifth of the same texts in as "
            "many processes at once, after loading; *ratio*: how many times as long an explanation takes. *Memory* is the peak "
            "of all processes together, without mapped files.",
            table(head, rows),
            *(
                f"{run['model']}: `{run['command']}`; {run['machine']}; {run.get('note', 'the machine had other work too')}."
                for run in runs
            ),
        ]
    )


def memory(found: Numbers) -> str:
    """Flat memory."""
    if "memory" not in found:
        return ""
    runs = found["memory"]["runs"]
    rows = [
        (
            f"{run['texts']:,}",
            clock(run["seconds"]),
            f"{run['texts'] / run['seconds']:,.0f}",
            f"{run['peak_mb']:,.0f}",
            f"{run['late_mean_mb']:,.0f}",
        )
        for run in runs
    ]
    return "\n\n".join(
        [
            "## Memory and the number of texts",
            "The corpus again and again through standard input (`--data -`), each review cut after "
            f"{found['memory']['characters']} characters to save time, `{found['memory']['model']}`, two workers. "
            f"Memory is that "
            "of all processes, without mapped files; the second half's mean shows whether it still grows.",
            "![Peak memory against the number of texts](reliability_memory.png)",
            table(("texts", "time", "texts/s", "peak, MB", "mean of the second half, MB"), rows),
            f"`{found['memory']['command']}`; {found['memory']['machine']}; other work ran beside it. "
            + found["memory"].get("note", ""),
        ]
    )


def kills(found: Numbers) -> str:
    """Kills."""
    if "kills" not in found:
        return ""
    run = found["kills"]
    rows = [(f"killed: {name}", f"{count}") for name, count in run["killed"].items()]
    rows += [("kills when shards were there already", f"{run['killed_with_shards_done']}")]
    rows += [
        ("runs that came to their end", f"{run['finished']}"),
        ("of these identical, byte for byte", f"{run['identical']}"),
    ]
    rows += [
        ("rows lost", f"{run['rows_lost']}"),
        ("rows twice", f"{run['rows_twice']}"),
        ("files left over", f"{run['leftovers']}"),
    ]
    return "\n\n".join(
        [
            "## Killed at random moments",
            f"SIGKILL, {run['kills']} times, at moments drawn by chance, to the run, to the run with all its workers, "
            f"or to one "
            f"worker; then the same command again, until it ends. {run['rows']} rows in shards of 8; the end is compared with "
            "an undisturbed run, file by file.",
            table(("", "count"), rows),
            f"`{run['command']}`",
        ]
    )


def room(found: Numbers) -> str:
    """A full disk."""
    if "room" not in found:
        return ""
    run = found["room"]
    return "\n\n".join(
        [
            "## A disk that fills up",
            f"On a file system of 400 kB the run stopped with exit status {run['status']} and {run['kept']} finished "
            f"shards, saying",
            f"> {run['said']}",
            f"After room was made, the same command ended with exit status {run['again']}; its files and those of a run that "
            f"always had room are {'identical' if run['identical'] else 'DIFFERENT'}. `{run['command']}`",
        ]
    )


def agreement(found: Numbers) -> str:
    """The same answer everywhere."""
    if "agreement" not in found:
        return ""
    run = found["agreement"]
    rows = []
    for row in run["rows"]:
        start = (f"`{row['model']}`", row["variation"])
        if "error" in row:
            rows.append((*start, "refused: " + row["error"], "", "", ""))
        else:
            rows.append((*start, *(f"{row[key]:.1e}" for key in ("relevance", "median", "score")), f"{row['predictions']}"))
    return "\n\n".join(
        [
            "## The same answer everywhere",
            f"{run['texts']} reviews of `imdb:train`, explained for the margin with the default rule, against float32, "
            f"one thread, "
            "batches of 64. *Relevance*: the largest difference of a token's relevance as a share of the largest relevance in "
            "its text, over all texts; *median*: that of the median text. The number of worker processes, of Ray or of this "
            "machine, changes no byte (tests/corpus). "
            + (
                ""
                if any(row["variation"] == "GPU" for row in run["rows"])
                else "No GPU was at hand; where one is, it has rows of its own."
            ),
            table(
                ("model", "changed", "relevance, largest", "relevance, median text", "score, largest", "predictions changed"),
                rows,
            ),
            "Stated tolerances, which tests/corpus/test_agreement.py keeps: threads, batches, padding and float64 1e-4 of the "
            "largest relevance in a text (rounding of float32); bfloat16 0.5: it keeps 8 bits of each number, enough for the "
            "prediction, not for the relevance of every word.",
            f"`{run['command']}`; {run['machine']}. {run.get('note', '')}".strip(),
        ]
    )


def training(found: Numbers) -> str:
    """Seeds."""
    if "agreement" not in found:
        return ""
    rows = [
        (each["arch"], yes(each["same_seed_same_weights"]), yes(each["other_seed_same_weights"]))
        for each in found["agreement"]["training"]
    ]
    return "\n\n".join(
        [
            "## The same seed, the same training",
            "Three epochs on the bundled reviews, twice with seed 0 and once with seed 1, on one machine: are all "
            "weights equal, "
            "bit by bit?",
            table(("architecture", "seed 0 and seed 0", "seed 0 and seed 1"), rows),
        ]
    )


def cost(found: Numbers) -> str:
    """A hundred million reviews."""
    runs = [found[name] for name in sorted(found) if name.startswith("corpus ")]
    if not runs:
        return ""
    rows = []
    for run in runs:
        core = run["texts"] / run["processor_seconds"]
        hours = 1e8 / core / 3600
        size = run["bytes"] / run["texts"] * 1e8 / 1e12
        days = [f"{hours / n / 24:.2g}" for n in (2, 16, 100, 1000)]
        rows.append((f"`{run['model']}`", f"{core:,.0f}", f"{hours:,.0f}", *days, f"{size:.2f}"))
    head = ("model", "texts a core-second", "core-hours", "days on 2 cores", "on 16", "on 100", "on 1,000", "shards, TB")
    return "\n\n".join(
        [
            "## What 100 million reviews cost",
            "Core-hours = 10⁸ / (texts a processor-second, measured above) / 3,600; days on N cores = core-hours / N / 24: one "
            "worker keeps one core busy, shards are independent, and the caller only cuts the stream and keeps the journal.",
            table(head, rows),
        ]
    )


def fuzz(found: Numbers) -> str:
    """Inputs fuzzed, as scripts/fuzz.py says it."""
    return found["fuzz"]["section"].strip().replace("### ", "## ", 1) if "fuzz" in found else ""


def missing(found: Numbers) -> str:
    """What has not been measured for this version of the page."""
    names = [name for name in ("memory", "kills", "room", "agreement") if name not in found]
    if not names:
        return ""
    commands = ", ".join(f"`python scripts/reliability.py {name}`" for name in names)
    return (
        f"## Not measured for this page\n\n{commands}: the short versions of these run in tests/corpus (kills at three "
        "moments, a disk that fills up, a worker that dies); their long versions have not been run to their end yet."
    )


def table(head: tuple[str, ...], rows: list[Any]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def yes(value: bool) -> str:
    """Yes or no."""
    return "yes" if value else "no"


def draw(run: Numbers, path: Path) -> None:
    """Draw peak memory against the number of texts."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.2), dpi=120)
    sizes = [each["texts"] for each in run["runs"]]
    axes.plot(sizes, [each["peak_mb"] for each in run["runs"]], marker="o", label="peak")
    axes.plot(sizes, [each["late_mean_mb"] for each in run["runs"]], marker="s", label="mean of the second half")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.15 * max(each["peak_mb"] for each in run["runs"]))
    axes.set_xlabel("texts")
    axes.set_ylabel("memory of all processes, MB")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)
    assert math.isfinite(axes.get_ylim()[1])
