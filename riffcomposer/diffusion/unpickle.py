"""Child process: reads pickled weights with torch's restricted unpickler and writes safetensors.

    python -m riffcomposer.diffusion.unpickle SOURCE TARGET [SOURCE TARGET ...]

It runs in a process of its own, so that a hostile file cannot reach the caller. A file that the restricted
unpickler refuses ends the process with exit code 3 and one line of text.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file


def convert_file(source: Path, target: Path) -> int:
    """Converts one file. Returns how many tensors it held.

    Raises:
        ValueError: The file is not a table of tensors.
    """
    content = torch.load(source, map_location="cpu", weights_only=True)
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping):
        raise ValueError(f"it holds a {type(content).__name__}, not a table of tensors")
    # Tensors that share memory are refused by safetensors, so each gets its own.
    tensors = {str(name): value.clone() for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise ValueError("it holds no tensors")
    save_file(
        {name: value.contiguous() for name, value in tensors.items()}, target, metadata={"format": "pt"}
    )
    return len(tensors)


def reason_of(error: Exception) -> str:
    """Says why a file was refused, without torch's advice to open it in a way that can run code."""
    text = " ".join(str(error).split())
    if name := re.search(r"GLOBAL ([\w.]+)", text):
        return f"it holds more than tensors ({name[1][:100]}), which could run code; get it as .safetensors"
    if isinstance(error, EOFError) or "zip archive" in text:
        return "it is truncated or damaged; fetch it again"
    if isinstance(error, pickle.UnpicklingError):
        return "it is damaged, or holds more than tensors; get it as .safetensors"
    return text[:300] or repr(error)


def main() -> None:
    """Converts the pairs of paths given as arguments."""
    paths = [Path(argument) for argument in sys.argv[1:]]
    for source, target in zip(paths[::2], paths[1::2], strict=True):
        try:
            convert_file(source, target)
        except (pickle.UnpicklingError, ValueError, RuntimeError, OSError, EOFError, KeyError) as error:
            sys.stderr.write(f"{source}: {reason_of(error)}")
            sys.exit(3)


if __name__ == "__main__":
    main()
