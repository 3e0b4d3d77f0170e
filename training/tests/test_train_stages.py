"""The recipe at toy size: every stage, resumed after a kill, to a folder that the engine can load."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from riffcomposer.checkpoints.profile import read_profile, write_profile
from riffcomposer.errors import ModelError, UsageError
from riffcomposer_training import averaged
from riffcomposer_training.run import run_stages, with_shares
from riffcomposer_training.schedule import load_checkpoint, save_checkpoint
from riffcomposer_training.stages import STAGES, Run
from riffcomposer_training.start_from import start_unet
from riffcomposer_training.text_states import load_encoder, pack_encoder
from riffcomposer_training.training_settings import SETTINGS

TOY = replace(
    SETTINGS["toy"], shares={"data": 1.0, "autoencoder": 1.0, "diffusion": 1.0, "distillation": 1.0}
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_clips: Path, tiny_encoder: Path) -> Run:
    """A run through every stage that needs no sound fonts, a second or so for each."""
    out = tmp_path_factory.mktemp("run")
    inputs = tmp_path_factory.mktemp("inputs")
    pack_encoder(tiny_encoder, inputs / "text_encoder")
    run = Run(TOY, out, 1.0, tiny_clips, inputs, "cpu")
    run_stages(run, ["autoencoder", "latents", "diffusion", "distillation", "export"])
    return run


def test_train_stages_make_a_folder_that_loads(finished: Run) -> None:
    from riffcomposer.checkpoints.locate import locate_model
    from riffcomposer.diffusion.loading import load_checkpoint as load_model

    folder = finished.out / "model"
    located = locate_model(str(folder))
    assert located.profile.prediction == "flow"
    assert located.profile.guidance_embedding
    assert located.profile.num_inference_steps == 6
    assert located.profile.default_init == "score"
    checkpoint = load_model(located, device="cpu")
    assert checkpoint.latent_channels == TOY.latent_channels
    assert all(torch.isfinite(weights).all() for weights in checkpoint.unet.parameters())


def test_train_stages_are_skipped_once_done(finished: Run) -> None:
    before = (finished.out / "diffusion.pt").stat().st_mtime_ns
    run_stages(finished, ["diffusion", "export"])
    assert (finished.out / "diffusion.pt").stat().st_mtime_ns == before


def test_train_diffusion_goes_on_after_a_kill(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(finished, out=tmp_path, budget_seconds=1.0)
    for name in ("autoencoder.pt",):
        (tmp_path / name).write_bytes((finished.out / name).read_bytes())
    run_stages(run, ["latents"])

    class Killed(Exception):
        pass

    saves: list[Path] = []

    def save_and_die(path: Path, state: dict[str, object]) -> None:
        save_checkpoint(path, state)
        saves.append(path)
        raise Killed

    monkeypatch.setattr(averaged, "save_checkpoint", save_and_die)
    with pytest.raises(Killed):
        run_stages(run, ["diffusion"])
    monkeypatch.undo()
    halfway = load_checkpoint(tmp_path / "diffusion_state.pt")
    assert halfway is not None
    assert halfway["step"] > 0
    assert not (tmp_path / "diffusion.pt").exists()

    budget = halfway["used_seconds"] + 1.0
    run_stages(replace(run, budget_seconds=budget), ["diffusion"])
    finished_state = load_checkpoint(tmp_path / "diffusion_state.pt")
    assert finished_state is not None
    assert finished_state["step"] > halfway["step"]
    assert finished_state["used_seconds"] >= budget
    assert finished_state["series"][: len(halfway["series"])] == halfway["series"]


def test_train_export_records_the_hash_of_every_file(finished: Run) -> None:
    profile = json.loads((finished.out / "model" / "riffcomposer.json").read_text())
    present = {
        path.relative_to(finished.out / "model").as_posix()
        for path in (finished.out / "model").rglob("*")
        if path.is_file()
    }
    assert present - set(profile["files"]) == {"riffcomposer.json"}


def test_train_stage_without_its_input_says_what_to_run(tmp_path: Path) -> None:
    run = Run(TOY, tmp_path, 1.0, tmp_path / "clips", tmp_path / "inputs", "cpu")
    with pytest.raises(ModelError, match="run the data stage first"):
        run_stages(run, ["autoencoder"])
    with pytest.raises(ModelError, match="run the autoencoder stage first"):
        run_stages(run, ["latents"])
    for name, stage in STAGES.items():
        if stage.needs:
            with pytest.raises(
                ModelError, match=rf"the {name} stage needs it; run the {stage.needs[0]} stage"
            ):
                run_stages(run, [name])


def test_train_stages_come_after_those_that_they_need() -> None:
    order = list(STAGES)
    for name, stage in STAGES.items():
        assert all(order.index(need) < order.index(name) for need in stage.needs), name


def test_train_packed_encoder_speaks_like_the_original(tiny_encoder: Path, tmp_path: Path) -> None:
    from riffcomposer_training.text_states import caption_states

    pack_encoder(tiny_encoder, tmp_path / "packed")
    packed = caption_states(*load_encoder(tmp_path / "packed"), ["jazz piano", "church bells"])
    exact = caption_states(*load_encoder(tiny_encoder), ["jazz piano", "church bells"])
    assert packed.shape == (2, 32, 384)
    cosine = torch.cosine_similarity(packed.float(), exact.float(), dim=-1)
    assert float(cosine[:, :4].mean()) > 0.995


def test_train_goes_on_from_an_exported_folder(finished: Run, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    for name in ("autoencoder.pt", "diffusion.pt"):
        (teacher / name).write_bytes((finished.out / name).read_bytes())
    run_stages(replace(finished, out=teacher), ["export"])
    first = load_checkpoint(teacher / "diffusion.pt")
    assert first is not None

    on = replace(finished, out=tmp_path / "on", start_from=teacher / "model")
    run_stages(on, ["autoencoder", "latents", "diffusion"])
    second, taken = load_checkpoint(on.out / "diffusion.pt"), load_checkpoint(on.out / "autoencoder.pt")
    original = load_checkpoint(teacher / "autoencoder.pt")
    assert second is not None
    assert taken is not None
    assert original is not None
    for name, weights in original["network"].items():
        torch.testing.assert_close(taken["network"][name], weights, atol=1e-3, rtol=1e-3)
    ratio = taken["deviations"] / original["deviations"]
    torch.testing.assert_close(ratio / ratio.mean(), torch.ones_like(ratio), atol=0.02, rtol=0)
    assert second["samples"] == first["samples"] + TOY.batch * second["steps"]
    moved = sum(float((second["network"][name] - first["network"][name]).norm()) for name in first["network"])
    size = sum(float(weights.norm()) for weights in first["network"].values())
    assert 0 < moved < 0.5 * size


def test_train_a_decoder_is_trained_on_and_its_encoder_kept(finished: Run, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    for name in ("autoencoder.pt", "diffusion.pt"):
        (teacher / name).write_bytes((finished.out / name).read_bytes())
    run_stages(replace(finished, out=teacher), ["export"])
    on = replace(finished, out=tmp_path / "on", start_from=teacher / "model")
    run_stages(replace(on, budget_seconds=1e-9), ["autoencoder"])
    plain = load_checkpoint(on.out / "autoencoder.pt")
    run_stages(replace(on, budget_seconds=8.0), ["autoencoder"], again=True)
    trained = load_checkpoint(on.out / "autoencoder.pt")
    assert plain is not None
    assert trained is not None
    assert trained["figures"][1] < plain["figures"][1]
    for name, weights in plain["network"].items():
        assert torch.equal(weights, trained["network"][name]) == name.startswith("encoder."), name


def test_train_a_unet_that_is_shown_no_start_learns_to_see_it(finished: Run, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher"
    teacher.mkdir()
    for name in ("autoencoder.pt", "diffusion.pt"):
        (teacher / name).write_bytes((finished.out / name).read_bytes())
    run_stages(replace(finished, out=teacher), ["export"])
    exported, samples = start_unet(TOY, teacher / "model")
    path = teacher / "model" / "unet" / "diffusion_pytorch_model.safetensors"
    plain = load_file(path)
    plain["conv_in.weight"] = plain["conv_in.weight"][:, : TOY.latent_channels].contiguous()
    save_file(plain, path)
    profile = read_profile(teacher / "model")
    write_profile(teacher / "model", replace(profile, init_conditioning=False))
    widened, again = start_unet(TOY, teacher / "model")
    assert again == samples
    first = widened.pop("conv_in.weight")
    whole = exported.pop("conv_in.weight")
    assert torch.equal(first[:, : TOY.latent_channels], whole[:, : TOY.latent_channels])
    assert first.shape == whole.shape
    assert not first[:, TOY.latent_channels :].any()
    assert all(torch.equal(weights, exported[name]) for name, weights in widened.items())


def test_train_starts_from_nothing_that_does_not_fit(finished: Run, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="distilled"):
        run_stages(replace(finished, start_from=finished.out / "model"), ["diffusion"], again=True)
    wider = replace(finished, out=tmp_path, setting=replace(TOY, autoencoder_width=48))
    with pytest.raises(ModelError, match="same setting"):
        run_stages(replace(wider, start_from=finished.out / "model"), ["autoencoder"])
    with pytest.raises(ModelError, match="not found"):
        run_stages(replace(wider, start_from=tmp_path), ["autoencoder"])


def test_train_shares_of_the_time_can_be_stated() -> None:
    cpu = with_shares(SETTINGS["cpu"], ["diffusion=0.6", "distillation=0.25"])
    assert cpu.shares == {"data": 0.15, "autoencoder": 0.0, "diffusion": 0.6, "distillation": 0.25}
    for setting in SETTINGS.values():
        assert with_shares(setting, []) == setting
    assert with_shares(SETTINGS["gpu"], ["data=1"]).shares["data"] == 1
    for wrong in ("diffusion", "diffusion=much", "diffusion=-1", "diffusion=nan", "export=0.1", "data=0.5"):
        with pytest.raises(UsageError, match="--share"):
            with_shares(SETTINGS["cpu"], [wrong])


def test_train_repaints_of_an_exported_model_are_measured(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from riffcomposer_training import evaluate_repaints
    from riffcomposer_training.evaluation_pieces import EvaluationPiece
    from riffcomposer_training.known_music import KnownChord, KnownMusic

    rng = np.random.default_rng(0)
    music = KnownMusic(np.array([[0.0, 60.0, 60.0]]), np.array([0, 32]), (KnownChord(0, 64, (0, 4, 7)),))
    pieces = [
        EvaluationPiece(style, style, rng.random((512, 64), np.float32), music) for style in ("jazz", "rock")
    ]
    monkeypatch.setattr(evaluate_repaints, "evaluation_pieces", lambda each: pieces * each)
    arguments = ["--model", str(finished.out / "model"), "--out", str(tmp_path), "--quick"]
    assert evaluate_repaints.main(arguments) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["ceiling_spectrum_error_db"] < figures["floor_spectrum_error_db"]
    for name in ("same_0.3", "same_0.5", "same_0.7", "text"):
        assert figures[f"{name}_spectrum_error_db"] > 0
    assert {"other_0.5_timbre_move", "text_variety", "pieces_variety"} <= set(figures)
    assert len(json.loads((tmp_path / "spectrum.json").read_text())["same_0.5"]) == 22
    chords = json.loads((tmp_path / "chords_by_style.json").read_text())
    assert set(chords) == {"jazz", "rock"}
    assert set(chords["jazz"]) == {"ceiling", "same_0.3", "same_0.5", "same_0.7"}
    assert all(0 <= share <= 1 for style in chords.values() for share in style.values())
    assert (tmp_path / "worst_ten.png").stat().st_size > 1000
