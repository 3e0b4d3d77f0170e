"""The parameters of a mel-spectrogram image, shared by planning, decoding and training.

Conventions: audio is float32 `[channels, samples]`; mel is float32 `[channels, n_mels, frames]`,
the mel-weighted *magnitude* (not power) of a Hann-windowed STFT; an image is `[height = n_mels,
width = frames]`, low frequencies at the bottom, dark where it is loud. A *level* is the image
before it becomes 8 bits: float in 0..1, `(mel / max_volume) ** 0.25`, row 0 the lowest band,
1 the loudest. An 8-bit image is `255 - 255 * level`, flipped top to bottom, rounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class SpectrogramParameters:
    """How Riffusion turns sound into an image (its defaults; `n_fft` and lengths are derived).

    Attributes:
        sample_rate: Hz of the audio.
        step_size_ms: Time between frames; one image column each.
        window_duration_ms: Length of the Hann window.
        padded_duration_ms: Length of the zero-padded transform.
        num_frequencies: Mel bands, the image's height.
        min_frequency: Lowest mel band edge in Hz.
        max_frequency: Highest mel band edge in Hz.
        mel_scale_norm: None or "slaney", as torchaudio names it.
        mel_scale_type: "htk" or "slaney".
        power_for_image: Exponent from mel to image level.
        stereo: Whether the image carries left and right in two colour channels.
        max_volume: The mel magnitude of level 1, the same for every clip of a song.
    """

    sample_rate: int = 44100
    step_size_ms: int = 10
    window_duration_ms: int = 100
    padded_duration_ms: int = 400
    num_frequencies: int = 512
    min_frequency: int = 0
    max_frequency: int = 10000
    mel_scale_norm: str | None = None
    mel_scale_type: str = "htk"
    power_for_image: float = 0.25
    stereo: bool = False
    max_volume: float = 30e6

    @property
    def hop_length(self) -> int:
        """Samples between frames (441 at 44.1 kHz)."""
        return int(self.step_size_ms / 1000 * self.sample_rate)

    @property
    def win_length(self) -> int:
        """Samples in the window (4410 at 44.1 kHz)."""
        return int(self.window_duration_ms / 1000 * self.sample_rate)

    @property
    def n_fft(self) -> int:
        """Samples in the transform (17640 at 44.1 kHz)."""
        return int(self.padded_duration_ms / 1000 * self.sample_rate)

    @property
    def frames_per_second(self) -> Fraction:
        """Frames per second, exact."""
        return Fraction(self.sample_rate, self.hop_length)
