"""Nothing that textlrp or its scripts read can run code: no pickle in any disguise, no eval, no unpacking to disk."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(path for part in ("textlrp", "scripts") for path in (ROOT / part).rglob("*.py"))

#: Modules whose readers run what a file tells them.
MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "dill",
    "joblib",
    "cloudpickle",
    "marshal",
    "shelve",
    "yaml",
    "jsonpickle",
    "pickletools",
}
#: Built-in functions that run text.
BUILTINS = {"eval", "exec", "compile", "__import__"}
#: Functions of libraries that unpickle, run a shell, or unpack an archive wherever it says.
CALLS = {
    *("torch.load", "torch.jit.load", "torch.hub.load", "KeyedVectors.load", "Word2Vec.load", "FastText.load", "SaveLoad.load"),
    *("pandas.read_pickle", "pd.read_pickle", "joblib.load", "os.system", "os.popen", "numpy.lib.format.read_array"),
}
METHODS = {"extractall", "extract", "unpack_archive", "read_pickle", "to_pickle", "unpickle"}
#: Arguments that open a door, with the only value they may have.
ARGUMENTS = {"allow_pickle": False, "weights_only": True, "trust_remote_code": False, "shell": False}


def doors(tree: ast.AST) -> list[str]:
    """What in a module could run code that a file brings along."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            safe = {each.arg for each in node.keywords if each.arg == "weights_only"}
            if name in BUILTINS or (name in CALLS and not safe) or name.rpartition(".")[2] in METHODS:
                found.append(name)
            for each in node.keywords:
                if each.arg in ARGUMENTS and not (
                    isinstance(each.value, ast.Constant) and each.value.value is ARGUMENTS[each.arg]
                ):
                    found.append(f"{name}({ast.unparse(each)})")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_unpickled_and_no_text_is_run(path: Path) -> None:
    assert doors(ast.parse(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import joblib as j",
        "from dill import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "eval(text)",
        "exec(text)",
        "KeyedVectors.load(path)",
        "archive.extractall(folder)",
        "subprocess.run(text, shell=True)",
        "pandas.read_pickle(path)",
        "datasets.load_dataset(name, trust_remote_code=True)",
    ],
)
def test_each_door_would_be_seen(code: str) -> None:
    assert doors(ast.parse(code))


@pytest.mark.parametrize(
    "code", ["module.eval()", "np.load(path, allow_pickle=False)", "re.compile(text)", "torch.load(path, weights_only=True)"]
)
def test_what_is_safe_is_let_through(code: str) -> None:
    assert not doors(ast.parse(code))
