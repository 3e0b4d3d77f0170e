"""`check` warns of faults in the user's sounds and images, and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from raw_midi import TICKS, note, smf, written

from riffcomposer.loops.catalogue import catalogue
from riffcomposer.media.picture import Picture, read_picture
from riffcomposer.media.picture_faults import faults_of
from riffcomposer.plan.inits import InitClip
from riffcomposer.render.session import Session
from riffcomposer.spectrogram_parameters import SpectrogramParameters

RATE = 44_100
LOOP = 225_792
"""Two bars of 4/4 at 93.75 BPM, 512 frames."""

Write = Callable[[Path], Path]


def found(song_folder: Path, init: str) -> dict[str, str]:
    """What `check` says of a song that starts from `init` (YAML): code and severity."""
    song = song_folder / "song.yaml"
    song.write_text(
        f"title: t\nsections:\n  - {{name: a, init: {init}, strength: 0.4, prompt: bells, bars: 2}}\n",
        encoding="utf-8",
    )
    before = {path: path.stat().st_mtime_ns for path in song_folder.rglob("*")}
    diagnostics = Session().check(song)
    assert {path: path.stat().st_mtime_ns for path in song_folder.rglob("*")} == before
    assert all(diagnostic.line == 3 for diagnostic in diagnostics)
    return {diagnostic.code: diagnostic.severity for diagnostic in diagnostics}


def tone(seconds: float = LOOP / RATE) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * 220 * time)


def spoiled(value: float) -> np.ndarray:
    samples = tone()
    samples[50_000] = value
    return samples


SOUNDS: dict[str, tuple[np.ndarray, dict[str, str]]] = {
    "as it should be": (tone(), {}),
    "NaN": (spoiled(np.nan), {"sound-nan": "error"}),
    "infinity": (spoiled(-np.inf), {"sound-nan": "error"}),
    "beyond any scale": (spoiled(1e30), {"sound-nan": "error"}),
    "16-bit integers": (tone() * 32_767, {"sound-integer-scale": "warning"}),
    "24-bit integers": (tone() * 8_388_607, {"sound-integer-scale": "warning"}),
    "hot, but no integers": (tone() * 8, {}),
    "nearly silent": (tone() * 1e-4, {"sound-quiet": "warning"}),
    "silent": (tone() * 0, {"sound-silent": "warning"}),
    "an offset": (tone() * 0.4 + 0.6, {"sound-offset": "warning"}),
    "an offset that is not heard": (tone() + 0.005, {}),
    "anti-phase": (np.stack([tone(), -tone()], 1), {"sound-cancels": "warning"}),
    "wide stereo": (np.stack([tone(), np.random.default_rng(0).normal(0, 0.1, LOOP)], 1), {}),
    "one channel empty": (np.stack([tone(), 0 * tone()], 1), {}),
    "shorter than its loop": (tone(3.0), {"init-short": "warning"}),
    "short by an encoder's block": (tone((LOOP - 1100) / RATE), {}),
}


@pytest.mark.parametrize("fault", SOUNDS)
def test_sounds(tmp_path: Path, fault: str) -> None:
    samples, says = SOUNDS[fault]
    soundfile.write(tmp_path / "loop.wav", samples, RATE, subtype="FLOAT")
    assert found(tmp_path, "loop.wav") == says


def test_only_the_part_that_is_used_counts(tmp_path: Path) -> None:
    samples = np.concatenate([tone(), tone(), tone()])
    samples[1_000] = np.nan
    soundfile.write(tmp_path / "long.wav", samples, RATE, subtype="FLOAT")
    assert found(tmp_path, "{path: long.wav, start: 5.12s}") == {}
    assert found(tmp_path, "long.wav") == {"sound-nan": "error"}


def test_a_loop_that_starts_after_the_end_is_an_error(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loop.wav", tone(), RATE)
    assert found(tmp_path, "{path: loop.wav, start: 5.15s}") == {"init-after-end": "error"}
    assert found(tmp_path, "{path: loop.wav, start: 60s}") == {"bad-file": "error"}
    assert found(tmp_path, "{path: loop.wav, start: 2.56s, bars: 1}") == {}


def test_a_recording_may_die_away_within_its_last_bar(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "take.wav", tone(8.5 * LOOP / RATE / 2), RATE)
    assert found(tmp_path, "take.wav") == {}
    assert found(tmp_path, "{path: take.wav, bars: 9}") == {"init-short": "warning"}


def test_a_wrong_name_is_a_warning(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loop.wav", tone(), RATE)
    (tmp_path / "loop.wav").rename(tmp_path / "loop.mp3")
    assert found(tmp_path, "loop.mp3") == {"wrong-suffix": "warning"}
    (tmp_path / "page.mp3").write_text("<!DOCTYPE html><html>404</html>")
    assert found(tmp_path, "page.mp3") == {"bad-file": "error"}


def seed_image() -> Image.Image:
    """A loop of the catalogue without its EXIF, as a paint program saves it."""
    with Image.open(catalogue().clips["orchestral-swell"].path) as image:
        return Image.fromarray(np.asarray(image.convert("RGB")))


IMAGES: dict[str, tuple[Callable[[Image.Image], Image.Image], dict[str, str]]] = {
    "as it should be": (lambda image: image, {}),
    "twice as large": (lambda image: image.resize((1024, 1024)), {"image-scaled": "warning"}),
    "half as large": (
        lambda image: image.resize((256, 256)),
        {"image-scaled": "warning", "init-short": "warning"},
    ),
    "light on dark": (lambda image: Image.eval(image, lambda v: 255 - v), {"image-inverted": "warning"}),
    "white": (lambda image: Image.new("L", image.size, 255), {"image-silent": "warning"}),
    "grey": (lambda image: Image.new("L", image.size, 90), {"image-flat": "warning"}),
    "narrow": (lambda image: image.crop((0, 0, 300, 512)), {"init-short": "warning"}),
    "on its side and long": (
        lambda image: image.resize((768, 512)).transpose(Image.Transpose.ROTATE_90),
        {"image-turned": "warning"},
    ),
    "one column": (lambda image: image.crop((0, 0, 1, 512)), {"init-short": "warning"}),
    "palette": (lambda image: image.convert("P"), {}),
    "with alpha": (lambda image: image.convert("RGBA"), {}),
}


def test_a_wide_image_is_read_along(tmp_path: Path) -> None:
    with Image.open(catalogue().clips["orchestral-swell"].path) as image:
        wide = Image.new("RGB", (3 * 512 + 200, 512))
        for number in range(4):
            wide.paste(image.convert("RGB"), (512 * number, 0))
    wide.save(tmp_path / "wide.png")
    song = tmp_path / "song.yaml"
    song.write_text("sections: [{init: wide.png, strength: 0.4, prompt: bells, bars: 12}]\n")
    plan = Session().plan(song).plan
    inits = [plan.jobs[clip.key].init for clip in plan.clips]
    # Three loops of two bars and a part of a fourth: six whole bars, then from the start again.
    assert [init.at_quarters for init in inits if isinstance(init, InitClip)] == [0, 8, 16, 0, 8, 16]


@pytest.mark.parametrize("fault", IMAGES)
def test_images(tmp_path: Path, fault: str) -> None:
    change, says = IMAGES[fault]
    change(seed_image()).save(tmp_path / "loop.png")
    assert found(tmp_path, "loop.png") == says


def test_a_jpeg_is_read_and_warned_of_whatever_its_name(tmp_path: Path) -> None:
    seed_image().save(tmp_path / "loop.jpg")
    assert found(tmp_path, "loop.jpg") == {"image-lossy": "warning"}
    (tmp_path / "loop.jpg").rename(tmp_path / "loop.png")
    assert found(tmp_path, "loop.png") == {"image-lossy": "warning", "wrong-suffix": "warning"}


def test_an_image_cut_off_is_an_error(tmp_path: Path) -> None:
    seed_image().save(tmp_path / "loop.png")
    content = (tmp_path / "loop.png").read_bytes()
    (tmp_path / "loop.png").write_bytes(content[: len(content) // 2])
    assert found(tmp_path, "loop.png") == {"bad-file": "error"}


def test_an_image_of_another_format_is_an_error(tmp_path: Path) -> None:
    from dataclasses import replace

    from riffcomposer.media.picture import exif_tags

    image = seed_image()
    image.getexif().update(exif_tags(replace(SpectrogramParameters(), max_frequency=16_000)))
    image.save(tmp_path / "loop.png", exif=image.getexif())
    assert found(tmp_path, "loop.png") == {"image-misfit": "error"}


def test_no_seed_clip_of_the_catalogue_is_suspected_and_each_negative_is() -> None:
    turned = 0
    for clip in catalogue().clips.values():
        picture = read_picture(clip.path)
        assert faults_of(picture, n_mels=512) == [], clip.path.name
        negative = Picture(1 - picture.level, picture.params, True, "PNG")
        assert [fault.code for fault in faults_of(negative, n_mels=512)] == ["image-inverted"], clip.path.name
        on_its_side = Picture(np.rot90(picture.level, axes=(1, 2)), picture.params, True, "PNG")
        turned += [fault.code for fault in faults_of(on_its_side, n_mels=512)] == ["image-turned"]
    assert turned > len(catalogue().clips) / 3  # drums alone look alike on either side


MIDI: dict[str, tuple[bytes, str, dict[str, str]]] = {
    "as it should be": (smf(note() * 8), "take.mid", {}),
    "silent where it is played": (smf(note(delta=TICKS * 400)), "take.mid", {"sound-silent": "warning"}),
    "a note that sounds on": (smf(note(length=TICKS * 16)), "{path: take.mid, start: 8 beats}", {}),
    "silent after a start": (
        smf(note() * 4 + note(delta=TICKS * 40)),
        "{path: take.mid, start: 2 bars}",
        {"sound-silent": "warning"},
    ),
    "shorter than what is asked for": (
        smf(note() * 4),
        "{path: take.mid, bars: 8}",
        {"init-short": "warning"},
    ),
    "shorter, but played again": (smf(note() * 4), "{path: take.mid, bars: 1}", {}),
    "shorter by less than a bar": (smf(note() * 2), "take.mid", {}),
}


@pytest.mark.parametrize("fault", MIDI)
def test_midi_files(tmp_path: Path, fault: str) -> None:
    content, init, says = MIDI[fault]
    written(tmp_path, content, "take.mid")
    assert found(tmp_path, init) == says
