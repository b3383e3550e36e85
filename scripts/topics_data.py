"""Write a data set of documents on ten subjects: the prose of the documentation of installed packages, one row a function.

    python scripts/topics_data.py --out build/topics       # train.csv and test.csv: text, label, id

The subject of a document is that of its package (scipy.stats: statistics, networkx: graphs, …). Examples, signatures, headings
and names of packages are left out, so that words have to tell. All methods of one class, and all functions of one
name, lie in the same part, a fifth of them in the test part; which, a hash of the name decides. The texts belong to those
packages: they are read where they are installed, and nothing of them ships with textlrp. Needs what the tests install.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import importlib
import inspect
import io
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from textlrp.files import write_text

SUBJECTS = {
    "graphs": ["networkx"],
    "images": ["skimage", "scipy.ndimage"],
    "learning": ["sklearn"],
    "linear algebra": ["scipy.linalg", "scipy.sparse", "numpy.linalg"],
    "optimisation": ["scipy.optimize"],
    "plots": ["matplotlib", "mpl_toolkits"],
    "signals": ["scipy.signal", "scipy.fft"],
    "special functions": ["scipy.special", "mpmath"],
    "statistics": ["scipy.stats"],
    "tables": ["pandas"],
}
SKIPPED = re.compile(r"test|conftest|backends|benchmark|externals|_lib\b|\bthis\b|__main__")
NAMES = "networkx|nx|scikit-image|skimage|scikit-learn|sklearn|scipy|numpy|np|matplotlib|mpl|pyplot|plt|pandas|pd|mpmath|mp"
SHORTEST, LONGEST, MOST = 20, 250, 900  # words of a document; documents of a subject


def main() -> None:
    """Write both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("build/topics"))
    options = parser.parse_args()
    parts: dict[str, list[tuple[str, str, str]]] = {"train": [], "test": []}
    seen: set[str] = set()
    for subject, packages in SUBJECTS.items():
        found = []
        for package in packages:
            for name, text in documents(package):
                prose = cleaned(text)
                if len(prose.split()) >= SHORTEST and prose[:120] not in seen:
                    seen.add(prose[:120])
                    found.append((name, " ".join(prose.split()[:LONGEST])))
        found.sort(key=lambda each: digest(each[0]))
        for name, text in found[:MOST]:
            group = ".".join(name.split(".")[:2]).lower()  # a class with its methods, or one function
            parts["test" if digest(group) % 5 == 0 else "train"].append((text, subject, name))
    options.out.mkdir(parents=True, exist_ok=True)
    for part, rows in parts.items():
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("text", "label", "id"))
        writer.writerows(sorted(rows, key=lambda row: digest(row[2])))
        write_text(options.out / f"{part}.csv", out.getvalue())
        print(f"{options.out / part}.csv: {len(rows):,} documents, {len({row[1] for row in rows})} subjects")


def digest(name: str) -> int:
    """Return a number that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def documents(package: str) -> Iterator[tuple[str, str]]:
    """Yield (top-level package.object.member, docstring) of every public function, class and method, once."""
    top = package.split(".")[0]
    known: set[str] = set()
    for module in modules(package):
        for name, thing in sorted(vars(module).items()):
            if name.startswith("_"):
                continue
            members = [(name, thing)]
            if inspect.isclass(thing):
                members += [(f"{name}.{each}", inner) for each, inner in sorted(vars(thing).items()) if each[0] != "_"]
            for full, member in members:
                home = str(getattr(member, "__module__", None) or module.__name__)
                if not home.startswith(top) or not (callable(member) or isinstance(member, property)):
                    continue
                text = inspect.getdoc(member)
                if text and full not in known:
                    known.add(full)
                    yield f"{top}.{full}", text


def modules(package: str) -> Iterator[ModuleType]:
    """Import a package and what lies below it, except tests."""
    root = importlib.import_module(package)
    yield root
    for each in pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}.", onerror=lambda name: None):
        if not SKIPPED.search(each.name):
            with contextlib.suppress(Exception), contextlib.redirect_stdout(sys.stderr):
                yield importlib.import_module(each.name)


def cleaned(text: str) -> str:
    """Return the sentences of a docstring.

    >>> cleaned("Sort the rows.\\n\\nExamples\\n--------\\n>>> np.sort(x)\\narray([1])\\n")
    'Sort the rows.'
    """
    text = re.split(r"\n(?:Examples?|References|See Also|Other Parameters)\n-{3,}", text)[0]
    kept = [line for line in text.splitlines() if not re.match(r"\s*(>>>|\.\.\. |\.\. |[-=~^]{3,}\s*$|\w[\w, *]* : )", line)]
    kept = [line for line in kept if line.strip() not in ("Parameters", "Returns", "Raises", "Notes", "Yields", "Attributes")]
    prose = re.sub(r":\w+:`~?[^`<]*<?([^`>]*)>?`", r"\1", "\n".join(kept))  # roles of Sphinx
    prose = re.sub(rf"\b(?:{NAMES})\b[.\w]*", " ", prose, flags=re.IGNORECASE)
    prose = re.sub(r"[`*|_\\{}$^]+", " ", prose)
    return re.sub(r"\s+", " ", prose).strip()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
