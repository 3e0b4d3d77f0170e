"""Golden outputs of each stage and the composer, by which a change without a new version is noticed.

Results are kept by content: a key holds the version of the code that made them and not the code. Code that
gives other samples under the same version would mix old results with new ones in one track.

After `SAMPLER_VERSION`, `DECODER_VERSION`, `MIX_VERSION` or `SYNTH_VERSION` (`STAGES` says where they are)
or `COMPOSER_VERSION` was raised, `python tests/golden.py` writes all golden files again. It refuses for a
stage whose output changed while its version did not go up; the others are written.

Fingerprints of sound and levels are compared with a tolerance (see `fingerprints.difference`): processors,
threads and releases of the math libraries round differently, and what a decoder iterates grows from there.
Measured with 1, 2 and 4 threads, MKL's compatible code, AVX2 only and neither AVX nor FMA, the sampler
differed by up to 6e-5, the decoder by 4e-3 and the mix not at all. Changes of code came to 1.5e-2 and more
in the sampler (guidance 1 % off), 1.1e-2 and more in the decoder (39 last iterations for 40 in `default`)
and 1e-2 and more in the mix (limiter 0.01 dB lower). The tolerances are between. One iteration of the 150
in `best` (6e-3) is not told from rounding. The synth was the same with 1 and 4 threads, and
with numpy 2.4 and 2.5 it differed by 1.7e-3 where a tape's sound is rounded to few bits; 1 % on the weight of
attenuation, or steps of its filter 1 cent wider, come to 5e-3 and more.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import golden_decoder
import golden_mix
import golden_notes
import golden_sampler
import golden_synth
from fingerprints import Fingerprint, difference

from riffcomposer.versions import DECODER_VERSION, MIX_VERSION, SAMPLER_VERSION, SYNTH_VERSION

GOLDEN = Path(__file__).parent / "golden.json"
VERSIONS_AT = "riffcomposer/versions.py"
COMMAND = "python tests/golden.py"

Results = Mapping[str, Fingerprint]


@dataclass(frozen=True)
class Stage:
    """One stage of a render.

    Attributes:
        version_name, version: What is raised when its output changes.
        compute: Case to fingerprint, given an empty folder to work in.
        tolerance: The largest `fingerprints.difference` that is not a change of the code.
    """

    version_name: str
    version: int
    compute: Callable[[Path], dict[str, Fingerprint]]
    tolerance: float


STAGES = {
    "sampler": Stage("SAMPLER_VERSION", SAMPLER_VERSION, golden_sampler.compute, 1e-3),
    "decoder": Stage("DECODER_VERSION", DECODER_VERSION, golden_decoder.compute, 8e-3),
    "mix": Stage("MIX_VERSION", MIX_VERSION, golden_mix.compute, 2e-3),
    "synth": Stage("SYNTH_VERSION", SYNTH_VERSION, golden_synth.compute, 3e-3),
}


def computed(name: str) -> dict[str, Fingerprint]:
    """A stage's fingerprints as the code makes them now."""
    with tempfile.TemporaryDirectory() as folder:
        return STAGES[name].compute(Path(folder))


def read_golden() -> dict[str, Any]:
    """What was written last: for each stage its `version` and `cases`."""
    content: dict[str, Any] = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return content


def changed(name: str, golden: Results, now: Results) -> dict[str, float]:
    """Cases whose output is not what it was, with how far they are apart; new cases are no change."""
    apart = {
        case: difference(before, now[case]) if case in now else math.inf for case, before in golden.items()
    }
    return {case: value for case, value in apart.items() if value > STAGES[name].tolerance}


def complaint(name: str, golden: Mapping[str, Any], now: Results) -> str:
    """What is wrong with a stage and what to do about it; empty if all is well."""
    stage = STAGES[name]
    others = changed(name, golden["cases"], now)
    if others and golden["version"] == stage.version:
        listed = ", ".join(f"{case} (by {value:.2g})" for case, value in others.items())
        return (
            f"the {name} gives another output than before, tolerance {stage.tolerance:g}: {listed}. If that "
            f"is wanted, raise {stage.version_name} in {VERSIONS_AT} and run `{COMMAND}`; if not, the change "
            "that you made to the code is to be found"
        )
    if golden["version"] != stage.version:
        return f"{stage.version_name} was raised: run `{COMMAND}`, which writes the {name}'s output anew"
    if golden["cases"].keys() != now.keys():
        return f"{GOLDEN.name} lacks cases of the {name}: run `{COMMAND}`, which adds them"
    return ""


def write(now: Mapping[str, Results]) -> list[str]:
    """Writes the stages given, but for those whose output changed while their version did not go up.

    A stage that is as it was stays as it is written, digit for digit.

    Returns:
        What was refused, one message for each stage.
    """
    content = read_golden() if GOLDEN.is_file() else {}
    refused = []
    for name, cases in now.items():
        stage, before = STAGES[name], content.get(name)
        if before and changed(name, before["cases"], cases) and stage.version <= before["version"]:
            refused.append(complaint(name, {**before, "version": stage.version}, cases))
        elif not before or complaint(name, before, cases):
            content[name] = {"version": stage.version, "cases": cases}
    lines = json.dumps(content, indent=1, allow_nan=False)
    GOLDEN.write_text(lines + "\n", encoding="utf-8")
    return refused


def main() -> int:
    """Writes the golden files again where that is allowed."""
    refused = write({name: computed(name) for name in STAGES})
    for message in refused:
        print(message)
    return max(golden_notes.main(), int(bool(refused)))


if __name__ == "__main__":
    sys.exit(main())
