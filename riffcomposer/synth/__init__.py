"""Renders composed pieces to audio: sampled and synthesised instruments, drum machines, effects, loudness.

Conventions: audio here is mono float32 `[samples]` at 44.1 kHz with full scale 1.0. Every draw of noise comes
from the `numpy` generator that is passed in, so the same piece always sounds the same.
"""
