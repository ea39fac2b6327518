import os
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from strongroom.storage import space as space_module
from strongroom.storage.space import MIB, Level, Space


@pytest.fixture
def disk(monkeypatch):
    """A disk of 100 GiB, of which `free_mib` is free to ask for; `asked` counts how often."""
    disk = SimpleNamespace(free_mib=50_000, whole_mib=102_400, asked=0, broken=False)

    def statvfs(_path):
        disk.asked += 1
        if disk.broken:
            raise OSError(5, "Input/output error")
        return SimpleNamespace(f_bavail=disk.free_mib * 256, f_blocks=disk.whole_mib * 256, f_frsize=4096)

    monkeypatch.setattr(space_module.os, "statvfs", statvfs)
    return disk


@pytest.mark.parametrize(
    ("free", "level"),
    [(1024, Level.AMPLE), (1023, Level.LOW), (256, Level.LOW), (255, Level.RESERVED), (0, Level.RESERVED)],
)
def test_it_warns_well_before_the_reserve(disk, tmp_path, free, level):
    disk.free_mib = free
    space = Space(tmp_path)
    assert space.level(0.0) is level
    assert space.has_room(0.0) is (level is not Level.RESERVED)


def test_a_small_disk_reserves_a_twentieth_unless_it_is_said(disk, tmp_path):
    disk.whole_mib = disk.free_mib = 64
    space = Space(tmp_path)
    assert space.has_room(0.0)
    assert space.reserve == 64 * MIB // 20
    assert not Space(tmp_path, 65 * MIB).has_room(0.0)


def test_without_a_reserve_only_a_full_disk_is_short_of_room(disk, tmp_path):
    disk.free_mib = 1
    assert Space(tmp_path, 0).level(0.0) is Level.AMPLE
    disk.free_mib = 0
    assert Space(tmp_path, 0).level(0.0) is Level.RESERVED


def test_the_disk_is_asked_once_a_second_and_the_level_comes_back_by_itself(disk, tmp_path):
    space = Space(tmp_path)
    disk.free_mib = 100
    assert [space.has_room(at / 10) for at in range(10)] == [False] * 10
    assert disk.asked == 1
    disk.free_mib = 5000
    assert space.has_room(1.0)


def test_a_disk_that_cannot_be_asked_has_no_room(disk, tmp_path):
    disk.broken = True
    assert not Space(tmp_path).has_room(0.0)


def test_the_operator_is_told_at_each_change_and_every_hour(disk, tmp_path):
    space = Space(tmp_path)
    with capture_logs() as lines:
        for at, free in [(0, 5000), (60, 900), (120, 900), (3659, 900), (3660, 900), (3720, 100), (3780, 9000)]:
            disk.free_mib = free
            space.tell(at)
    assert [(line["log_level"], line["free_mib"]) for line in lines] == [
        ("warning", 900),
        ("warning", 900),
        ("error", 100),
        ("info", 9000),
    ]


def test_a_real_disk_can_be_asked(tmp_path):
    space = Space(tmp_path)
    space.level(0.0)
    found = os.statvfs(tmp_path)
    assert 0 < space.free <= found.f_blocks * found.f_frsize
