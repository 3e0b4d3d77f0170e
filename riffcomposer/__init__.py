"""riffcomposer: a declarative song renderer.

A YAML song file goes in; a planner turns it into diffusion renders on mel-spectrogram images;
these are decoded into sound, joined on a bar grid and mastered into a finished track.
"""

__version__ = "0.1.0"
