"""Findings on a song's LoRA files: at their place in the song, once each, before anything is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lora_files import ATTENTION, KOHYA, kohya, pair, save

from riffcomposer.diagnostics import Diagnostic
from riffcomposer.song.lora_lints import lint_loras
from riffcomposer.song.reader import LoadedSong

Look = Callable[..., list[Diagnostic]]
GOOD = pair(kohya(ATTENTION), (16, 32), 4, names=KOHYA, alpha=4.0)


@pytest.fixture
def look(load: Callable[[str], LoadedSong], tiny_checkpoint: Path) -> Look:
    """The lints of a song with these lines, on the tiny checkpoint unless `model` is another folder."""

    def look(lines: str, model: Path | None = tiny_checkpoint) -> list[Diagnostic]:
        return list(lint_loras(load(lines), model))

    return look


def section(loras: str) -> str:
    return f"sections:\n  - {{prompt: a, bars: 8, lora: [{loras}]}}\n"


def token(found: Diagnostic) -> str:
    return found.source[found.column - 1 : found.end_column - 1]


def test_what_fits_needs_no_word(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "good.safetensors", GOOD)
    assert look(section("good.safetensors")) == []


def test_each_is_said_at_its_own_place(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "good.safetensors", GOOD)
    save(tmp_path / "big.safetensors", pair(kohya(ATTENTION), (32, 32), 4, names=KOHYA))
    save(tmp_path / "part.safetensors", GOOD | pair(kohya("x"), (4, 4), 2, names=KOHYA))
    save(tmp_path / "idle.safetensors", {name: tensor * 0 for name, tensor in GOOD.items()})
    save(tmp_path / "nan.safetensors", {name: tensor * float("nan") for name, tensor in GOOD.items()})
    (tmp_path / "pointer.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    found = look(
        section(
            "good.safetensors, big.safetensors, {path: part.safetensors, weight: 0.5}, idle.safetensors, "
            "nan.safetensors, pointer.safetensors"
        )
    )
    assert [(token(item), item.severity, item.code) for item in found] == [
        ("big.safetensors", "error", "bad-lora"),
        ("part.safetensors", "warning", "lora-in-part"),
        ("idle.safetensors", "warning", "idle-lora"),
        ("nan.safetensors", "error", "bad-lora"),
        ("pointer.safetensors", "error", "bad-lora"),
    ]
    big, part, _, nan, pointer = (item.sentence for item in found)
    assert "32 x 32 there and 16 x 32 here" in big
    assert "2 of 5 tensors are left out, lora_unet_x.lora_down.weight first" in part
    assert f"has NaN in {kohya(ATTENTION)}.lora_down.weight" in nan
    assert "run `git lfs pull`" in pointer
    assert not any(str(tmp_path) in item.sentence for item in found)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_numbers_of_absurd_size_are_named(dtype: torch.dtype, look: Look, tmp_path: Path) -> None:
    up = f"{kohya(ATTENTION)}.lora_up.weight"
    for size, file in ((-99.0, "large"), (-1e4, "huge")):
        tensors = {name: tensor.to(dtype, copy=True) for name, tensor in GOOD.items()}
        tensors[up][3, 1] = size
        save(tmp_path / f"{file}.safetensors", tensors)
    (found,) = look(section("large.safetensors, huge.safetensors"))
    assert (found.severity, found.code, token(found)) == ("warning", "huge-lora", "huge.safetensors")
    assert f"numbers up to 1e+04 in {up}" in found.sentence


def test_a_large_alpha_is_ordinary(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "a.safetensors", pair(kohya(ATTENTION), (16, 32), 4, names=KOHYA, alpha=512.0))
    assert look(section("a.safetensors")) == []


def test_a_file_of_the_defaults_is_said_once(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", {"emb_params": GOOD[f"{kohya(ATTENTION)}.lora_up.weight"]})
    sections = "".join(f"  - {{prompt: p{number}, bars: 8}}\n" for number in range(5))
    found = look(f"defaults: {{lora: [x.safetensors]}}\nsections:\n{sections}")
    assert {(item.line, token(item)) for item in found} == {(1, "x.safetensors")}


def test_without_the_model_the_kind_is_still_named(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", pair("lora_te1_text_model_x", (4, 4), 2, names=KOHYA))
    save(tmp_path / "y.safetensors", pair(kohya("somewhere"), (4, 4), 2, names=KOHYA))
    (found,) = look(section("x.safetensors, y.safetensors"), None)
    assert "made for SDXL" in found.message


def test_a_model_without_weights_is_no_reason_to_refuse(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", GOOD)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    assert look(section("x.safetensors"), tmp_path / "model") == []


def test_names_in_a_file_cannot_reach_the_terminal(look: Look, tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", pair("unet.a\x1b[31m", (4, 4), 2))
    save(tmp_path / "y.safetensors", GOOD | pair("unet.\x1b[2J", (4, 4), 2))
    found = look(section("x.safetensors, y.safetensors"))
    assert [item.code for item in found] == ["bad-lora", "lora-in-part"]
    assert not any("\x1b" in item.message + item.hint for item in found)


def test_a_missing_file_is_left_to_others(look: Look) -> None:
    assert look(section("none.safetensors")) == []


def test_a_song_without_lora_loads_no_numpy() -> None:
    code = (
        "import sys; from pathlib import Path; from riffcomposer.song.reader import parse_song;"
        "from riffcomposer.song.lints import lint; from riffcomposer.loops.catalogue import Catalogue;"
        "song = parse_song(b'sections: [{prompt: a, bars: 8}]', Path('x.yaml'));"
        "assert lint(song, None, Catalogue({}, {})) == []; sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_strength_that_is_noted_beside_the_file_is_named(look: Look, tmp_path: Path) -> None:
    """peft writes `lora_alpha` into a second file, which is no part of the song."""
    for name, config in (
        ("same", {"peft_type": "LORA", "r": 4, "lora_alpha": 4}),
        ("more", {"peft_type": "LORA", "r": 4, "lora_alpha": 16}),
        ("rooted", {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "use_rslora": True}),
        ("broken", None),
    ):
        (tmp_path / name).mkdir()
        save(
            tmp_path / name / "adapter_model.safetensors", pair(f"base_model.model.{ATTENTION}", (16, 32), 4)
        )
        text = "{" if config is None else json.dumps(config)
        (tmp_path / name / "adapter_config.json").write_text(text)
    files = [f"{name}/adapter_model.safetensors" for name in ("same", "more", "rooted", "broken")]
    found = look(section(", ".join(files)))
    assert [(item.code, item.severity, token(item)) for item in found] == [
        ("lora-alpha", "warning", "more/adapter_model.safetensors"),
        ("lora-alpha", "warning", "rooted/adapter_model.safetensors"),
    ]
    assert "lora_alpha of 16 for rank 4" in found[0].sentence
    assert "weight: 4" in found[0].hint
    assert "weight: 2" in found[1].hint
