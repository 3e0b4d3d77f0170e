"""The two MIT-licensed sound fonts that the collection is rendered with, and how to find them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from riffcomposer.errors import ModelError

FONT_FILES = ("MuseScore_General_Lite.sf3", "FluidR3Mono_GM.sf3")
PACKAGES = ("musescore-general-soundfont-small", "fluidr3mono-gm-soundfont")
SYSTEM_FOLDERS = (
    Path("/usr/share/sounds/sf3"),
    Path("/usr/share/sounds/sf2"),
    Path("/usr/share/fluidr3mono-gm-soundfont"),
)
ENVIRONMENT = "RIFFCOMPOSER_FONTS"


def find(folder: Path | None = None) -> tuple[Path, Path]:
    """Finds both fonts: in `folder`, else in `$RIFFCOMPOSER_FONTS`, else where Debian installs them.

    Raises:
        ModelError: One of them is missing; the message says which, and how to get it.
    """
    given = folder or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    folders = (given,) if given else SYSTEM_FOLDERS
    found = []
    for name in FONT_FILES:
        path = next((match for each in folders if each.is_dir() for match in sorted(each.rglob(name))), None)
        if path is None:
            raise ModelError(
                f"sound font {name} not found in {', '.join(map(str, folders))}; gather the fonts with "
                f"`python -m riffcomposer_training.fonts FOLDER` or install {' and '.join(PACKAGES)}"
            )
        found.append(path)
    return found[0], found[1]


def gather(folder: Path) -> tuple[Path, Path]:
    """Copies both fonts into `folder`, from this system or from Debian's packages.

    Needs network and `apt-get` only where the fonts are not installed yet.

    Raises:
        ModelError: The fonts could not be copied or downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return find(folder)
    except ModelError:
        pass
    try:
        for path in find():
            shutil.copyfile(path, folder / path.name)
        return find(folder)
    except ModelError:
        pass
    unpacked = folder / ".packages"
    unpacked.mkdir(exist_ok=True)
    try:
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=unpacked, check=True, capture_output=True)
        for package in sorted(unpacked.glob("*.deb")):
            subprocess.run(["dpkg", "-x", package.name, "."], cwd=unpacked, check=True, capture_output=True)
        for path in find(unpacked):
            shutil.move(path, folder / path.name)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ModelError(
            f"the sound fonts could not be fetched ({error}); copy {' and '.join(FONT_FILES)} to {folder}"
        ) from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return find(folder)


if __name__ == "__main__":
    gather(Path(sys.argv[1] if len(sys.argv) > 1 else "fonts"))
