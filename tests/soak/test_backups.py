"""The short form of `scripts/soak backups`."""

import pytest

from soak.backups import Run

pytestmark = pytest.mark.xdist_group("kills")

ARCHIVES, SEED = 2, 11


def test_archives_hold_what_was_answered_and_nothing_half(tmp_path):
    report = Run(tmp_path, SEED, print).play(ARCHIVES)
    assert report.wrong == [], report.words()
    assert report.judged == ARCHIVES
    assert report.killed.total() > 0, report.words()
    assert report.checked > 0
