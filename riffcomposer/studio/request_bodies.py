"""The bodies of requests; FastAPI checks them and describes them in the OpenAPI document."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from riffcomposer.song.yaml_text import MAX_BYTES

Text = Field(max_length=MAX_BYTES)
SongPath = Field(min_length=1, max_length=500)


class Body(BaseModel):
    """A body with no other keys than those named."""

    model_config = ConfigDict(extra="forbid")


class SongText(Body):
    """A text that may not be saved yet.

    Attributes:
        path: The song's file in the folder, which need not exist.
        text: Its content.
        draft: For plans: whether of a draft.
    """

    path: str = SongPath
    text: str = Text
    draft: bool = False


class SavedSong(Body):
    """A song to save.

    Attributes:
        text: The new content.
        digest: Of the version that was edited; null for a new file.
    """

    text: str = Text
    digest: str | None = Field(None, max_length=64)


class NewSong(Body):
    """A song to start from."""

    name: str = SongPath
    style: str = Field("lo-fi hip hop", max_length=40)


class RenderRequest(Body):
    """A render of a song's file.

    Attributes:
        only: One section's name.
        revision: A git revision to render instead of the file.
    """

    path: str = SongPath
    draft: bool = False
    only: str | None = Field(None, max_length=200)
    revision: str | None = Field(None, max_length=200)


class TakesRequest(Body):
    """Takes of one section."""

    path: str = SongPath
    section: str = Field(max_length=200)
    count: int = Field(4, ge=2, le=24)
    vary: Literal["seed", "strength", "loop"] = "seed"
    draft: bool = True


class PickRequest(Body):
    """The take that goes into the song.

    Attributes:
        digest: Of the version of the song that the page shows.
    """

    path: str = SongPath
    section: str = Field(max_length=200)
    number: int = Field(ge=1, le=24)
    digest: str = Field(max_length=64)


class JamRequest(Body):
    """Where a jam begins."""

    prompt: str = Field(min_length=1, max_length=500)
    seed: int = Field(1, ge=0, lt=2**62)
    strength: float = Field(0.55, ge=0, le=1)
    start: Literal["loop", "score", "file"] = "loop"
    name: str = Field("lofi-keys", max_length=300)
    tempo: float = Field(93.75, ge=20, le=400)
    clips: int = Field(4, ge=1, le=16)
    song_seed: int = Field(1, ge=0, lt=2**62)
    negative_prompt: str = Field("", max_length=500)


class SteerRequest(Body):
    """Where a jam goes next.

    Attributes:
        clips: In how many clips the prompt is reached.
        seed: Its seed; the seed of the point before it if null.
    """

    prompt: str = Field(min_length=1, max_length=500)
    strength: float = Field(0.55, ge=0, le=1)
    clips: int = Field(4, ge=1, le=16)
    seed: int | None = Field(None, ge=0, lt=2**62)


class KeepRequest(Body):
    """What of a jam goes into a song.

    Attributes:
        first, last: Numbers of the first clip and of the one after the last.
        path: The song; it is written anew if it does not exist.
        name: Name of the section.
        digest: Of the version of the song that the page shows; null for a new file.
    """

    first: int = Field(ge=0)
    last: int = Field(ge=1)
    path: str = SongPath
    name: str = Field(min_length=1, max_length=80)
    digest: str | None = Field(None, max_length=64)
