"""The batches that the UNet learns from, and the schedule it learns by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from riffcomposer.errors import ModelError
from riffcomposer_training.distillation import guided_velocity, seeing, start_student, two_step_velocity
from riffcomposer_training.latent_set import LatentFeed, LatentSet, two_bars
from riffcomposer_training.networks import TEXT_WIDTH, build_unet
from riffcomposer_training.parts import join, split
from riffcomposer_training.schedule import (
    Clock,
    average_decay,
    learning_rate_share,
    load_checkpoint,
    step_generator,
)
from riffcomposer_training.train_unet import (
    FEWEST_HELD_OUT,
    choose_rows,
    draw_columns,
    flow_samples,
    other_timbre,
    sample_times,
    train_diffusion,
)
from riffcomposer_training.training_settings import SETTINGS

TOY = SETTINGS["toy"]


@pytest.fixture
def clips() -> LatentSet:
    generator = torch.Generator().manual_seed(0)
    return LatentSet(
        latents=torch.randn(12, TOY.latent_channels, 32, 36, generator=generator).half(),
        captions=torch.arange(1, 13)[:, None].expand(12, 4),
        states=torch.randn(13, 32, TEXT_WIDTH, generator=generator).half(),
        partners=torch.full((12,), -1),
        replayed=torch.zeros(12, dtype=torch.bool),
    )


class Feed:
    """A feed whose clips are there from the start."""

    def __init__(self, train: LatentSet, test: LatentSet) -> None:
        self.train, self.test = train, test

    def grow(self) -> int:
        return 0


def test_train_samples_lie_on_the_line_from_clean_to_noise(clips: LatentSet) -> None:
    plain = replace(TOY, timbre_share=0.0)
    rows = torch.tensor([1, 3, 5, 7])
    batch = flow_samples(clips, rows, plain, torch.Generator().manual_seed(1))
    clean = batch.noisy - batch.times[:, None, None, None] * batch.velocity
    assert torch.allclose(clean, clips.latents[rows].float(), atol=1e-4)


def test_train_samples_from_another_timbre_still_lead_to_the_clip(clips: LatentSet) -> None:
    rows = torch.tensor([1, 3, 5, 7, 9, 11])
    batch = flow_samples(clips, rows, replace(TOY, timbre_share=1.0), torch.Generator().manual_seed(2))
    clean = batch.noisy - batch.times[:, None, None, None] * batch.velocity
    assert torch.allclose(clean, clips.latents[rows].float(), atol=1e-3)
    plain = flow_samples(clips, rows, replace(TOY, timbre_share=0.0), torch.Generator().manual_seed(2))
    assert not torch.allclose(batch.velocity, plain.velocity)
    only_pairs = replace(TOY, timbre_share=1.0, spectrum_share=0.0)
    alone = flow_samples(clips, rows, only_pairs, torch.Generator().manual_seed(2))
    assert torch.equal(alone.velocity, plain.velocity)
    assert not alone.init.any()


def test_train_samples_start_from_the_same_music_played_by_others(clips: LatentSet) -> None:
    rows = torch.tensor([0, 2, 4, 6])
    paired = replace(clips, partners=torch.arange(12).roll(-1))
    always = replace(TOY, timbre_share=1.0, pair_share=1.0)
    batch = flow_samples(paired, rows, always, torch.Generator().manual_seed(5))
    plain = flow_samples(paired, rows, replace(always, timbre_share=0.0), torch.Generator().manual_seed(5))
    other = (clips.latents[rows + 1] - clips.latents[rows]).float()
    moved = batch.velocity - plain.velocity  # a multiple of what leads from the clip to its partner
    for way, toward in zip(moved.flatten(1), other.flatten(1), strict=True):
        if float(way.norm()) > 0:
            assert float(torch.cosine_similarity(way, toward, dim=0)) > 0.999
    assert float(moved.flatten(1).norm(dim=1).max()) > 0


def test_train_music_played_by_others_is_not_learnt_near_noise(clips: LatentSet) -> None:
    replayed = replace(clips, replayed=torch.ones(12, dtype=torch.bool))
    rows = torch.arange(12).repeat(40)
    assert float(flow_samples(replayed, rows, TOY, torch.Generator().manual_seed(6)).times.max()) < 0.901
    assert float(flow_samples(clips, rows, TOY, torch.Generator().manual_seed(6)).times.max()) > 0.95


def test_train_music_as_composed_is_drawn_more_often(clips: LatentSet) -> None:
    played = torch.arange(12) % 2 == 1
    paired = replace(clips, replayed=played, partners=torch.arange(12) ^ 1)
    rows = choose_rows(paired, 6000, torch.Generator().manual_seed(7))
    assert float(played[rows].float().mean()) == pytest.approx(1 / 3, abs=0.03)


def test_train_narrow_samples_begin_as_the_clip_does(clips: LatentSet) -> None:
    generator = torch.Generator().manual_seed(3)
    rows = choose_rows(clips, 4, generator)
    batch = flow_samples(clips, rows, replace(TOY, timbre_share=0.0), generator, columns=24)
    clean = batch.noisy - batch.times[:, None, None, None] * batch.velocity
    assert torch.allclose(clean, clips.latents[rows, :, :, :24].float(), atol=1e-4)


def test_train_batches_have_the_widths_of_renders() -> None:
    drawn = [draw_columns(TOY, step_generator(1, step)) for step in range(400)]
    for columns, share in TOY.widths:
        assert drawn.count(columns) / len(drawn) == pytest.approx(share, abs=0.08)
        assert columns % 4 == 0  # the UNet halves twice


def test_train_other_timbre_takes_the_donors_average() -> None:
    generator = torch.Generator().manual_seed(4)
    clean, donors = (torch.randn(3, 4, 8, 16, generator=generator) for _ in range(2))
    changed = other_timbre(clean, donors)
    assert torch.allclose(changed.mean(3), donors.mean(3), atol=1e-5)
    assert torch.equal(changed.argmax(3), clean.argmax(3))  # the rhythm stays


def test_train_times_cover_where_img2img_works() -> None:
    times = sample_times(4000, torch.Generator().manual_seed(0))
    assert float(times.min()) > 0
    assert float(times.max()) <= 1
    assert float(((times > 0.4) & (times < 0.85)).float().mean()) > 0.4
    assert 0.1 < float((times > 0.92).float().mean()) < 0.25


def test_train_some_captions_are_left_out(clips: LatentSet) -> None:
    batch = flow_samples(
        clips, torch.arange(12), replace(TOY, empty_caption=1.0), torch.Generator().manual_seed(0)
    )
    assert torch.equal(batch.states, clips.states[:1].float().expand(12, -1, -1))


@given(st.integers(0, 10_000), st.floats(0, 1), st.integers(1, 500))
def test_train_learning_rate_rises_and_ends_at_zero(step: int, used: float, warmup: int) -> None:
    share = learning_rate_share(step, used, warmup)
    assert 0 <= share <= 1
    assert learning_rate_share(step, 1.0, warmup) == 0
    assert 0 < average_decay(step) < 1


def test_train_clock_counts_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("riffcomposer_training.schedule.time.monotonic", lambda: now[0])
    clock = Clock(100.0, used_seconds=10.0, longest_gap=20.0)
    now[0] += 5
    assert clock.tick() == pytest.approx(0.15)
    now[0] += 5000  # the machine was asleep
    assert clock.tick() == pytest.approx(0.35)


def test_train_steps_draw_the_same_after_a_restart() -> None:
    assert torch.equal(
        torch.rand(3, generator=step_generator(1, 7)), torch.rand(3, generator=step_generator(1, 7))
    )
    assert not torch.equal(
        torch.rand(3, generator=step_generator(1, 7)), torch.rand(3, generator=step_generator(1, 8))
    )


def test_train_two_bars_means_four_four_on_the_grid() -> None:
    assert two_bars({"on_grid": True, "beats_per_bar": 4})
    assert not two_bars({"on_grid": True, "beats_per_bar": 3})
    assert not two_bars({"on_grid": False, "beats_per_bar": 4})


def test_train_student_starts_as_its_teacher(clips: LatentSet) -> None:
    torch.manual_seed(0)
    teacher = build_unet(TOY).eval()
    torch.nn.init.normal_(teacher.conv_out.weight, std=0.05)
    student = start_student(TOY, teacher.state_dict()).eval()
    noisy, times, states = clips.latents[:2].float(), torch.tensor([0.5, 0.9]), clips.states[1:3].float()
    init = clips.latents[2:4].float()
    shown, copied = (seeing(network, init) for network in (teacher, student))
    with torch.no_grad():
        plain = shown(noisy, times * 1000, states).sample
        own = copied(noisy, times * 1000, states, timestep_cond=torch.randn(2, 256)).sample
        unguided = guided_velocity(shown, noisy, times, states, clips.states[:1].float(), torch.ones(2))
        still = two_step_velocity(
            shown, noisy, times, states, clips.states[:1].float(), torch.ones(2), torch.zeros(2)
        )
    assert torch.allclose(plain, own, atol=1e-5)
    assert torch.allclose(plain, unguided, atol=1e-4)
    assert torch.allclose(plain, still, atol=1e-4)


def test_train_parts_join_to_the_same_file(tmp_path: Path) -> None:
    folder = tmp_path
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 10)
    written = split(folder / "weights.bin", folder / "parts", part_bytes=1000)
    assert [part.stat().st_size for part in written[:3]] == [1000, 1000, 560]
    (joined,) = join(folder / "parts", folder / "out")
    assert joined.read_bytes() == (folder / "weights.bin").read_bytes()
    written[1].write_bytes(b"x" * 1000)
    with pytest.raises(ModelError, match="damaged"):
        join(folder / "parts", folder / "out")
    written[1].unlink()
    with pytest.raises(ModelError, match="missing"):
        join(folder / "parts", folder / "out")


@pytest.mark.parametrize("count", [0, 3, 4])
def test_train_logs_a_held_out_loss_only_of_held_out_clips(
    clips: LatentSet, tmp_path: Path, count: int
) -> None:
    test = replace(clips, latents=clips.latents[:count], captions=clips.captions[:count])
    deviations = torch.ones(TOY.latent_channels)
    train_diffusion(TOY, cast(LatentFeed, Feed(clips, test)), deviations, tmp_path, 0.2)
    state = load_checkpoint(tmp_path / "diffusion.pt")
    assert state is not None
    assert state["series"]
    assert all(("held_out" in row) == (count >= FEWEST_HELD_OUT) for row in state["series"])


def test_train_an_interrupt_keeps_what_was_learnt(clips: LatentSet, tmp_path: Path) -> None:
    class Interrupted(Feed):
        def grow(self) -> int:
            if (tmp_path / "begun").exists():
                raise KeyboardInterrupt
            (tmp_path / "begun").touch()
            return 0

    soon = replace(TOY, refresh_seconds=0.0)
    feed = cast(LatentFeed, Interrupted(clips, clips))
    with pytest.raises(KeyboardInterrupt):
        train_diffusion(soon, feed, torch.ones(TOY.latent_channels), tmp_path, 600.0)
    state = load_checkpoint(tmp_path / "diffusion_state.pt")
    assert state is not None
    assert state["step"] > 0


def test_train_shows_what_a_render_starts_from_and_never_the_clip_itself(clips: LatentSet) -> None:
    rows = torch.arange(12).repeat(8)
    paired = replace(clips, partners=torch.arange(12).roll(-1))
    for setting in (replace(TOY, pair_share=1.0), replace(TOY, pair_share=1.0, timbre_share=0.0)):
        batch = flow_samples(paired, rows, setting, torch.Generator().manual_seed(8))
        others = clips.latents[(rows + 1) % 12].float()
        shown = batch.init.flatten(1).any(1)
        assert 0.2 < float(shown.float().mean()) < 0.9
        assert torch.allclose(batch.init[shown], others[shown], atol=1e-3)
        assert float(batch.times[shown].max()) > 0.9  # notes decide near pure noise too
    alone = flow_samples(clips, rows, replace(TOY, timbre_share=0.0), torch.Generator().manual_seed(8))
    assert not alone.init.any()
    assert alone.inputs().shape[1] == 2 * TOY.latent_channels


def test_distilled_passes_see_the_same_start() -> None:
    seen: list[torch.Tensor] = []
    init = torch.randn(3, 4, 8, 12)
    network = seeing(lambda latents, times: seen.append(latents), init)
    network(torch.zeros(6, 4, 8, 12), torch.zeros(6))
    assert torch.equal(seen[0][:, 4:], torch.cat([init, init]))
    assert not seen[0][:, :4].any()
