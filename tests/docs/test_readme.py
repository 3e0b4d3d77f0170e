"""The README is correct: its table matches the schema, its commands exist, and its links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from small_song import FakeEngines

from riffcomposer.cli.main import COMMANDS, build_app
from riffcomposer.song.key_table import with_table
from riffcomposer.song.reader import parse_song


@pytest.fixture(scope="module")
def readme(repository: Path) -> str:
    return (repository / "README.md").read_text(encoding="utf-8")


def test_the_table_of_keys_is_up_to_date(readme: str) -> None:
    assert with_table(readme) == readme, "run: python -m riffcomposer.song.key_table"


def test_both_set_up_commands_are_marked_for_ci(readme: str) -> None:
    for name in ("render", "test"):
        assert re.search(rf"<!-- command: {name} -->\s*```sh\n.+\n```", readme)


def test_every_command_in_a_shell_block_exists_with_its_options(readme: str) -> None:
    import typer.main

    commands: dict[str, Any] = vars(typer.main.get_command(build_app()))["commands"]
    shown = 0
    for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if "riffcompose" not in [Path(word).name for word in words]:
                continue
            start = [Path(word).name for word in words].index("riffcompose")
            assert words[start + 1] in COMMANDS, line
            command = commands[words[start + 1]]
            inner: dict[str, Any] = getattr(command, "commands", {})
            command = inner[words[start + 2]] if inner else command
            options = {name for parameter in command.params for name in parameter.opts}
            assert {word for word in words[start:] if word.startswith("--")} <= options, line
            shown += 1
    assert shown >= 5


def test_every_yaml_block_is_part_of_a_song_that_reads(readme: str) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        if block.startswith("title:"):
            text = block
        elif block.startswith("- "):
            text = "sections:\n" + "".join(f"  {line}\n" for line in block.splitlines())
        else:
            text = "sections:\n  - prompt: x\n    bars: 4\n" + "".join(
                f"    {line}\n" for line in block.splitlines()
            )
        assert parse_song(text.encode(), Path("readme.yaml")).resolved.sections


def test_every_link_into_the_repository_leads_to_a_file(readme: str, repository: Path) -> None:
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", readme)
    assert links
    for link in links:
        assert (repository / link).exists(), link


def test_the_python_example_runs_on_a_small_song(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "songs").mkdir()
    song = "defaults: {init: lofi-keys, strength: 0}\nsections:\n  - {prompt: keys, clips: 1}\n"
    (tmp_path / "songs" / "night-bus-home.yaml").write_text(song + "output: {decoder: fast}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIFFCOMPOSER_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("RIFFCOMPOSER_DEVICE", "cpu")
    # Whether a model renders is tested elsewhere: here it is whether the example is right.
    monkeypatch.setattr("riffcomposer.render.engines.in_process.InProcessEngines", FakeEngines)
    exec(compile(block, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "night-bus-home.flac" in printed
    assert "clips_to_render=1" in printed
