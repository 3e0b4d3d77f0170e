"""`riffcompose models` as a user runs it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from riffcomposer.cli.main import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command line with model folders of the test's own; gives exit code, stdout, stderr."""
    monkeypatch.setenv("RIFFCOMPOSER_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["models", *arguments])
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return call


def test_list_shows_fetched_models_and_warns_of_broken_ones(
    run: Any, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    commit = "cd" * 20
    shutil.copytree(tiny_checkpoint, tmp_path / "models" / "org--tiny" / commit)
    broken = tmp_path / "models" / "org--broken" / commit
    broken.mkdir(parents=True)
    code, out, _ = run("list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert f"org/tiny@{commit}" in [model["reference"] for model in listed["models"]]
    assert f"org/broken@{commit}" in [model["reference"] for model in listed["unusable"]]
    code, out, err = run("list")
    assert code == 0
    assert f"org/tiny@{commit}  tiny" in out
    assert "org/broken" in err


def test_info(run: Any, tiny_checkpoint: Path) -> None:
    code, out, _ = run("info", str(tiny_checkpoint), "--json")
    content = json.loads(out)
    assert code == 0
    assert content["profile"]["spectrogram"]["num_frequencies"] == 64
    code, out, _ = run("info", str(tiny_checkpoint))
    assert "latent scale: 8" in out


def test_info_warns_of_a_derived_profile(run: Any, tiny_checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_checkpoint, tmp_path / "bare")
    (tmp_path / "bare" / "riffcomposer.json").unlink()
    code, out, err = run("info", str(tmp_path / "bare"), "--json")
    assert code == 0
    assert json.loads(out)["derived"] is True
    assert "warning:" in err


def test_verify(run: Any, tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert run("verify", str(tiny_checkpoint))[0] == 0
    code, out, _ = run("verify", str(tiny_checkpoint), "--load", "--json")
    assert code == 0
    assert json.loads(out)["parameters"] > 10_000
    shutil.copytree(tiny_checkpoint, tmp_path / "bad")
    (tmp_path / "bad" / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"x")
    code, out, err = run("verify", str(tmp_path / "bad"))
    assert (code, out) == (5, "")
    assert "error:" in err
    assert "truncated" in err


def test_convert(run: Any, tiny_checkpoint: Path, tmp_path: Path) -> None:
    code, out, _ = run("convert", str(tiny_checkpoint), str(tmp_path / "new"), "--json")
    assert code == 0
    assert json.loads(out)["folder"] == str(tmp_path / "new")
    assert run("verify", str(tmp_path / "new"))[0] == 0
    assert run("convert", str(tiny_checkpoint), str(tmp_path / "new"))[0] == 5
    assert run("convert", str(tmp_path / "none"), str(tmp_path / "other"))[0] == 5
    (tmp_path / "one.ckpt").write_bytes(b"x")
    code, _, err = run("convert", str(tmp_path / "one.ckpt"), str(tmp_path / "other"))
    assert code == 5
    assert "--base" in err


def test_a_missing_model_exits_5_with_advice(run: Any) -> None:
    code, _, err = run("verify", "org/name@" + "0" * 40)
    assert code == 5
    assert "riffcompose models fetch" in err


def test_every_command_has_help(run: Any) -> None:
    for command in ("list", "fetch", "verify", "info", "convert"):
        code, out, _ = run(command, "--help")
        assert code == 0
        assert len(out.splitlines()) > 4
