"""Turns composed pieces into sound: sound fonts, our own synthesis, effects, and the way to mel.

Conventions: audio here is mono float32 `[samples]` at 44.1 kHz with full scale 1.0 until `render`
brings a piece to the level of the collection. Every draw of noise comes from the `numpy` generator
that is passed in.
"""
