"""What extensions of tar say of a member: what is seen is what GNU tar extracts."""

from __future__ import annotations

import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from kheadersfs.archive.opening import Archive
from kheadersfs.archive.readers import WholeReader
from kheadersfs.archive.source import BytesSource
from kheadersfs.errors import DamagedArchive, RefusedArchive
from kheadersfs.fuse.safety import require_safe
from tests.attacks import forging as forge
from tests.attacks.forging import END, pax_record, tar_file, tar_header, tar_pax
from tests.support.seen import Seen, seen_by_us, seen_on_disk
from tests.support.synthetic import require_programs

ACCESS = b"user::r-x,user:daemon:rwx,group::r--,mask::rwx,other::-wx"


def extracted(archive: bytes, *options: str) -> dict[bytes, Seen]:
    """Return what GNU tar makes of *archive*."""
    require_programs("tar")
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            ["tar", "-x", "-p", "--no-same-owner", *options, "-C", directory],
            input=archive,
            capture_output=True,
            check=True,
            umask=0o022,
        )
        return seen_on_disk(Path(directory))


@pytest.mark.parametrize("keyword", ["SCHILY.acl.access", "SCHILY.acl.default"])
@pytest.mark.parametrize("long_name", [False, True])
def test_an_access_control_list_leaves_the_permissions_of_the_header(
    keyword: str, long_name: bool
) -> None:
    said = tar_pax(pax_record(keyword.encode(), ACCESS))
    if long_name:
        said += forge.tar_long(forge.LONG_NAME, b"n" * 150)
    archive = said + tar_file(b"f", b"x", 0o573) + tar_file(b"g", b"y", 0o640) + END
    seen, _ = seen_by_us(archive)
    assert seen == extracted(archive)
    assert stat.S_IMODE(seen[b"n" * 150 if long_name else b"f"].mode) == 0o573


@pytest.mark.parametrize(
    "record",
    [
        pax_record(b"SCHILY.fflags", b"nodump,uchg"),
        pax_record(b"LIBARCHIVE.xattr.user.x", b"dmFsdWU="),
        pax_record(b"SCHILY.xattr.user.x", b"value"),
        pax_record(b"SCHILY.nlink", b"9"),
        pax_record(b"SCHILY.dev", b"5") + pax_record(b"SCHILY.ino", b"6"),
        pax_record(b"SCHILY.realsize", b"3"),
        pax_record(b"SCHILY.realsize", b"3000"),
        pax_record(b"LIBARCHIVE.creationtime", b"5"),
        pax_record(b"RHT.security.selinux", b"system_u:object_r:etc_t:s0"),
        pax_record(b"uname", b"nobody") + pax_record(b"uid", b"4000000000"),
        pax_record(b"size", b"7"),
        pax_record(b"atime", b"5.5") + pax_record(b"ctime", b"6.5"),
        pax_record(b"hdrcharset", b"BINARY") + pax_record(b"path", b"\xff\xfe"),
    ],
    ids=lambda record: record.split(b"=")[0].split()[-1].decode(),
)
def test_other_extensions_change_no_more_than_tar_lets_them(record: bytes) -> None:
    archive = tar_pax(record) + tar_file(b"f", b"content") + tar_file(b"g", b"y", 0o640) + END
    seen, _ = seen_by_us(archive)
    assert seen == extracted(archive)


def test_appledouble_companions_are_ordinary_files() -> None:
    archive = tar_file(b"._f", b"\0\5\x16\7" + bytes(60)) + tar_file(b"f", b"content") + END
    assert seen_by_us(archive)[0] == extracted(archive)


def test_a_time_in_a_global_header_is_that_of_every_member_without_one_of_its_own() -> None:
    archive = (
        tar_file(b"before", b"x")
        + tar_pax(pax_record(b"mtime", b"1000.5"), forge.PAX_GLOBAL)
        + tar_file(b"a", b"x")
        + tar_header(b"s", kind=forge.SYMLINK, link=b"a")
        + tar_pax(pax_record(b"mtime", b"7"))
        + tar_file(b"b", b"y")
        + tar_pax(pax_record(b"comment", b"0123"), forge.PAX_GLOBAL)
        + tar_file(b"c", b"z")
        + END
    )
    seen, _ = seen_by_us(archive)
    assert seen == extracted(archive)
    times = [seen[name].mtime for name in (b"before", b"a", b"b", b"c")]
    assert times == [0, 1_000_500_000_000, 7_000_000_000, 0]


@pytest.mark.parametrize("keyword", [b"path", b"linkpath", b"size"])
def test_a_global_header_that_gives_all_members_one_name_or_size_is_damage(keyword: bytes) -> None:
    archive = tar_pax(pax_record(keyword, b"3"), forge.PAX_GLOBAL) + tar_file(b"a", b"x") + END
    with pytest.raises(DamagedArchive, match="global header"):
        WholeReader(Archive(BytesSource(archive))).load()


@pytest.mark.parametrize(
    "archive",
    [
        tar_header(b"d/", kind=b"\0", tail=b"\0") + tar_file(b"d/f", b"x"),
        tar_header(b"f", 1, b"\0", tail=b"\0") + forge.padded(b"x"),
        tar_header(b"f", forge.base256(7, 12)) + forge.padded(b"content"),
        tar_header(b"f", 7, b"7") + forge.padded(b"content"),
        tar_header(b"label", kind=b"V") + tar_file(b"f", b"x"),
        tar_pax(pax_record(b"mtime", b"-5")) + tar_file(b"f", b"x"),
        forge.tar_long(forge.LONG_NAME, b"n" * 200)
        + forge.tar_long(forge.LONG_LINK, b"t" * 200)
        + tar_header(b"cut", kind=forge.SYMLINK, link=b"cut"),
        tar_header(b"d/", 8, kind=b"D", mode=0o755, tail=b"ustar  \0")
        + forge.padded(b"Yf\0Ng\0\0\0")
        + tar_file(b"d/f", b"x"),
    ],
    ids=[
        "directory of old tar",
        "file of old tar",
        "size in base 256",
        "contiguous file",
        "volume label",
        "time before 1970",
        "long names",
        "directory of an incremental backup",
    ],
)
def test_old_and_rare_types_are_seen_as_tar_extracts_them(archive: bytes) -> None:
    seen, refusals = seen_by_us(archive + END)
    assert (seen, refusals) == (extracted(archive + END), [])


ABSOLUTE = (
    tar_header(b"/d/", kind=forge.DIRECTORY, mode=0o755)
    + tar_file(b"/d/f", b"content")
    + tar_header(b"///d/hard", kind=forge.HARD_LINK, link=b"/d/f")
    + tar_header(b"d/soft", kind=forge.SYMLINK, link=b"/d/f")
    + tar_file(b"//e/g", b"other")
    + END
)


def test_absolute_names_are_seen_as_tar_and_bsdtar_extract_them(tmp_path: Path) -> None:
    seen, refusals = seen_by_us(ABSOLUTE)
    assert (seen, refusals) == (extracted(ABSOLUTE), [])
    require_programs("bsdtar")
    subprocess.run(["bsdtar", "-xp", "-C", tmp_path], input=ABSOLUTE, check=True, umask=0o022)
    assert seen == seen_on_disk(tmp_path)
    assert seen[b"d/soft"].content == b"/d/f"
    content = WholeReader(Archive(BytesSource(ABSOLUTE))).load()
    assert content.notes == ["leading / removed from 4 member names or targets"]
    with pytest.raises(RefusedArchive, match="4 absolute names"):
        require_safe(content)


def test_an_absolute_name_does_not_lead_out_by_dots() -> None:
    archive = tar_file(b"/../f", b"x") + tar_file(b"/d/../../f", b"x") + tar_file(b"g", b"y") + END
    seen, refusals = seen_by_us(archive)
    assert list(seen) == [b"g"]
    assert [text.partition(" refused: ")[2] for text in refusals] == ["a name with .. in it"] * 2
