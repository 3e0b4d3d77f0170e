"""The cluster page's recipes: what can be checked of them without a cluster."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "cluster.md"
RAY = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or importlib.util.find_spec("jsonschema") is None,
    reason="Ray is not installed: pip install 'riffcomposer[ray]' jsonschema",
)


def block(language: str, with_text: str) -> str:
    """Returns the page's one block of a language that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [each for each in blocks if with_text in each]
    return found


@RAY
def test_ray_itself_accepts_the_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster: dict[str, Any] = yaml.safe_load(block("yaml", "cluster_name"))
    validate_config(prepare_config(cluster))
    with pytest.raises(Exception, match="setup_command"):
        validate_config(prepare_config({**cluster, "setup_command": ["a key that does not exist"]}))


@pytest.mark.parametrize("starts", ["#SBATCH", "ray start --head --node-ip-address=10", "auth_token"])
def test_scripts_are_valid(starts: str, tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text(block("sh", starts))
    subprocess.run(["bash", "-n", str(script)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--shell=bash", str(script)], check=True)


@RAY
def test_all_options_of_ray_start_exist() -> None:
    from ray.scripts.scripts import start

    known = {option for parameter in start.params for option in parameter.opts}
    lines = re.findall(r"ray start((?:[^\n#`]|\\\n)*)", PAGE.read_text(encoding="utf-8"))
    named = {option for line in lines for option in re.findall(r"--[a-z-]+", line)}
    assert named >= {"--head", "--address"}
    assert named <= known
