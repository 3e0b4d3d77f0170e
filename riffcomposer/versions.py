"""The versions of the code that decides samples: raise one, and what was stored under it is made again.

The golden digests in the tests fail where output changes and its version does not go up.
"""

from __future__ import annotations

SAMPLER_VERSION = 1
"""Version of the sampling code that decides samples; raising it makes every clip new."""

DECODER_VERSION = 4
"""Version of the decoding code; raising it decodes every passage again."""

MIX_VERSION = 3
"""Version of the mixing and mastering code; raising it masters every track again."""

REPORT_VERSION = 2
"""Version of what `report.json` holds; raising it masters every track again, for its report."""

AUDIO_READER_VERSION = 4
"""Version of the code that reads users' sounds; raising it makes every clip that starts from one new."""

LORA_VERSION = 2
"""Version of the code that applies LoRA files; raising it makes every clip that uses one new."""

SYNTH_VERSION = 1
"""Version of the synth; raising it makes every clip that starts from a score or from MIDI new."""

MIDI_VERSION = 2
"""Version of the code that reads users' MIDI files; raising it makes every clip that starts from one new."""
