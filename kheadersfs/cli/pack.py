"""``kheadersfs pack``."""

from __future__ import annotations

import os
from functools import partial

from kheadersfs.cli.arguments import OUTPUT, Parser, add_limits
from kheadersfs.cli.form import add_form, chosen_form
from kheadersfs.cli.options import parse_limits
from kheadersfs.cli.packages import pack_to
from kheadersfs.cli.progress import progress_line
from kheadersfs.errors import UsageError
from kheadersfs.kernel.trees import find_kernel_tree
from kheadersfs.pack.comments import COMMENT_FILTERS
from kheadersfs.pack.packing import Settings, pack, read_profile
from kheadersfs.pack.selection import select
from kheadersfs.pack.times import member_time
from kheadersfs.pack.writing import Description


def parser() -> Parser:
    """See CommandModule.parser."""
    arguments = Parser(
        "pack",
        "Write the headers of a configured kernel tree to OUT, in blocks and with an index. They "
        "are those that the kernel's own gen_kheaders.sh takes. By default the tree is the one in "
        "the current directory or, if there is none, the running kernel's.",
        ("kheadersfs pack --srctree linux -o kheaders.tar.xz", "a tree that is built in place"),
        (
            "kheadersfs pack linux-headers-6.1.0-32-*.deb -o 6.1.tar.zst",
            "a distribution's headers packages, as they come",
        ),
    )
    arguments.add_argument(
        "--srctree",
        metavar="DIR",
        help="the sources, or lib/modules/RELEASE, or where headers packages are unpacked; by "
        "default those that the object tree names",
    )
    arguments.add_argument(
        "--objtree",
        metavar="DIR",
        help="where the kernel was built, or a headers package; by default the source tree",
    )
    arguments.add_argument(
        "--arch", metavar="ARCH", help="x86, arm64 and so on; by default the configured one"
    )
    add_form(arguments)
    arguments.add_argument(
        "--comments",
        choices=COMMENT_FILTERS,
        default="strip",
        help="strip (the default) removes comments and keeps every token on its line; kernel "
        "makes the bytes that the kernel's script makes; keep changes nothing. Comments "
        "that say SPDX stay",
    )
    arguments.add_argument(
        "--profile",
        metavar="FILE",
        help="put the headers listed there first, as run --record lists them",
    )
    add_limits(arguments)
    arguments.add_argument("-o", "--output", metavar="OUT", required=True, help=OUTPUT)
    arguments.add_argument(
        "packages",
        metavar="PACKAGE",
        nargs="*",
        help="instead of a tree, .deb or .rpm packages of one kernel, or a directory of them",
    )
    return arguments


def run(arguments: list[str]) -> int:
    """Write OUT, or leave it as it was."""
    values = parser().parse(arguments)
    settings = Settings(
        form=chosen_form(values.format, values.compress, values.output),
        comments=COMMENT_FILTERS[values.comments],
        profile=read_profile(values.profile) if values.profile else [],
        time=member_time(os.environ),
        limits=parse_limits(values.limits),
    )
    if values.packages:
        if values.srctree or values.objtree:
            raise UsageError(
                f"{values.packages[0]}: a package is instead of --srctree and --objtree; name one "
                "or the other"
            )
        pack_to(values.packages, values.output, values.arch, settings)
        return 0
    tree = find_kernel_tree(values.srctree, values.objtree, values.arch)
    with progress_line("pack", "B") as progress:
        description = Description(tree.release, tree.srcarch)
        pack(partial(select, tree), description, values.output, settings, progress)
    return 0
