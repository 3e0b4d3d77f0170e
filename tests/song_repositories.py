"""Git repositories with songs, and what `riffcompose diff` says about them."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from planned_songs import section, song

from riffcomposer.cli.main import main


def _picture() -> bytes:
    """A spectrogram image of noise, as a file's bytes."""
    content = io.BytesIO()
    grey = np.random.default_rng(1).integers(0, 256, (512, 512), np.uint8)
    Image.fromarray(grey).save(content, "PNG")
    return content.getvalue()


PNG = _picture()


def git(*arguments: str, folder: Path | None = None) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    allowed = ["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *identity, *allowed, *arguments], check=True, capture_output=True, text=True, cwd=folder
    )
    return done.stdout.strip()


def text(prompt: str = "slow keys", **fields: Any) -> str:
    """A song that names no folder model, so that it can be moved."""
    more = section("a", clips=2, prompt=prompt, **fields)
    return json.dumps({"model": "./model", **song(more)}, indent=1)


def commit(*files: tuple[str, str | bytes]) -> None:
    for name, content in files:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", "a version")


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["diff", *arguments])
    return int(stop.value.code or 0)


def changed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What is said to have changed."""
    code = run(*arguments, "--json")
    out, error = capsys.readouterr()
    assert code == 0, error
    return json.loads(out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Why there is no answer: one line on stderr."""
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def to_render(found: dict[str, Any]) -> int:
    assert found["clips"] is not None, found["clips_unknown"]
    return sum(part["to_render"] for part in found["clips"])


def pointer(content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n"
