"""The state of a training on disk: all that is needed to go on to the same result, in one file, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from textlrp.errors import InputError, TrainingError
from textlrp.files import write_bytes
from textlrp.locks import LOCK, give_back, take
from textlrp.strict_json import parse

__all__ = ["StateFile", "alone"]

_STAGES = ("state", "pretraining", "teacher")  # the files that a folder may hold


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep every other training away from a folder of states; TrainingError where one is at work there."""
    lock = take(folder)
    if lock is None:
        raise TrainingError(
            f"another training is writing to {str(folder)!r}; wait for it, end it, or choose another folder with --out"
        )
    try:
        yield
    finally:
        give_back(lock, folder)


class StateFile:
    """The file in `folder` that a training of a certain `identity` writes, and reads when it is started again.

    The identity is a digest of the data, the first weights and the recipe: the state of another training is refused. Stages
    of one training have a file each in the folder, by their `name`.
    """

    def __init__(self, folder: str | os.PathLike[str], *, identity: str, name: str = "state") -> None:
        self.folder, self.identity = Path(folder), identity
        self.path = self.folder / f"{name}.safetensors"
        known = tuple(f"{each}.safetensors" for each in _STAGES)
        left = tuple(f".{each}." for each in known)  # of a run that was killed while it wrote
        if self.folder.is_dir() and any(
            each.name not in (*known, LOCK) and not each.name.startswith(left) for each in self.folder.iterdir()
        ):
            raise InputError(
                f"the folder {str(self.folder)!r} holds something else than the state of a training: choose another"
            )

    def read(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Return the tensors and the record that were written last; None if there are none."""
        from safetensors import SafetensorError, safe_open

        if not self.path.exists():
            return None
        start_anew = f"delete the folder {str(self.folder)!r} to start anew"
        try:
            with safe_open(self.path, framework="pt") as file:
                record = parse((file.metadata() or {}).get("record", "{}"))
                if not isinstance(record, dict) or record.get("identity") != self.identity:
                    raise TrainingError(
                        f"{str(self.path)!r} is the state of another training (other texts, options or seed): {start_anew}"
                    )
                tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError) as error:
            raise TrainingError(f"{str(self.path)!r} cannot be read ({error}): {start_anew}") from None
        return tensors, record

    def write(self, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
        """Write tensors and record in place of what is there; a kill at any moment leaves the old file or the new one."""
        from safetensors.torch import save  # save_file writes beside its file, under a name that a kill would leave here

        text = json.dumps({**record, "identity": self.identity}, allow_nan=False)
        held = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self.path, save(held, metadata={"record": text}))
        except OSError as error:
            raise TrainingError(
                f"the state of the training cannot be written to {str(self.folder)!r} ({error}): "
                "make room there, and run the same command again"
            ) from None
        for left in self.folder.glob(f".{self.path.name}.*.part"):  # of a run that was killed while it wrote
            left.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete the state and its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def pack(model: Mapping[str, Tensor], best: Mapping[str, Tensor], optimiser: Mapping[str, Any]) -> dict[str, Tensor]:
    """Name the tensors of a training for its file: weights, best weights, the optimiser's moments, the random state."""
    tensors = {f"model.{name}": each for name, each in model.items()}
    tensors |= {f"best.{name}": each for name, each in best.items()}
    for index, values in optimiser["state"].items():
        tensors |= {f"optimiser.{index}.{name}": each for name, each in values.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    # safetensors refuses two names for one storage
    return {name: each.detach().clone() for name, each in tensors.items()}


def group(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, without it."""
    return {name[len(prefix) :]: each for name, each in tensors.items() if name.startswith(prefix)}


def optimiser_state(tensors: Mapping[str, Tensor], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the optimiser's state dict of packed tensors."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, each in group(tensors, "optimiser.").items():
        index, _, key = name.partition(".")
        state.setdefault(int(index), {})[key] = each
    return {"state": state, "param_groups": groups}
