"""What an explanation costs, as ratios within one run: medians and quartiles, for sizes that grow.

    python scripts/bench.py                                    # all sections, printed
    python scripts/bench.py --sections networks texts --quick  # some, small: whether they run, not how fast
    python scripts/bench.py --write reports/performance.md     # and the numbers beside it as JSON, and the plot

Every function of a comparison runs once a turn; the ratio is taken turn by turn. With --write, sections that are measured
replace those in the JSON file; the others stay as they were, each with its own machine and date.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from bench_engine import gpu, ledger, memory, networks, rules, shares, sizes
from bench_report import machine, page, plot, table
from bench_timing import CLOCKS, Row, choose_clock
from bench_whole import alternatives, one, peers, texts

from textlrp.files import write_json, write_text
from textlrp.memory import keep_freed_memory

SECTIONS: dict[str, Callable[..., list[Row]]] = {
    each.__name__: each for each in (networks, sizes, texts, one, peers, alternatives, rules, ledger, memory, shares, gpu)
}


def main(arguments: Sequence[str] | None = None) -> dict[str, list[Row]]:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sections", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), metavar="S", help=", ".join(SECTIONS)
    )
    parser.add_argument("--repeats", type=int, default=9, help="turns that count")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: the time that the process worked itself")
    parser.add_argument("--quick", action="store_true", help="smallest sizes, two turns: shows that the bench runs")
    parser.add_argument(
        "--give-back", action="store_true", help="let the C library give freed memory back, as it does by itself"
    )
    parser.add_argument("--write", type=Path, metavar="F", help="write the report, F.json beside it, and the plot")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    choose_clock(options.clock)
    kept_memory = not options.give_back and keep_freed_memory()
    repeats = 2 if options.quick else options.repeats
    measured: dict[str, list[Row]] = {}
    kept: dict[str, Any] = {}
    if options.write is not None and options.write.with_suffix(".json").is_file():
        kept = json.loads(options.write.with_suffix(".json").read_text("utf-8"))
        if set(options.sections) == set(SECTIONS):
            kept = {}  # all is measured anew, and a note on the old numbers goes with them
    where = machine(options.threads) + ("; time that the process worked itself" if options.clock == "cpu" else "")
    where += "; freed memory kept" if kept_memory else ""
    print(where)
    for name in options.sections:
        measured[name] = SECTIONS[name](quick=options.quick, repeats=repeats)
        print(f"\n## {name}: {SECTIONS[name].__doc__}\n\n{table(measured[name])}", flush=True)
        how = f"--threads {options.threads} --clock {options.clock} --repeats {repeats}" + " --quick" * options.quick
        how += " --give-back" * options.give_back
        kept[name] = {"machine": where, "options": how, "repeats": repeats, "rows": [each.to_dict() for each in measured[name]]}
        if options.write is not None:  # after every section, so that an interruption loses one
            write_json(options.write.with_suffix(".json"), kept)
            titles = {section: each.__doc__ or "" for section, each in SECTIONS.items()}
            write_text(options.write, page(kept, titles, name=options.write.stem))
            plot(kept, options.write)
    return measured


if __name__ == "__main__":
    main()
