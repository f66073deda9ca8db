"""Which headers are hot where no index says so: those that a few well-known ones include."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from kheadersfs import open_archive
from kheadersfs.fuse.included import find_included

if TYPE_CHECKING:
    from pathlib import Path

LARGEST = 1000
HEADERS = {
    "include/linux/kconfig.h": "#include <generated/autoconf.h>\n",
    "include/generated/autoconf.h": "#define CONFIG_X86 1\n",
    "include/net/sock.h": '#include <linux/list.h>\n#  include "beside.h"\n#include <asm/page.h>\n',
    "include/net/beside.h": "#include <net/sock.h>\n#include <missing.h>\n#include <linux/large.h>",
    "include/linux/list.h": "#include <uapi/linux/types.h>\n",
    "include/uapi/linux/types.h": "#include <linux/posix_types.h>\n",
    "include/uapi/linux/posix_types.h": '#include "../linux/./above.h"\n',
    "include/uapi/linux/above.h": '#include "../../../include/linux/root.h"\n',
    "include/linux/root.h": "//\n",
    "arch/x86/include/generated/asm/page.h": "#include <asm/setup.h>\n",
    "arch/x86/include/uapi/asm/setup.h": "//\n",
}
"""What is hot, by path: what each has in it leads to the next ones."""
OTHERS = {
    "include/linux/large.h": "/" * (LARGEST + 1),
    "include/linux/page.h": "#include <linux/alone.h>\n",
    "include/asm/page.h": "what comes earlier in the search path is included\n",
    "include/uapi/linux/list.h": "the same\n",
    "beside.h": "what lies beside is included in quotes\n",
    "include/missing/missing.h": "",
}


def find(archive: Path, texts: dict[str, str]) -> tuple[set[str], dict[str, list[str]]]:
    """Return the paths that are hot in an archive of *texts*, and the names that lead to them."""
    with tarfile.open(archive, "w") as tar:
        for path, text in texts.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        link = tarfile.TarInfo("include/linux/bpf.h")
        link.type, link.linkname = tarfile.SYMTYPE, "alone.h"
        tar.addfile(link)
    with open_archive(archive) as opened:
        tree = opened.tree
        content = {tree.extent(tree.resolve(path.encode())): texts[path].encode() for path in texts}
        hot = find_included(tree, lambda start, size: content[start, size], LARGEST, "x86")
        paths = {tree.path(file.inode).decode() for files in hot.blocks for file in files}
        names = {
            tree.path(directory).decode(): [entry.name.decode() for entry in entries]
            for directory, entries in hot.entries.items()
        }
    return paths, names


def test_what_well_known_headers_include_is_hot_and_nothing_else(tmp_path: Path) -> None:
    paths, names = find(tmp_path / "headers.tar", HEADERS | OTHERS)
    assert paths == HEADERS.keys()
    assert sorted(names[""]) == ["arch", "include"]
    assert sorted(names["include"]) == ["generated", "linux", "net", "uapi"]
    assert sorted(names["include/linux"]) == ["kconfig.h", "list.h", "root.h"]


@pytest.mark.parametrize("texts", [{}, OTHERS])
def test_where_these_headers_are_not_nothing_is_hot(tmp_path: Path, texts: dict[str, str]) -> None:
    assert find(tmp_path / "headers.tar", texts) == (set(), {})
