"""The API, over HTTP: every route, and what a hostile page gets for an answer."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import time
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import soundfile
from PIL import Image
from served_studio import TOKEN, Served

from riffcomposer.studio.section_takes import takes_file

SONG = "song.yaml"


def text_of(served: Served) -> str:
    return (served.folder / SONG).read_text()


def test_the_openapi_document_names_every_route(standing: Served) -> None:
    paths = standing.ask("GET", "/api/v1/openapi.json").json["paths"]
    wanted = {
        "/api/v1/songs",
        "/api/v1/songs/{path}",
        "/api/v1/check",
        "/api/v1/plan",
        "/api/v1/renders",
        "/api/v1/jobs/{id}",
        "/api/v1/jobs/{id}/events",
        "/api/v1/clips/{key}.png",
        "/api/v1/clips/{key}.wav",
        "/api/v1/tracks/{path}",
        "/api/v1/takes",
        "/api/v1/picks",
        "/api/v1/jam",
        "/run_inference/",
    }
    assert wanted <= set(paths)


def test_a_fault_is_found_in_a_text_that_is_not_saved(standing: Served) -> None:
    text = text_of(standing).replace("prompt: bright bells", "promt: bright bells")
    found = standing.ask("POST", "/api/v1/check", {"path": SONG, "text": text}).json["diagnostics"]
    line = 1 + text.splitlines().index("    promt: bright bells")
    assert ("unknown-key", line) in [(each["code"], each["line"]) for each in found]
    answer = standing.ask("POST", "/api/v1/plan", {"path": SONG, "text": text})
    assert answer.status == 422
    assert answer.json["diagnostics"]


def test_a_plan_has_the_state_of_each_clip(served: Served) -> None:
    view = served.ask("POST", "/api/v1/plan", {"path": SONG, "text": text_of(served)}).json
    assert [section["name"] for section in view["sections"]] == ["first", "second", "third"]
    assert {clip["state"] for clip in view["clips"]} == {"to render"}
    assert view["budget"]["to_render"] == view["budget"]["clips"]


def test_a_song_is_saved_unless_it_changed_on_disk(served: Served) -> None:
    opened = served.ask("GET", f"/api/v1/songs/{SONG}").json
    saved = {"text": opened["text"] + "# more\n", "digest": opened["digest"]}
    answer = served.ask("PUT", f"/api/v1/songs/{SONG}", saved)
    assert answer.status == 200
    assert text_of(served).endswith("# more\n")
    assert served.ask("PUT", f"/api/v1/songs/{SONG}", saved).status == 409


def test_a_new_song_has_no_faults(served: Served) -> None:
    answer = served.ask("POST", "/api/v1/songs", {"name": "evening", "style": "jazz"})
    assert (answer.status, answer.json["path"]) == (201, "evening.yaml")
    assert served.ask("POST", "/api/v1/songs", {"name": "evening", "style": "jazz"}).status == 409
    assert served.ask("POST", "/api/v1/songs", {"name": "x", "style": "polka"}).status == 400
    assert "evening.yaml" in [song["path"] for song in served.ask("GET", "/api/v1/songs").json]


def rendered(served: Served, **more: Any) -> dict[str, Any]:
    answer = served.ask("POST", "/api/v1/renders", {"path": SONG, **more})
    assert answer.status == 202, answer.body
    return served.over(answer.json["id"])


def events_of(served: Served, job: str) -> list[tuple[str, dict[str, Any]]]:
    body = served.ask("GET", f"/api/v1/jobs/{job}/events").body.decode()
    found = []
    for block in body.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_render_is_followed_heard_and_fetched(served: Served) -> None:
    job = rendered(served)
    assert job["state"] == "done", job["error"]
    assert (served.folder / "song.lock").is_file()
    events = events_of(served, job["id"])
    assert events[0] == ("state", {"state": "queued"})
    assert events[-1][0] == "end"
    clips = [content["clip"] for kind, content in events if kind == "progress" and content["clip"]]
    assert len(set(clips)) == job["result"]["rendered"]
    sound = [content for kind, content in events if kind == "sound"]
    assert sound[-1]["ready"] == sound[-1]["total"]
    # 1. The dry mix, in pieces.
    piece = served.ask("GET", f"/api/v1/jobs/{job['id']}/sound?start=1000&stop=23050")
    audio, rate = soundfile.read(io.BytesIO(piece.body), dtype="float32")
    assert (audio.shape, rate) == ((22050, 2), 44100)
    assert np.abs(audio).max() > 0.01
    assert served.ask("GET", f"/api/v1/jobs/{job['id']}/sound?start=0&stop=99999999").status == 404
    # 2. The track, whole and in ranges.
    track = f"/api/v1/{job['result']['track']}"
    whole = served.ask("GET", track)
    part = served.ask("GET", track, Range="bytes=4-13")
    assert (part.status, part.body) == (206, whole.body[4:14])
    assert part.headers["content-range"] == f"bytes 4-13/{len(whole.body)}"
    assert served.ask("GET", track, Range=f"bytes={len(whole.body)}-").status == 416
    assert served.ask("GET", f"/api/v1/tracks/{job['result']['files'][0]}").body == whole.body
    # 3. A clip as picture; the small song's model is not the default one, so its sound is not asked for.
    assert served.ask("GET", f"/api/v1/clips/{clips[0]}.png").body[:4] == b"\x89PNG"
    assert served.ask("GET", f"/api/v1/clips/{'0' * 64}.png").status == 404
    assert served.ask("GET", "/api/v1/clips/..%2f..%2fx.png").status == 404


def test_a_page_that_comes_back_reads_on(served: Served) -> None:
    job = rendered(served)
    whole = served.ask("GET", f"/api/v1/jobs/{job['id']}/events").body
    rest = served.ask("GET", f"/api/v1/jobs/{job['id']}/events", Last_Event_ID="3").body
    assert whole.endswith(rest)
    assert rest.startswith(b"id: 4\n")


def test_a_render_is_cancelled(served: Served) -> None:
    served.engine.seconds_per_clip = 0.3
    job = served.ask("POST", "/api/v1/renders", {"path": SONG}).json["id"]
    time.sleep(0.5)
    served.ask("DELETE", f"/api/v1/jobs/{job}")
    assert served.over(job)["state"] == "cancelled"


def test_takes_are_made_and_one_is_written_into_the_song(served: Served) -> None:
    before = text_of(served)
    wanted = {"path": SONG, "section": "second", "count": 3}
    job = served.over(served.ask("POST", "/api/v1/takes", wanted).json["id"])
    assert job["state"] == "done", job["error"]
    takes = job["result"]["takes"]
    assert [take["label"] for take in takes] == ["seed 9, as it is", "seed 1009", "seed 2009"]
    sounds = [served.ask("GET", f"/api/v1/tracks/{take['track']}").body for take in takes]
    assert len(set(sounds)) == 3
    listed = {"path": SONG, "section": "second"}
    assert served.ask("GET", f"/api/v1/takes?{urlencode(listed)}").json["takes"] == takes
    (served.folder / takes[1]["track"]).unlink()
    assert served.ask("GET", f"/api/v1/takes?{urlencode(listed)}").json["takes"] == [takes[0], takes[2]]
    digest = served.ask("GET", f"/api/v1/songs/{SONG}").json["digest"]
    pick = {"path": SONG, "section": "second", "number": 3, "digest": digest}
    assert served.ask("POST", "/api/v1/picks", pick).status == 200
    assert text_of(served) == before.replace("seed: 9\n", "seed: 2009\n")
    assert served.ask("POST", "/api/v1/picks", pick).status == 409


def test_takes_that_were_never_made_and_lists_that_are_none(served: Served) -> None:
    query = urlencode({"path": SONG, "section": "second"})
    assert served.ask("GET", f"/api/v1/takes?{query}").json["takes"] == []
    file = takes_file(served.folder / SONG, "second")
    file.parent.mkdir(parents=True)
    file.write_text('{"takes": [{"number": 1}, {"number": 2, "folder": "../..", "file": "song.yaml"}]}')
    assert served.ask("GET", f"/api/v1/takes?{query}").json["takes"] == []
    # A track that is a link out of the folder.
    (served.folder.parent / "secret.flac").write_bytes(b"fLaC")
    (file.parent / "take-3").mkdir()
    (file.parent / "take-3" / "x.flac").symlink_to(served.folder.parent / "secret.flac")
    file.write_text('{"takes": [{"number": 3, "folder": "take-3", "file": "x.flac"}]}')
    assert served.ask("GET", f"/api/v1/takes?{query}").json["takes"] == []
    file.write_text("[" * 100_000)
    answer = served.ask("GET", f"/api/v1/takes?{query}")
    assert answer.status == 400
    assert "not a list of takes" in answer.json["message"]
    assert served.ask("GET", "/api/v1/takes?path=../x.yaml&section=a").status == 404


def piece_of(served: Served, jam: str, number: int) -> np.ndarray:
    end = time.monotonic() + 60
    while True:
        answer = served.ask("GET", f"/api/v1/jam/{jam}/pieces/{number}.wav")
        if answer.status == 200:
            return np.asarray(soundfile.read(io.BytesIO(answer.body), dtype="float32")[0])
        assert answer.status == 202, answer.body
        assert time.monotonic() < end, served.ask("GET", f"/api/v1/jam/{jam}").json
        time.sleep(0.05)


def test_a_jam_is_heard_steered_and_kept(served: Served, quick_jams: None) -> None:
    wanted = {"prompt": "rhodes", "seed": 7, "clips": 2}
    state = served.ask("POST", "/api/v1/jam", wanted).json
    jam = state["id"]
    pieces = [piece_of(served, jam, number) for number in range(3)]
    assert {len(piece) for piece in pieces} == {225_792}
    assert all(np.abs(piece).max() > 0.01 for piece in pieces)
    steered = served.ask("POST", f"/api/v1/jam/{jam}/steer", {"prompt": "jazz trio", "clips": 2}).json
    assert any(point["prompt"] == "jazz trio" for point in steered["ahead"])
    for number in range(3, steered["reached"] + 1):
        piece_of(served, jam, number)
    last = steered["reached"] + 1
    keep = {"first": 0, "last": last, "path": "kept.yaml", "name": "kept", "digest": None}
    kept = served.ask("POST", f"/api/v1/jam/{jam}/keep", keep)
    assert kept.status == 200, kept.body
    assert kept.json["same"] == kept.json["clips"] == last
    assert "jazz trio" in (served.folder / "kept.yaml").read_text()
    assert served.ask("POST", f"/api/v1/jam/{jam}/keep", keep).status == 409
    # What was kept is in the store already, to the last clip.
    text = (served.folder / "kept.yaml").read_text()
    view = served.ask("POST", "/api/v1/plan", {"path": "kept.yaml", "text": text}).json
    assert {clip["state"] for clip in view["clips"]} == {"cached"}
    other = {**keep, "path": SONG, "digest": served.ask("GET", f"/api/v1/songs/{SONG}").json["digest"]}
    assert "BPM" in served.ask("POST", f"/api/v1/jam/{jam}/keep", other).json["message"]
    assert served.ask("DELETE", f"/api/v1/jam/{jam}").status == 200
    assert served.ask("GET", f"/api/v1/jam/{jam}").status == 404


def test_a_jam_starts_from_a_file_of_ones_own(served: Served) -> None:
    times = np.arange(4 * 44100) / 44100
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(2 * np.pi * 220 * times) * (times % 0.5 < 0.1), 44100, format="WAV")
    token = {"Authorization": f"Bearer {TOKEN}"}
    sent = served.raw("POST", "/api/v1/uploads?name=..%2F..%2Fmy%20loop.wav", buffer.getvalue(), **token)
    assert sent.status == 201, sent.body
    assert sent.json["path"].startswith("recordings/my-loop-")
    wanted = {"prompt": "rhodes", "seed": 7, "start": "file", "name": sent.json["path"], "tempo": 120}
    jam = served.ask("POST", "/api/v1/jam", wanted)
    assert jam.status == 201, jam.body
    assert np.abs(piece_of(served, jam.json["id"], 0)).max() > 0.01
    keep = {"first": 0, "last": 1, "path": "kept.yaml", "name": "kept", "digest": None}
    assert served.ask("POST", f"/api/v1/jam/{jam.json['id']}/keep", keep).status == 200
    assert f"init: {sent.json['path']}" in (served.folder / "kept.yaml").read_text()
    (served.folder / "album").mkdir()
    there = served.folder / "album" / sent.json["path"]
    for _ in range(2):
        below = served.ask("POST", f"/api/v1/jam/{jam.json['id']}/keep", {**keep, "path": "album/kept.yaml"})
        assert below.status == 200, below.body
        assert below.json["same"] == below.json["clips"] == 1
        assert there.read_bytes() == (served.folder / sent.json["path"]).read_bytes()
        (served.folder / "album" / "kept.yaml").unlink()
    there.write_bytes(b"another file")
    refused = served.ask("POST", f"/api/v1/jam/{jam.json['id']}/keep", {**keep, "path": "album/kept.yaml"})
    assert (refused.status, "is another file" in refused.json["message"]) == (409, True), refused.body
    assert there.read_bytes() == b"another file"
    (served.folder / "linked").mkdir()
    outside = served.folder.parent / "outside"
    outside.mkdir()
    (served.folder / "linked" / "recordings").symlink_to(outside)
    refused = served.ask("POST", f"/api/v1/jam/{jam.json['id']}/keep", {**keep, "path": "linked/kept.yaml"})
    assert (refused.status, "leads out" in refused.json["message"]) == (404, True), refused.body
    assert list(outside.iterdir()) == []
    assert not (served.folder / "linked" / "kept.yaml").exists()


def test_a_file_that_is_too_large_or_no_sound_is_refused(standing: Served) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"}
    assert standing.raw("POST", "/api/v1/uploads?name=x.wav", b"<script>", **token).status == 400
    assert standing.raw("POST", "/api/v1/uploads?name=x.wav", bytes((32 << 20) + 2), **token).status == 413
    assert not (standing.folder / "recordings").exists()


RIFFUSION_REQUEST = {
    "alpha": 0.25,
    "num_inference_steps": 50,
    "seed_image_id": "og_beat",
    "mask_image_id": None,
    "start": {"prompt": "church bells on sunday", "seed": 42, "denoising": 0.75, "guidance": 7.0},
    "end": {"prompt": "jazz with piano", "seed": 123, "denoising": 0.75, "guidance": 7.0},
}
"""What Riffusion's public web app sends."""


def test_every_seed_image_and_mask_of_riffusion_has_a_counterpart() -> None:
    pytest.importorskip("fastapi")
    from riffcomposer.loops.catalogue import catalogue
    from riffcomposer.studio.riffusion_api import MASKS, SEED_IMAGES

    assert set(SEED_IMAGES.values()) <= set(catalogue().clips)
    assert set(MASKS.values()) <= set(catalogue().masks)


def test_riffusions_web_app_is_answered_in_its_own_form(served: Served) -> None:
    answer = served.raw(
        "POST",
        f"/run_inference/?token={TOKEN}",
        json.dumps(RIFFUSION_REQUEST).encode(),
        Content_Type="application/json",
    )
    assert answer.status == 200, answer.body
    assert set(answer.json) == {"image", "audio", "duration_s"}
    kind, image = answer.json["image"].split(",", 1)
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(image))).size == (512, 512)
    kind, sound = answer.json["audio"].split(",", 1)
    assert kind == "data:audio/mpeg;base64"
    audio, rate = soundfile.read(io.BytesIO(base64.b64decode(sound)))
    assert answer.json["duration_s"] == pytest.approx(5.12, abs=0.02)
    assert len(audio) / rate == pytest.approx(5.12, abs=0.1)
    wrong = {**RIFFUSION_REQUEST, "seed_image_id": "../../etc/passwd"}
    assert served.ask("POST", "/run_inference/", wrong).status == 400


HOSTILE = [
    ("GET", "/", {}, 401),
    ("GET", "/api/v1/songs", {}, 401),
    ("GET", "/api/v1/songs", {"Authorization": "Bearer wrong"}, 401),
    ("GET", "/api/v1/songs", {"Host": "evil.example"}, 421),
    ("POST", "/api/v1/renders", {"Origin": "http://evil.example", "Authorization": f"Bearer {TOKEN}"}, 403),
    ("POST", "/api/v1/check", {"Origin": "null", "Authorization": f"Bearer {TOKEN}"}, 403),
    ("POST", "/api/v1/uploads", {"Origin": "http://evil.example", "Authorization": f"Bearer {TOKEN}"}, 403),
    ("GET", "/api/v1/tracks/song.yaml", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/api/v1/tracks/..%2f..%2fetc%2fpasswd.png", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/api/v1/songs/..%2fsecret.yaml", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/static/../app.py", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/static/%2e%2e/app.py", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/codemirror/..%2f..%2f__init__.py", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/docs", {"Authorization": f"Bearer {TOKEN}"}, 404),
    ("GET", "/api/v1/songs", {"Sec_Fetch_Site": "cross-site", "Authorization": f"Bearer {TOKEN}"}, 403),
    ("GET", "/api/v1/diff/song.yaml?revision=--output=x", {"Authorization": f"Bearer {TOKEN}"}, 400),
    ("OPTIONS", "/api/v1/songs", {"Origin": "http://evil.example"}, 403),
]


@pytest.mark.parametrize(("method", "path", "headers", "status"), HOSTILE)
def test_what_a_hostile_page_tries_is_refused(
    standing: Served, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = standing.raw(method, path, None, **headers)
    assert answer.status == status
    assert "access-control-allow-origin" not in answer.headers
    assert "content-security-policy" in answer.headers


def test_a_body_that_is_too_long_is_refused(standing: Served) -> None:
    answer = standing.raw(
        "POST",
        "/api/v1/check",
        b"x" * 1_100_000,
        Authorization=f"Bearer {TOKEN}",
        Content_Type="application/json",
    )
    assert answer.status == 413


def test_opening_a_strangers_song_writes_nothing_and_renders_nothing(served: Served) -> None:
    before = sorted(path for path in served.folder.rglob("*"))
    text = text_of(served)
    served.ask("GET", f"/api/v1/songs/{SONG}")
    served.ask("POST", "/api/v1/check", {"path": SONG, "text": text})
    served.ask("POST", "/api/v1/plan", {"path": SONG, "text": text})
    assert sorted(path for path in served.folder.rglob("*")) == before
    assert not served.engine.rendered


def test_git_state_and_changes_since_the_commit(served: Served) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", str(served.folder), *who, *words], check=True, capture_output=True)

    assert not served.ask("GET", f"/api/v1/songs/{SONG}").json["git"]["tracked"]
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    state = served.ask("GET", f"/api/v1/songs/{SONG}").json["git"]
    assert (state["tracked"], state["branch"], state["changed"]) == (True, "main", False)
    (served.folder / SONG).write_text(text_of(served).replace("seed: 9", "seed: 10"))
    assert served.ask("GET", f"/api/v1/songs/{SONG}").json["git"]["changed"]
    diff = served.ask("GET", f"/api/v1/diff/{SONG}").json
    assert [section["name"] for section in diff["sections"]] == ["second"]
    # The committed version is rendered beside the file's, and leaves its lock alone.
    job = rendered(served, revision="HEAD")
    assert job["state"] == "done", job["error"]
    assert not (served.folder / "song.lock").exists()
    assert served.ask("GET", f"/api/v1/{job['result']['track']}").body[:4] == b"fLaC"
