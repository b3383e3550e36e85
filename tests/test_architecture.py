"""Imports go downwards, files stay small, light parts stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import textlrp

ROOT = Path(__file__).resolve().parent.parent / "textlrp"
FILES = sorted(ROOT.rglob("*.py"))

#: From the bottom to the top: a part imports from its own row's part and from rows before it.
LAYERS = (
    {"errors"},
    {"files", "finite", "garbage", "locks", "memory", "palette", "progress", "resources", "strict_json"},
    {"lrp"},
    {"text"},
    {"models"},
    {"explanation", "explanation_json"},
    {"highlight"},
    {"ranking"},
    {"training"},
    {"encoding", "targets", "estimator"},
    {"explaining"},
    {"classifier"},
    {"evaluation"},
    {"baselines"},
    {"comparison", "compare"},
    {"tracing"},
    {"faithfulness"},
    {"documents"},
    {"corpus"},
    {"audit", "report"},
    {"server"},
    {"cli", "__main__"},
)
RANK = {part: i for i, parts in enumerate(LAYERS) for part in parts}
#: An Explanation shows itself (`to_html`) by what draws it: the one way up, taken when it is called.
UPWARDS = {("explanation", "highlight"), ("explanation", "explanation_json")}
LRP_KNOWS = {"lrp", "errors"}


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [each for each in tree.body if not (isinstance(each, ast.If) and ast.unparse(each.test) == "TYPE_CHECKING")]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "textlrp":
                found |= {alias.name for alias in node.names if alias.name in RANK}
            elif node.module and node.module.startswith("textlrp."):
                found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("textlrp.")}
    return found


@pytest.mark.parametrize(
    "path", [f for f in FILES if f.parent != ROOT or f.name != "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_go_downwards(path: Path) -> None:
    own = part(path)
    above = {each for each in imports(path) if RANK[each] > RANK[own] and (own, each) not in UPWARDS}
    assert not above, f"{own} imports {above}"


@pytest.mark.parametrize("path", sorted((ROOT / "lrp").rglob("*.py")), ids=lambda p: p.name)
def test_the_engine_knows_nothing_else_of_textlrp(path: Path) -> None:
    assert imports(path) <= LRP_KNOWS


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_file_is_longer_than_300_lines(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_is_pickled(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "import pickle" not in text
    assert "torch.load(" not in text
    assert "allow_pickle=True" not in text


@pytest.mark.parametrize(
    "name", ["textlrp.explanation", "textlrp.ranking", "textlrp.highlight.html", "textlrp.highlight.terminal"]
)
def test_what_draws_needs_no_torch(name: str) -> None:
    code = f"import sys, {name}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_public_name_is_hidden_by_a_module_of_that_name() -> None:
    modules = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {name for name in textlrp.__all__ if name in modules} == {"errors", "lrp"}
