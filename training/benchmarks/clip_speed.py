"""Times how fast training clips are composed, rendered and turned into mels, on one core.

    python training/benchmarks/clip_speed.py FONTS_FOLDER [pieces]

Prints CPU time per clip, times real time, and the share of composing, rendering and mel.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from riffcomposer.synth.piece_audio import render_piece
from riffcomposer.synth.soundfont_choice import SHIPPED
from riffcomposer.synth.soundfont_player import SoundFontPlayer
from riffcomposer.synth.voices import SAMPLE_RATE
from riffcomposer_training import fonts
from riffcomposer_training.clips import clips_of
from riffcomposer_training.collection import compose
from riffcomposer_training.fast_mel import mels_at
from riffcomposer_training.windows import rendered_s

CLIP_S = 5.76


def main() -> None:
    """Measures pieces 0, 1, 2, ... of collection 1, and their drift from the first half to the second."""
    player = SoundFontPlayer([SHIPPED, *fonts.find(Path(sys.argv[1]) if len(sys.argv) > 1 else None)])
    pieces = int(sys.argv[2]) if len(sys.argv) > 2 else 120
    clips_of(compose(1, 0), player)
    spent = {"compose": 0.0, "render": 0.0, "mel": 0.0}
    halves, clips = [0.0, 0.0], 0
    for index in range(pieces):
        marks = [time.process_time()]
        collected = compose(1, index)
        marks.append(time.process_time())
        piece, starts, beat_s = collected.piece, collected.starts, collected.piece.layout.seconds_per_beat
        (audio,) = render_piece(piece, duration_s=rendered_s(piece.layout, starts), player=player)
        marks.append(time.process_time())
        mels_at(audio, [round(start * beat_s * SAMPLE_RATE) for start in starts])
        marks.append(time.process_time())
        for place, stage in enumerate(spent):
            spent[stage] += marks[place + 1] - marks[place]
        halves[index * 2 // pieces] += marks[-1] - marks[0]
        clips += len(starts)
    total = sum(spent.values())
    print(f"{clips} clips: {total / clips:.3f} core-s per clip, {clips / total:.1f} clips per core-second")
    print(f"{clips * CLIP_S / total:.0f} times real time a core")
    print(f"cost of the second half over that of the first: {halves[1] / halves[0]:.2f}")
    for stage, seconds in spent.items():
        print(f"  {stage:8} {1000 * seconds / clips:6.1f} ms per clip")


if __name__ == "__main__":
    main()
