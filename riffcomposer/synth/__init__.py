"""Turns composed pieces into sound: sound fonts, synthesised voices and drums, effects, one level.

Conventions: audio here is mono float32 `[samples]` at 44.1 kHz with full scale 1.0. Every draw of noise comes
from the `numpy` generator that is passed in, so the same piece always sounds the same.
"""
