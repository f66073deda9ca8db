"""What ``-o`` and the arguments of commands can say, and the errors' exit statuses."""

from __future__ import annotations

import pytest

from kheadersfs import errors
from kheadersfs.cli.arguments import seconds
from kheadersfs.cli.help import STATUSES
from kheadersfs.cli.options import MountOptions, parse_mount_options, parse_size
from kheadersfs.errors import UsageError
from kheadersfs.limits import DEFAULT_BUDGET


def test_without_options_everything_is_as_documented() -> None:
    assert parse_mount_options([]) == MountOptions(False, False, 0, 0, DEFAULT_BUDGET)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("allow_other", MountOptions(allow_other=True)),
        ("nonempty", MountOptions(nonempty=True)),
        ("uid=1000", MountOptions(uid=1000)),
        ("gid=100", MountOptions(gid=100)),
        ("cache=4096", MountOptions(cache=4096)),
        ("cache=16M", MountOptions(cache=16 << 20)),
        ("cache=0", MountOptions(cache=0)),
        ("uid=1,uid=2", MountOptions(uid=2)),
        ("noexec", MountOptions(noexec=True)),
        ("noexec,exec", MountOptions()),
        ("allow_other,,nonempty,", MountOptions(allow_other=True, nonempty=True)),
    ],
)
def test_each_option_does_what_it_says(option: str, expected: MountOptions) -> None:
    assert parse_mount_options([option]) == expected


def test_several_lists_are_one() -> None:
    assert parse_mount_options(["uid=1", "gid=2,uid=3"]) == MountOptions(uid=3, gid=2)


def test_what_fstab_and_systemd_add_is_accepted() -> None:
    fstab = (
        "ro,defaults,noauto,user,nofail,_netdev,nosuid,nodev,exec,relatime,x-systemd.automount,"
        "nodiratime,lazytime,dirsync,X-mount.mkdir"
    )
    assert parse_mount_options([fstab, "comment=anything"]) == MountOptions()


@pytest.mark.parametrize(
    "option",
    [
        *("frobnicate", "rw", "ALLOW_OTHER", "gid=x"),
        *("uid", "uid=", "uid=-1", "uid=root", "uid=4294967296", "uid=\u0663"),
        *("cache=", "cache=M", "cache=-1", "cache=1.5G", "cache=1T"),
        "cache=99999999999999G",
    ],
)
def test_an_option_that_cannot_be_is_named(option: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_mount_options(["ro", option])
    assert option in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("7", 7), ("2k", 2048), ("2K", 2048), ("1G", 1 << 30)]
)
def test_sizes_have_suffixes(text: str, size: int) -> None:
    assert parse_size("--size", text) == size


def test_seconds_are_neither_negative_nor_nonsense() -> None:
    assert seconds("0") == 0.0
    assert seconds("1.5") == 1.5
    for text in ("-1", "nan", "inf", "1e9", "soon", ""):
        with pytest.raises(ValueError):
            seconds(text)


def test_every_error_has_the_exit_status_that_is_promised() -> None:
    promised: dict[type[errors.KheadersfsError], int] = {
        errors.KheadersfsError: 1,
        errors.UsageError: 2,
        errors.MountpointError: 10,
        errors.ArchiveUnavailable: 11,
        errors.UnsupportedArchive: 12,
        errors.DamagedArchive: 13,
        errors.RefusedArchive: 14,
        errors.FuseUnavailable: 15,
        errors.NotInArchive: 16,
    }
    assert {kind: kind.exit_status for kind in promised} == promised
    assert set(errors.KheadersfsError.__subclasses__()) == promised.keys() - {
        errors.KheadersfsError,
        errors.NotInArchive,  # which callers of the first release know as a UsageError
    }
    assert issubclass(errors.NotInArchive, errors.UsageError)
    assert STATUSES.keys() - {0, 130} == set(promised.values())


def test_a_status_leads_back_to_its_error() -> None:
    kinds: list[type[errors.KheadersfsError]] = errors.KheadersfsError.__subclasses__()
    kinds.append(errors.NotInArchive)
    for kind in kinds:
        if kind.__module__ == errors.__name__:
            assert errors.error_of_status(kind.exit_status) is kind
    assert errors.error_of_status(77) is errors.KheadersfsError


def test_a_class_that_somebody_else_derives_takes_no_status_over() -> None:
    class Mine(errors.KheadersfsError):
        exit_status = 13

    assert errors.error_of_status(Mine.exit_status) is errors.DamagedArchive
