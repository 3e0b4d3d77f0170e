"""Songs with layers from file to track: what an edit makes again, stems, report, lock and `--only`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from small_song import FakeEngine, Studio, make_studio

from riffcomposer.cli.main import main
from riffcomposer.lock.lock_file import changes, lock_path, read_lock
from riffcomposer.render.prepare import PlanOptions, PreparedSong, prepare_song
from riffcomposer.render.settings import RenderSettings

SONG = """\
title: Layered
tempo: 400
seed: 5
model: ./model
sections:
  - name: first
    prompt: steady drums
    clips: 3
  - name: both
    prompt: a band
    clips: 4
    gain_db: -2
    transition: {type: crossfade, length: 1 beat}
    layers:
      - {name: drums, prompt: brushes, pan: -0.5}
      - {name: keys, prompt: rhodes, gain_db: -6, chain: [{highpass: {cutoff_frequency_hz: 300}}]}
  - use: both
    name: again
    layers:
      - {name: keys, prompt: church organ}
master: {integrated_lufs: -30}
output: {formats: [wav], decoder: fast}
"""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Studio, Any]:
    """The layered song and its first track; a folder not to be changed."""
    studio = make_studio(tmp_path_factory.mktemp("layered"), SONG)
    return studio, studio.render()


@pytest.fixture
def layered(tmp_path: Path) -> Studio:
    return make_studio(tmp_path, SONG)


@pytest.fixture
def rendered_layered(first: tuple[Studio, Any], tmp_path: Path) -> Studio:
    """A copy of the rendered song, with its store, its lock and its outputs."""
    return Studio(shutil.copytree(first[0].folder, tmp_path, dirs_exist_ok=True))


def made(track: Any) -> tuple[int, int, bool]:
    """Clips rendered, passages decoded, mastered."""
    return len(track.result.rendered), track.result.decoded[0], track.result.mastered


def test_a_layered_song_becomes_a_track(first: tuple[Studio, Any]) -> None:
    _, track = first
    # The drums of both sections are the same clips.
    assert made(track) == (15, 5, True)
    audio, _ = track.audio()
    assert audio.shape == (2, round(track.result.seconds * 44100))
    sections = track.report["sections"]
    assert "layers" not in sections[0]
    assert [layer["name"] for layer in sections[1]["layers"]] == ["drums", "keys"]
    levels = [layer["integrated_lufs"] for layer in sections[1]["layers"]]
    assert all(isinstance(level, float) and -80 < level < 0 for level in levels)
    # One border for each pair of sections, however many layers meet there.
    assert len(track.report["transitions"]) == 2


def test_an_unchanged_song_is_not_touched(rendered_layered: Studio) -> None:
    before = rendered_layered.outputs()
    assert made(rendered_layered.render(FakeEngine())) == (0, 0, False)
    assert rendered_layered.outputs() == before


@pytest.mark.parametrize(
    ("old", "new", "clips", "passages", "mastered"),
    [
        ("prompt: rhodes", "prompt: piano", 4, 1, True),
        ("prompt: church organ", "prompt: pipe organ", 4, 1, True),
        ("pan: -0.5", "pan: 0.5", 0, 0, True),
        ("gain_db: -6", "gain_db: -7", 0, 0, True),
        ("cutoff_frequency_hz: 300", "cutoff_frequency_hz: 200", 0, 0, True),
        ("name: drums, prompt: brushes", "name: kit, prompt: brushes", 0, 0, True),
        ("brushes, pan", "brushes, from_energy: 0.6, pan", 0, 0, True),
    ],
)
def test_an_edit_of_a_layer_makes_only_what_it_decides(
    rendered_layered: Studio, old: str, new: str, clips: int, passages: int, mastered: bool
) -> None:
    rendered_layered.edit(old, new)
    assert rendered_layered.to_make() == (clips, passages, mastered)


def test_what_a_render_finds_missing_is_what_it_makes(rendered_layered: Studio) -> None:
    rendered_layered.edit("prompt: rhodes", "prompt: piano")
    assert made(rendered_layered.render()) == (4, 1, True)


def test_stems_of_layers_add_up_to_the_track(rendered_layered: Studio) -> None:
    result = rendered_layered.render(settings=RenderSettings(stems=True)).result
    stems = sorted(path for path in result.others if ".stem-" in path.name)
    assert [path.name for path in stems] == [
        "song.stem-01-first.wav",
        "song.stem-02-both.1-drums.wav",
        "song.stem-02-both.2-keys.wav",
        "song.stem-03-again.1-drums.wav",
        "song.stem-03-again.2-keys.wav",
    ]
    sounds = [soundfile.read(path, always_2d=True)[0] for path in stems]
    mix = np.sum(sounds, axis=0)
    track, _ = soundfile.read(result.outputs[0], always_2d=True)
    gain = np.vdot(mix, track) / np.vdot(mix, mix)
    np.testing.assert_allclose(gain * mix, track, atol=2e-5)
    power = np.square(sounds[1]).mean(axis=0)
    assert power[0] > 5 * power[1], "the drums are at the left"
    for sound in (sounds[2], sounds[4]):
        power = np.square(sound).mean(axis=0)
        assert power[0] == pytest.approx(power[1], rel=0.1), "the keys are in the middle"
    # A stem has sound where its section is, of three in order: three clips, four and four.
    middles = [len(track) * clip // 11 for clip in (1, 5, 5, 9, 9)]
    beat = len(track) // 44
    loud = [[np.abs(sound[middle : middle + beat]).max() > 1e-4 for middle in middles] for sound in sounds]
    assert loud == [[same == own for same in "abbcc"] for own in "abbcc"]


def test_the_lock_records_each_layer(rendered_layered: Studio) -> None:
    layered = rendered_layered
    text = lock_path(layered.song).read_text()
    assert 'section "both" layer "drums"' in text
    assert 'section "first"\n' in text
    assert text.count("passage ") == 5
    lock = read_lock(lock_path(layered.song))
    assert lock.damage == ""
    assert ("again", "keys", "body", 3) in lock.clips
    layered.render(settings=RenderSettings(locked=True))


def test_plan_explains_an_edit_by_layer(rendered_layered: Studio) -> None:
    layered = rendered_layered
    layered.edit("prompt: rhodes", "prompt: piano")
    prepared = planned(layered)
    assert changes(prepared.lock, prepared.plan)[0] == (
        "section both, layer keys, clip 1: another clip than in the lock"
    )
    found = {
        (
            clip.layer,
            prepared.assessment.states[clip.key].status,
            prepared.assessment.states[clip.key].changes,
        )
        for clip in prepared.plan.clips
        if clip.section == 1
    }
    assert found == {("drums", "cached", ()), ("keys", "changed", (("prompt", "rhodes", "piano"),))}


def planned(studio: Studio) -> PreparedSong:
    return prepare_song(studio.song, studio.store, PlanOptions(device="cpu"))


def test_plan_prints_a_line_for_each_layer(
    layered: Studio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(layered.folder / "store"))
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    with pytest.raises(SystemExit):
        main(["plan", str(layered.song)])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert 'drums 4-7 layer "brushes" (50% left) 4 of 4 clips to render' in lines
    assert 'keys 4-7 layer "rhodes" (-6 dB) 4 of 4 clips to render' in lines
    assert any(line.startswith("19 clips of 1 bar, 15 different") for line in lines)


def test_one_layered_section_alone(rendered_layered: Studio) -> None:
    track = rendered_layered.render(settings=RenderSettings(only="both"))
    assert [layer["name"] for layer in track.report["sections"][0]["layers"]] == ["drums", "keys"]


def test_a_loop_of_layers_meets_its_start(layered: Studio) -> None:
    layered.edit("seed: 5", "seed: 5\nloop: true")
    layered.edit("  - name: first\n    prompt: steady drums\n    clips: 3\n", "")
    layered.edit("formats: [wav]", "formats: [flac]")
    track = layered.render()
    assert len(track.report["transitions"]) == 2
    assert all(border["click"] < 20 for border in track.report["transitions"])


MOVING = """\
title: Moving
tempo: 400
seed: 5
model: ./model
sections:
  - name: swell
    prompt: a band
    clips: 8
    gain_db: {0: -24, 40: 0}
    chain: [{gain: {gain_db: {0: 0, 40: -6}}}]
master: {integrated_lufs: -30}
output: {formats: [wav], decoder: fast, stereo_width: 0}
"""


def test_a_section_swells_as_its_curves_say(tmp_path: Path) -> None:
    moving = make_studio(tmp_path, MOVING)
    swollen, rate = moving.render().audio()
    still = MOVING.replace("{0: -24, 40: 0}", "0").replace("{0: 0, 40: -6}", "0")
    moving.song.write_text(still)
    track = moving.render()
    assert made(track) == (0, 0, True)
    plain, _ = track.audio()
    step = round(rate * 0.6)  # a bar
    ratio = [
        20 * np.log10(np.abs(swollen[:, at : at + step]).mean() / np.abs(plain[:, at : at + step]).mean())
        for at in range(step, plain.shape[1] - step, step)
    ]
    # 24 dB less 6 dB over forty bars, whatever the gain of the master.
    rises = np.diff(ratio[:38])
    assert np.allclose(rises, (24 - 6) / 40, atol=0.12)


def test_the_band_above_the_images_is_filled_on_demand(
    first: tuple[Studio, Any], rendered_layered: Studio
) -> None:
    def above(track: Any) -> float:
        audio, rate = track.audio()
        spectrum = np.square(np.abs(np.fft.rfft(audio.mean(axis=0))))
        hertz = np.fft.rfftfreq(audio.shape[1], 1 / rate)
        return float(spectrum[hertz > 10_600].sum() / spectrum[(hertz > 7_000) & (hertz < 10_000)].sum())

    plain = above(first[1])
    rendered_layered.edit("formats: [wav]", "formats: [wav], bandwidth: extended")
    extended = rendered_layered.render(FakeEngine())
    assert made(extended) == (0, 0, True)
    assert plain < 0.01
    assert 0.05 < above(extended) < 1
