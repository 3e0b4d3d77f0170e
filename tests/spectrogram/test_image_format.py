"""Riffusion's image format: pixels, EXIF, and pictures from elsewhere."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies
from PIL import Image

from riffcomposer.errors import SpectrogramError, StoreError
from riffcomposer.media.picture import read_picture
from riffcomposer.spectrogram.image import pixels_from_level, read_image, write_image
from riffcomposer.spectrogram_parameters import SpectrogramParameters

PARAMS = SpectrogramParameters()


def _level(channels: int = 1, bands: int = 512, frames: int = 7) -> torch.Tensor:
    return torch.rand(channels, bands, frames, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_written_image_reads_back_within_half_a_grey_level(tmp_path: Path, channels: int) -> None:
    level = _level(channels)
    write_image(tmp_path / "clip.png", level, PARAMS)
    read, params, tagged = read_image(tmp_path / "clip.png")
    assert tagged
    assert params.stereo == (channels == 2)
    assert float((read - level).abs().max()) <= 0.5 / 255 + 1e-6


def test_pixels_are_laid_out_as_riffusion_does() -> None:
    level = torch.zeros(2, 3, 2)
    level[0, 0, 0] = 1.0  # left, lowest band, loudest
    level[1, 2, 1] = 0.499
    pixels = pixels_from_level(level)
    assert pixels[2, 0].tolist() == [0, 0, 255]
    assert pixels[0, 1].tolist() == [0, 255, 128]
    assert pixels_from_level(level[:1])[2, 0].tolist() == [0, 0, 0]


def test_exif_holds_every_tag_of_riffusion(tmp_path: Path) -> None:
    write_image(tmp_path / "clip.png", _level(), PARAMS)
    with Image.open(tmp_path / "clip.png") as picture:
        exif = dict(picture.getexif())
    assert exif == {
        11000: 44100,
        11005: 0,
        11010: 10,
        11020: 100,
        11030: 400,
        11040: 512,
        11050: 0,
        11060: 10000,
        11070: 0.25,
        11080: 30e6,
    }


def test_missing_tags_take_their_defaults(tmp_path: Path) -> None:
    image = Image.fromarray(pixels_from_level(_level()))
    image.getexif()[11080] = 5e6
    image.save(tmp_path / "clip.png", exif=image.getexif())
    _, params, tagged = read_image(tmp_path / "clip.png")
    assert tagged
    assert params == SpectrogramParameters(max_volume=5e6)


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "RGBA", "LA", "1", "CMYK"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_pictures_of_any_mode_and_size_are_read(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = Image.new("L", (33, 100), 255)
    picture.paste(0, (0, 50, 33, 100))  # the lower half is loud
    picture = picture.convert(mode)
    try:
        picture.save(tmp_path / f"drawn{suffix}")
    except OSError:
        picture.convert("RGB").save(tmp_path / f"drawn{suffix}")
    level, params, tagged = read_image(tmp_path / f"drawn{suffix}")
    assert level.shape == (1, 512, 33)
    assert (params, tagged) == (PARAMS, False)
    assert float(level[:, :200].mean()) > 0.95
    assert float(level[:, 312:].mean()) < 0.05


def test_sixteen_bit_grey_keeps_its_precision(tmp_path: Path) -> None:
    values = np.arange(512 * 4, dtype=np.uint16).reshape(512, 4) * 32
    Image.fromarray(values).save(tmp_path / "fine.png")
    level, _, _ = read_image(tmp_path / "fine.png")
    np.testing.assert_allclose(level[0].numpy()[::-1], 1 - values / 65535, atol=1e-6)


def test_a_stereo_image_that_has_lost_its_exif_is_stereo(tmp_path: Path) -> None:
    level = _level(2)
    Image.fromarray(pixels_from_level(level)).save(tmp_path / "clip.png")
    read, params, tagged = read_image(tmp_path / "clip.png")
    assert (params.stereo, tagged) == (True, False)
    assert float((read - level).abs().max()) <= 0.5 / 255 + 1e-6
    Image.new("RGB", (4, 512)).save(tmp_path / "black.png")
    assert len(read_image(tmp_path / "black.png")[0]) == 1


def test_an_orientation_in_exif_is_followed(tmp_path: Path) -> None:
    image = Image.fromarray(pixels_from_level(_level())).convert("L")
    image.save(tmp_path / "upright.png")
    turned = image.transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6  # to be shown turned clockwise
    turned.save(tmp_path / "turned.png", exif=turned.getexif())
    assert torch.equal(read_image(tmp_path / "turned.png")[0], read_image(tmp_path / "upright.png")[0])


def test_see_through_is_silent(tmp_path: Path) -> None:
    Image.new("RGBA", (5, 512), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert float(read_image(tmp_path / "clear.png")[0].max()) == 0.0


def _png(width: int, height: int, depth: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A grey PNG, byte by byte."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)), *chunks]
    parts += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )


def test_a_see_through_grey_of_16_bits_is_silent(tmp_path: Path) -> None:
    row = struct.pack(">BHHH", 0, 0, 1, 65_535)
    (tmp_path / "clip.png").write_bytes(_png(3, 1, 16, row, (b"tRNS", b"\0\0")))
    assert read_picture(tmp_path / "clip.png").level[0, 0].round(3).tolist() == [0.0, 1.0, 0.0]


def test_a_very_large_image_is_refused_by_its_size_and_without_a_librarys_warning(tmp_path: Path) -> None:
    for width, height in ((12_000, 8_400), (60_000, 60_000)):
        (tmp_path / "large.png").write_bytes(_png(width, height, 1, b""))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(SpectrogramError, match="million pixels"):
                read_picture(tmp_path / "large.png")


@pytest.mark.parametrize("format", ["PPM", "ICO", "TGA", "DDS"])
def test_images_of_kinds_that_are_not_read_are_not_called_damaged(tmp_path: Path, format: str) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "loop.png", format)
    with pytest.raises(SpectrogramError, match="save it as PNG") as refused:
        read_picture(tmp_path / "loop.png")
    assert "damaged" not in str(refused.value)


def test_the_shared_images_are_read(shared_folder: Path) -> None:
    paths = sorted(shared_folder.glob("*.png"))
    assert len(paths) >= 6
    for path in paths:
        level, _, tagged = read_image(path)
        assert level.shape == (1, 512, 512)
        assert not tagged


def _forged_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def _whole_png(tmp_path: Path) -> bytes:
    write_image(tmp_path / "whole.png", _level(), PARAMS)
    return (tmp_path / "whole.png").read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("page.png", b"<!DOCTYPE html><title>404</title>"),
        ("bomb.png", _forged_png(60_000, 60_000)),
        ("tall.png", _forged_png(10, 9000)),
        ("forged.png", _forged_png(512, 512)),
        ("junk.jpg", b"\xff\xd8\xff\xe0" + bytes(100)),
    ],
)
def test_what_is_no_image_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SpectrogramError, match=name):
        read_image(tmp_path / name)


def test_truncated_missing_and_folders_are_refused(tmp_path: Path) -> None:
    whole = _whole_png(tmp_path)
    for length in (1, 8, 60, len(whole) // 2):
        (tmp_path / "cut.png").write_bytes(whole[:length])
        with pytest.raises(SpectrogramError):
            read_image(tmp_path / "cut.png")
    with pytest.raises(SpectrogramError, match="gone"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(SpectrogramError, match="regular file"):
        read_image(tmp_path)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(strategies.data())
def test_flipped_bytes_raise_nothing_but_spectrogram_errors(
    tmp_path_factory: pytest.TempPathFactory, data: strategies.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("flips")
    write_image(folder / "whole.png", _level(1, 32, 5), PARAMS)
    content = bytearray((folder / "whole.png").read_bytes())
    for _ in range(data.draw(strategies.integers(1, 4))):
        content[data.draw(strategies.integers(0, len(content) - 1))] = data.draw(strategies.integers(0, 255))
    (folder / "flipped.png").write_bytes(content)
    try:
        level, _, _ = read_image(folder / "flipped.png")
    except SpectrogramError:
        return
    assert bool(torch.isfinite(level).all())


@pytest.mark.parametrize(
    ("tag", "value"),
    [(11000, 0), (11010, 0), (11040, 65535), (11060, 60000), (11020, 5), (11070, "loud"), (11007, 1)],
)
def test_absurd_parameters_are_refused(tmp_path: Path, tag: int, value: object) -> None:
    image = Image.fromarray(pixels_from_level(_level()))
    image.getexif()[tag] = value
    image.save(tmp_path / "odd.png", exif=image.getexif())
    with pytest.raises(SpectrogramError, match=r"odd\.png"):
        read_image(tmp_path / "odd.png")


def test_writing_refuses_what_would_lose_or_lie(tmp_path: Path) -> None:
    with pytest.raises(SpectrogramError, match=r"\.png"):
        write_image(tmp_path / "clip.jpg", _level(), PARAMS)
    with pytest.raises(SpectrogramError, match="NaN"):
        write_image(tmp_path / "clip.png", torch.full((1, 512, 4), float("nan")), PARAMS)
    with pytest.raises(SpectrogramError, match="channels"):
        write_image(tmp_path / "clip.png", _level(3), PARAMS)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        write_image(tmp_path / "file" / "clip.png", _level(), PARAMS)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
