"""Canonical jobs, and the keys of stored clips and passages.

A key is the SHA-256 of canonical JSON (sorted keys, no spaces, UTF-8) of everything that decides
the samples and nothing else: no names, no paths, no order, no mix or master settings. Two jobs
with the same samples have the same canonical form, so they have one key and are rendered once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from riffcomposer.plan.inits import InitClip, MidiInit
from riffcomposer.plan.score_types import ScoreInit
from riffcomposer.plan.types import ClipJob, Passage, Place, Plan, Point
from riffcomposer.strength import FULL, effective_steps, rounded, strength_of
from riffcomposer.versions import AUDIO_READER_VERSION, LORA_VERSION, MIDI_VERSION, SAMPLER_VERSION


def canonical(job: ClipJob) -> ClipJob:
    """Returns the one form of all jobs that make the same samples.

    - Numbers are rounded (see `riffcomposer.strength`); both points carry the strength and guidance of the
      place.
    - At an end point (alpha 0 or 1, or both points equal) both points are that one and alpha is 0.
    - The points are in order of (prompt, seed); swapping them turns alpha into 1 - alpha.
    - If no step is run, the loop itself is heard: prompts, seeds, guidance, mask and so on are removed.
    - At full strength without a mask the loop has no effect and is removed.
    - LoRAs are in order of their digests; those of weight 0 are removed.
    """
    strength = strength_of(rounded(job.strength), has_init=job.init is not None)
    if job.init is not None and effective_steps(job.num_inference_steps, strength) == 0:
        return replace(
            job, place=_NOWHERE, negative_prompt="", num_inference_steps=0, scheduler="", mask=None, loras=()
        )
    return replace(
        job,
        place=_canonical_place(job.place, strength),
        init=None if strength == FULL and job.mask is None else job.init,
        mask=job.mask if job.init is not None else None,
        loras=tuple(
            sorted(
                (lora for lora in job.loras if rounded(lora.weight) != 0.0),
                key=lambda lora: (lora.sha256, lora.weight),
            )
        ),
    )


_NOWHERE = Place(Point("", 0, 0.0, 0.0), Point("", 0, 0.0, 0.0), 0.0)
"""The place of a clip that runs no step."""


def _canonical_place(place: Place, strength: float) -> Place:
    """Returns the place with its points in order, both at the strength and guidance of the place."""
    guidance_scale = rounded(place.guidance_scale)
    a, b = (replace(point, strength=strength, guidance_scale=guidance_scale) for point in (place.a, place.b))
    alpha = rounded(place.alpha)
    if alpha == 0.0 or a == b:
        return Place(a, a, 0.0)
    if alpha == 1.0:
        return Place(b, b, 0.0)
    if (b.prompt, b.seed) < (a.prompt, a.seed):
        return Place(b, a, rounded(1.0 - alpha))
    return Place(a, b, alpha)


def job_fields(job: ClipJob) -> dict[str, Any]:
    """Returns the deciding fields of a canonical job as plain JSON values, in the order `plan` lists them."""
    fields: dict[str, Any] = {
        "prompt_a": job.place.a.prompt,
        "prompt_b": job.place.b.prompt,
        "seed_a": job.place.a.seed,
        "seed_b": job.place.b.seed,
        "alpha": job.place.alpha,
        "negative_prompt": job.negative_prompt,
        "strength": job.strength,
        "guidance_scale": job.guidance_scale,
        "num_inference_steps": job.num_inference_steps,
        "scheduler": job.scheduler,
        "frames_per_quarter": str(job.frames_per_quarter),
        "clip_quarters": str(job.clip_quarters),
        "width_frames": job.width_frames,
        "model": job.model_digest,
        "compute": job.backend,
        "sampler_version": SAMPLER_VERSION,
    }
    if isinstance(job.init, ScoreInit):
        fields |= _score_fields(job.init)
    elif isinstance(job.init, MidiInit):
        fields |= _midi_fields(job.init)
    elif job.init is not None:
        fields |= _file_fields(job.init)
    if job.mask is not None:
        fields["mask"] = job.mask.sha256
    if job.loras:
        fields["loras"] = [f"{lora.sha256} x {rounded(lora.weight)}" for lora in job.loras]
        fields["lora_version"] = LORA_VERSION
    return fields


def _file_fields(init: InitClip) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "init": init.sha256,
        "init_kind": "audio" if init.kind == "audio" else "image",
        "init_tempo": str(init.tempo),
        "init_loop_quarters": str(init.loop_quarters),
        "init_start_seconds": str(init.start_seconds),
    }
    if init.at_quarters:
        fields["init_at_quarters"] = str(init.at_quarters)
    if init.kind == "audio":
        fields["audio_reader_version"] = AUDIO_READER_VERSION
    return fields


def _midi_fields(init: MidiInit) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "init": init.sha256,
        "init_kind": "midi",
        "init_start_quarters": str(init.start_quarters),
        "init_loop_quarters": str(init.loop_quarters),
        "init_at_quarters": str(init.at_quarters),
        "midi_version": MIDI_VERSION,
        "score_sound": init.sound,
    }
    if init.tracks:
        fields["init_tracks"] = list(init.tracks)
    return fields


def _score_fields(init: ScoreInit) -> dict[str, Any]:
    fields: dict[str, Any] = {f"score_{name}": text for name, text in init.stretch.fields}
    fields["score_at_quarters"] = str(init.at_quarters)
    fields["score_sound"] = init.sound
    if init.heard:
        fields["score_heard"] = " ".join(init.heard)
    if init.following is not None:
        fields["score_following"] = init.following.digest
    return fields


def digest(value: Any) -> str:
    """Returns the SHA-256, in hexadecimal, of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def fields_key(fields: Mapping[str, Any]) -> str:
    """Returns the key of a clip with these deciding fields (see `job_fields`)."""
    return digest({"stage": "clip", **fields})


def job_key(job: ClipJob) -> str:
    """Returns the key of a clip, made from the job's canonical form and the sampler's version."""
    return fields_key(job_fields(canonical(job)))


def passage_key(
    plan: Plan,
    passage: Passage,
    *,
    decoder: str,
    decoder_version: int,
    phase_seed: int,
    extra: Iterable[str] = (),
) -> str:
    """Returns the key of a passage's audio: its clips, their positions in it, and how it is decoded.

    Args:
        plan: The plan that the passage is from.
        passage: The passage.
        decoder: Name of the decoder's preset.
        decoder_version: Version of the decoding code; raising it decodes every passage again.
        phase_seed: Seed of the phase.
        extra: Everything else that decides the audio, as text (`backend` of the decoder, for instance).
    """
    first, past = passage.clips
    grid = plan.grid
    return digest(
        {
            "stage": "passage",
            "clips": [
                [clip.key, clip.start_sample - passage.start_sample, clip.slot_samples]
                for clip in plan.clips[first:past]
            ],
            "body_samples": passage.body_samples,
            "tail_samples": passage.tail_samples,
            "wraps": passage.wraps,
            "sample_rate": grid.sample_rate,
            "hop_length": grid.hop_length,
            "width_frames": grid.width_frames,
            "join_samples": grid.join_samples,
            "decoder": decoder,
            "decoder_version": decoder_version,
            "phase_seed": phase_seed,
            "extra": list(extra),
        }
    )
