"""The grammar of styles: which tempi, scales, progressions, patterns, instruments and mixes go together."""

from __future__ import annotations

from riffcomposer.composer.acoustic_styles import ACOUSTIC_STYLES
from riffcomposer.composer.band_styles import BAND_STYLES
from riffcomposer.composer.electronic_styles import ELECTRONIC_STYLES
from riffcomposer.composer.style import Style

STYLES: dict[str, Style] = {
    style.name: style for style in (*ELECTRONIC_STYLES, *BAND_STYLES, *ACOUSTIC_STYLES)
}
