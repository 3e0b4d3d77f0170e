"""Words that captions use for the sounds of the world; `riffcomposer.composer.words` has those for music."""

from __future__ import annotations

FOLEY_WORDS = {
    "rain": ("rain", "rain falling", "heavy rain", "the sound of rain"),
    "sea waves": ("ocean waves", "sea waves", "waves on a beach"),
    "wind": ("wind", "howling wind", "the sound of wind"),
    "vinyl crackle": ("vinyl crackle", "record noise", "crackling vinyl"),
    "typing": ("typing", "typing on a keyboard", "typewriter", "keyboard clicks"),
    "crowd": ("crowd", "crowd talking", "people talking", "chatter"),
    "applause": ("applause", "clapping crowd", "audience applause"),
    "fire": ("fire crackling", "campfire", "fireplace"),
    "birds": ("birds singing", "birdsong", "chirping birds"),
    "clock": ("clock ticking", "ticking clock"),
    "heartbeat": ("heartbeat", "heart beating"),
    "train": ("train", "train on tracks", "railway"),
    "thunder": ("thunder", "thunderstorm", "storm"),
    "footsteps": ("footsteps", "walking footsteps"),
    "water drops": ("water drops", "dripping water"),
    "engine": ("engine", "motor engine", "car engine"),
    "static noise": ("static", "white noise", "radio static"),
    "siren": ("siren", "police siren", "alarm"),
    "crickets": ("crickets", "crickets at night", "night insects"),
    "laser": ("laser sounds", "sci-fi lasers", "video game zaps"),
    "telephone": ("telephone ringing", "phone ringing"),
    "stream": ("running water", "stream", "babbling brook"),
}
