"""The notes of every style, instrument and pattern are those that were written with this version."""

from __future__ import annotations

import pytest
from golden_notes import changed, composed, read_golden

from riffcomposer.composer import COMPOSER_VERSION, bass

ADVICE = "raise COMPOSER_VERSION in riffcomposer/composer/__init__.py and run `python tests/golden_notes.py`"


def test_notes_change_only_with_the_composers_version() -> None:
    golden, now = read_golden(), composed()
    others = changed(golden["notes"], now)
    assert not others, f"other notes than before: {', '.join(others)}; if that is wanted, {ADVICE}"
    assert golden["composer_version"] == COMPOSER_VERSION, "run `python tests/golden_notes.py`"
    assert set(now) == set(golden["notes"]), "run `python tests/golden_notes.py`"


@pytest.mark.no_cover
def test_a_changed_pattern_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bass.STYLES, "walking", bass.STYLES["whole"])
    now = composed(styles=["jazz"], instruments=[])
    golden = {name: value for name, value in read_golden()["notes"].items() if name in now}
    others = changed(golden, now)
    assert {"bass walking", "style jazz"} <= set(others)
    assert "bass whole" not in others
