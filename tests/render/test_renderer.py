"""What a render makes again after an edit, and what it does not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from small_song import FakeEngine, FakeEngines, Studio

from riffcomposer.errors import Cancelled, RenderError, SongError, UsageError
from riffcomposer.render.settings import RenderSettings
from riffcomposer.render.stopping import StopFlag


def made(track: Any) -> tuple[int, int, bool]:
    """Clips rendered, passages decoded, mastered."""
    return len(track.result.rendered), track.result.decoded[0], track.result.mastered


def test_a_song_becomes_a_track_of_the_planned_length(studio: Studio, drawn_timelines: None) -> None:
    # With the loudness and the decoder of songs that name none.
    studio.edit("master: {integrated_lufs: -30}\n", "")
    studio.edit(", decoder: fast", "")
    track = studio.render()
    audio, rate = track.audio()
    assert rate == 44100
    assert audio.shape == (2, round(track.result.seconds * 44100))
    assert np.abs(audio).max() > 0.1
    names = {path.name for path in (studio.folder / "out").iterdir()}
    assert names == {
        "song.flac",
        "song.labels.txt",
        "song.report.html",
        "song.report.json",
        "song.timeline.png",
    }
    assert abs(track.report["outputs"][0]["integrated_lufs"] + 14) < 0.5
    with Image.open(studio.folder / "out" / "song.timeline.png") as picture:
        assert picture.size == (1760, 792)


def test_an_unchanged_song_is_not_touched(rendered: Studio) -> None:
    before = rendered.outputs()
    engines = FakeEngines(FakeEngine())
    again = rendered.render(engines)
    assert made(again) == (0, 0, False)
    assert (engines.asked, engines.opened) == (0, 0)
    assert rendered.outputs() == before
    assert again.report == json.loads(before["song.report.json"])


@pytest.mark.parametrize(
    ("old", "new", "clips", "passages", "mastered"),
    [
        ("title:", "# a comment\ntitle:", 0, 0, False),
        ("title: Small Song", "title: Another", 0, 0, True),
        ("name: second", "name: zwei", 0, 0, True),
        ("gain_db: -3", "gain_db: -4", 0, 0, True),
        ("fade_in: 1 beat", "fade_in: 2 beats", 0, 0, True),
        ("integrated_lufs: -30", "integrated_lufs: -28", 0, 0, True),
        ("output: {", "output: {stereo_width: 0.7, ", 0, 0, True),
        ("decoder: fast", "decoder: default", 0, 2, True),
        ("prompt: low hum", "prompt: high hum", 2, 1, True),
        ("seed: 9", "seed: 19", 3, 1, True),
        ("tempo: 400", "tempo: 398", 8, 2, True),
    ],
)
def test_an_edit_makes_again_exactly_what_it_decides(
    rendered: Studio, old: str, new: str, clips: int, passages: int, mastered: bool
) -> None:
    rendered.edit(old, new)
    assert rendered.to_make() == (clips, passages, mastered)


def test_what_a_render_finds_missing_is_what_it_makes(rendered: Studio) -> None:
    rendered.edit("prompt: low hum", "prompt: high hum")
    assert made(rendered.render()) == (2, 1, True)


def test_removing_an_output_masters_again_into_the_same_bytes(rendered: Studio) -> None:
    before = rendered.outputs()
    (rendered.folder / "out" / "song.flac").write_bytes(b"half")
    assert made(rendered.render()) == (0, 0, True)
    assert rendered.outputs() == before


def test_two_renders_from_nothing_are_equal_byte_for_byte(rendered: Studio) -> None:
    before = rendered.outputs()
    rendered.render(settings=RenderSettings(force=True))
    assert rendered.outputs() == before


def test_a_clip_that_fails_once_is_tried_again(studio: Studio) -> None:
    first = FakeEngine()
    studio.render(first, settings=RenderSettings(only="third"))
    unlucky = FakeEngine(failures=dict.fromkeys(first.rendered, 1))
    track = studio.render(unlucky, settings=RenderSettings(only="third", force=True))
    assert sorted(track.result.rendered) == sorted(first.rendered)


def test_a_clip_that_fails_twice_is_reported_and_the_others_are_kept(studio: Studio) -> None:
    probe = FakeEngine()
    studio.make_clips(probe, settings=RenderSettings(only="first"))
    bad = probe.rendered[1]
    again = FakeEngine(failures={bad: 2})
    (studio.folder / "store").rename(studio.folder / "old-store")
    with pytest.raises(RenderError, match=r"1 of 8 clips failed twice.*first clip 2.*out of luck"):
        studio.render(again)
    assert not list((studio.folder / "out").glob("song.flac"))
    healthy = FakeEngine()
    studio.make_clips(healthy)
    assert healthy.rendered == [bad]


def test_a_raised_flag_stops_and_keeps_finished_clips(studio: Studio) -> None:
    stop = StopFlag()
    seen: list[float] = []

    def observer(event: Any) -> None:
        if event.stage == "clips":
            seen.append(event.done)
            if event.done >= 2:
                stop.raise_flag(143)

    with pytest.raises(Cancelled) as stopped:
        studio.render(observer=observer, stop=stop)
    assert stopped.value.exit_code == 143
    rest = FakeEngine()
    studio.make_clips(rest)
    assert 0 < len(rest.rendered) <= 6


def test_the_clips_that_are_counted_are_those_that_are_kept(studio: Studio) -> None:
    counted: list[tuple[int, int, float]] = []

    def observer(event: Any) -> None:
        if event.stage == "clips":
            kept = len(list((studio.folder / "store" / "clip").rglob("*.npy")))
            counted.append((event.finished, kept, event.done))

    studio.make_clips(observer=observer)
    assert all(finished == kept for finished, kept, _ in counted)
    assert any(done > finished for finished, _, done in counted), "shares of clips at work move the estimate"


def test_one_section_alone_uses_the_songs_clips(rendered: Studio) -> None:
    track = rendered.render(settings=RenderSettings(only="third"))
    assert made(track) == (0, 0, True), "its passage is the same, and decoded already"
    assert track.files[0].name == "song.third.flac"
    with pytest.raises(UsageError, match="did you mean"):
        rendered.render(settings=RenderSettings(only="thirt"))


def test_a_draft_takes_fewer_steps_and_its_own_names(studio: Studio) -> None:
    engine = FakeEngine()
    track = studio.render(engine, settings=RenderSettings(draft=True))
    assert track.files[0].name == "song.draft.flac"
    assert not studio.song.with_suffix(".lock").exists()
    full = FakeEngine()
    studio.make_clips(full)
    assert not set(full.rendered) & set(engine.rendered)


def test_locked_accepts_the_same_song_and_refuses_another(rendered: Studio) -> None:
    lock = rendered.song.with_suffix(".lock").rename(rendered.folder / "another.lock")
    with pytest.raises(SongError, match="lock"):
        rendered.render(settings=RenderSettings(locked=True))
    lock.rename(rendered.song.with_suffix(".lock"))
    rendered.render(settings=RenderSettings(locked=True))
    rendered.edit("seed: 9", "seed: 10")
    with pytest.raises(SongError, match="lock"):
        rendered.render(settings=RenderSettings(locked=True))


def test_stems_add_up_to_the_mix_and_sections_to_the_track(rendered: Studio) -> None:
    # The song is so quiet that no ceiling is met: the track is the mix times one gain.
    result = rendered.render(settings=RenderSettings(stems=True, formats=("wav",))).result

    def sounds(kind: str) -> list[np.ndarray]:
        paths = sorted(path for path in result.others if f".{kind}-" in path.name)
        assert [path.name[-9:-4] for path in paths] == ["first", "econd", "third"]
        return [soundfile.read(path, always_2d=True)[0] for path in paths]

    track, _ = soundfile.read(result.outputs[0], always_2d=True)
    np.testing.assert_allclose(np.concatenate(sounds("section")), track, atol=1e-6)
    stems = sounds("stem")
    mix = np.sum(stems, axis=0)
    gain = np.vdot(mix, track) / np.vdot(mix, mix)
    np.testing.assert_allclose(gain * mix, track, atol=1e-5)
    # A stem has the name of the section whose sound it is.
    edges = np.cumsum([len(part) for part in sounds("section")])[:-1]
    powers = [[np.square(part).sum() for part in np.split(stem, edges)] for stem in stems]
    assert [int(np.argmax(power)) for power in powers] == [0, 1, 2]


def test_another_device_than_guessed_is_planned_anew(studio: Studio) -> None:
    track = studio.render(FakeEngine(backend="mps-float16"))
    again = studio.render(FakeEngine(backend="mps-float16"), device="mps")
    assert len(track.result.rendered) == 8
    assert made(again) == (0, 0, False)


def test_a_damaged_clip_is_made_again(rendered: Studio) -> None:
    before = rendered.outputs()
    victim = next((rendered.folder / "store" / "clip").rglob("*.npy"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    (rendered.folder / "out" / "song.flac").unlink()
    engine = FakeEngine()
    rendered.render(engine)
    assert len(engine.rendered) == 1
    assert rendered.outputs() == before


def test_the_recipe_says_what_was_rendered(rendered: Studio) -> None:
    from riffcomposer.mix.tags import read_recipe

    track = rendered.render()
    recipe = read_recipe(track.files[0])
    assert recipe is not None
    assert recipe["song"]["sections"][1]["seed"] == 9
    assert recipe["model"]["name"] == "test"
    assert {"sampler", "decoder", "mix", "torch"} <= set(recipe["versions"])
