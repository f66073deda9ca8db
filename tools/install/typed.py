"""What mistakes.py types: mistakes, what only looks like one, and what is interrupted.

Of these variables the last three are empty where no such file system has been made:

- FULL is a directory on one that has no room at all;
- SMALL is one on one that has room for a megabyte;
- READONLY is one on one that cannot be written to.
"""

from __future__ import annotations

from typing import NamedTuple

SETTING_UP = r"""
cp "$1" k.tar.xz
mkdir m 'two words' "$(printf 'new\nline')" "$(printf 'm\351')"
python3 -c 'import zipfile; zipfile.ZipFile("k.zip", "w").writestr("include/a.h", "")'
head -c 200000 k.tar.xz >cut.tar.xz
: >empty.tar.xz
head -c 5000 /dev/zero >zeros.tar
mkfifo pipe
ln -s nowhere dangling
cp k.tar.xz unreadable; chmod 000 unreadable
cp k.tar.xz "$(printf 'k\351\n.xz')"
kheadersfs repack k.tar.xz -o k.tar
mkdir -p h/DEBIAN h/usr/src
mkdir h/usr/src/linux-headers-6.1.192-test
tar -C h/usr/src/linux-headers-6.1.192-test -xf k.tar
sed -i '1i /*\n * Linux/x86 6.1.192 Kernel Configuration\n */' \
    h/usr/src/linux-headers-6.1.192-test/include/generated/autoconf.h
echo VERSION = 6 >h/usr/src/linux-headers-6.1.192-test/Makefile
printf '%s\n' 'Package: linux-headers-6.1.192-test' 'Version: 1' 'Architecture: all' \
    'Maintainer: nobody <nobody@localhost>' 'Description: headers' >h/DEBIAN/control
dpkg-deb --root-owner-group -Zgzip --build h h.deb >/dev/null
rm -r h
"""


class Mistake(NamedTuple):
    """What is typed, the statuses it may end with, and what the message must have in it."""

    line: str
    statuses: tuple[int, ...]
    word: str


MISTAKES = (
    # Wrong order, missing values, one word too many.
    Mistake("kheadersfs mount m k.tar.xz", (11,), "ARCHIVE comes first: is it k.tar.xz"),
    Mistake("kheadersfs mount k.tar.xz", (10, 14), "name a MOUNTPOINT"),
    Mistake("kheadersfs mount k.tar.xz m n", (2,), "n"),
    Mistake("kheadersfs umount", (10, 11), "nothing is mounted"),
    Mistake("kheadersfs umount k.tar.xz", (10,), "k.tar.xz"),
    Mistake("kheadersfs umount m", (10,), "not"),
    Mistake("kheadersfs ls include/linux k.tar.xz", (11,), "k.tar.xz"),
    Mistake("kheadersfs cat k.tar.xz", (2,), "PATH"),
    Mistake("kheadersfs run k.tar.xz -- true", (2, 127), "--archive"),
    Mistake("kheadersfs run --archive k.tar.xz", (2,), "COMMAND"),
    Mistake("kheadersfs run --archive k.tar.xz -- nosuchcommand", (127,), "nosuchcommand"),
    Mistake("kheadersfs run --archive", (2,), "--archive"),
    Mistake("kheadersfs pack -o out.tar.zst", (2, 10, 11, 1), "srctree"),
    Mistake("kheadersfs repack k.tar.xz", (2,), "-o"),
    Mistake("kheadersfs mount -o k.tar.xz m", (2,), "k.tar.xz"),
    Mistake("kheadersfs mount --limit members k.tar.xz m", (2,), "NAME=NUMBER"),
    Mistake("kheadersfs", (2,), "kheadersfs help"),
    # Misspelled.
    Mistake("kheadersfs mout k.tar.xz m", (2,), "mount"),
    Mistake("kheadersfs --verison", (2,), "--version"),
    Mistake("kheadersfs mount --foregroud k.tar.xz m", (2,), "--foreground"),
    Mistake("kheadersfs --json status", (2,), "after the command"),
    Mistake("kheadersfs mount k.tar.xy m", (11,), "k.tar.xy"),
    Mistake("kheadersfs mount k.tar.xz nosuch", (10,), "mkdir"),
    Mistake("kheadersfs cat k.tar.xz include/linux/shed.h", (16,), "kheadersfs ls"),
    Mistake("kheadersfs cat k.tar.xz include/linux", (2,), "is a directory"),
    # What is no archive of headers.
    Mistake("kheadersfs mount k.zip m", (12,), "with zip"),
    Mistake("(cat k.tar.xz >pipe &) 2>/dev/null; kheadersfs mount pipe m", (11,), "pipe"),
    Mistake("kheadersfs info - <k.tar.xz", (11,), "standard input"),
    Mistake("cat k.tar.xz | kheadersfs ls /proc/self/fd/0", (11,), "is a pipe"),
    Mistake("kheadersfs mount ftp://host/k.tar.xz m", (11,), "curl"),
    Mistake("kheadersfs mount file://$PWD/k.tar.xz m", (11,), "name the file: /"),
    Mistake("kheadersfs mount http://127.0.0.1:9/k.tar.xz m", (1, 2, 11), "127.0.0.1"),
    Mistake("kheadersfs run --archive https:/host/k.tar.xz -- true", (11,), "https:/host"),
    Mistake("kheadersfs info m", (11,), "is a directory"),
    Mistake("kheadersfs verify .", (11,), "is a directory"),
    Mistake("kheadersfs run --archive m -- true", (11,), "is a directory"),
    Mistake("kheadersfs verify cut.tar.xz", (13,), "cut.tar.xz"),
    Mistake("kheadersfs mount empty.tar.xz m", (12,), "empty"),
    Mistake("kheadersfs info zeros.tar", (12, 13), "zeros.tar"),
    Mistake("kheadersfs info /dev/null", (11,), "/dev/null"),
    Mistake("kheadersfs info dangling", (11,), "dangling"),
    Mistake("kheadersfs mount k.tar.xz k.tar.xz", (10,), "not a directory"),
    # What is written, and where.
    Mistake("kheadersfs repack k.tar.xz -o out.tar.foo", (2,), ".tar.zst"),
    Mistake("kheadersfs repack k.tar.xz -o nodir/out.tar.zst", (1, 2), "nodir"),
    Mistake("kheadersfs repack k.tar.xz -o m", (1, 2), "m: is not a file"),
    Mistake("kheadersfs pack --srctree nodir -o out.tar.zst", (1, 2, 11), "nodir"),
    Mistake("kheadersfs env nodir", (1, 2, 10, 11), "nodir"),
    Mistake("kheadersfs ls k.tar.xz >/dev/full", (1,), "space"),
    Mistake("kheadersfs ls k.tar.xz >&-", (1,), "standard output"),
    Mistake("kheadersfs help >&-", (1,), "standard output"),
    Mistake("kheadersfs info k.tar.xz >&-", (1,), "standard output"),
    Mistake("kheadersfs verify k.tar.xz >&-", (1,), "standard output"),
    Mistake("kheadersfs status >&-", (1,), "standard output"),
    Mistake("kheadersfs reference man >&-", (1,), "standard output"),
    Mistake("kheadersfs --version >&-", (1,), "standard output"),
    Mistake("kheadersfs cat k.tar.xz include/linux/sched.h >/dev/full", (1,), "space"),
    Mistake("kheadersfs nosuch 2>&-", (2,), ""),
    Mistake(
        "kheadersfs run --record /dev/full --archive k.tar.xz -- "
        "sh -c 'cat $KHEADERS/include/linux/sched.h >/dev/null'",
        (1,),
        "free some space",
    ),
    # Odd surroundings.
    Mistake("env -u HOME kheadersfs run -- true", (0, 1, 11), ""),
    Mistake("HOME=/proc/nowhere kheadersfs run -- true", (0, 1, 11), ""),
    Mistake("LANG=C LC_ALL=C PYTHONUTF8=0 kheadersfs mount k.tar.xz mé", (10,), "mkdir"),
    Mistake("LC_ALL=POSIX kheadersfs mount é.tar.xz m", (11,), ".tar.xz: cannot open"),
    Mistake("LC_ALL=nosuch kheadersfs mount k.tar.xz nosuch", (10,), "mkdir"),
    Mistake("COLUMNS=20 kheadersfs mount", (10, 11), ""),
    Mistake("cp zeros.tar \"$(printf 'x\\ny')\"; kheadersfs info x*", (12,), "x\\ny"),
    Mistake("kheadersfs mount k.tar.xz \"$(printf 'none\\351')\"", (10,), "mkdir"),
    Mistake(
        "mkdir gone; cd gone; rmdir ../gone; kheadersfs mount ../k.tar.xz m",
        (1,),
        "has been removed",
    ),
    Mistake("(ulimit -v 30000; kheadersfs verify k.tar.xz)", (1, 14), "memory"),
    Mistake("(ulimit -f 0; kheadersfs repack k.tar.xz -o out.tar.zst)", (1,), "out.tar.zst"),
)

WITHOUT_ROOM = (
    Mistake("kheadersfs repack k.tar.xz -o $FULL/out.tar.zst", (1,), "free some space"),
    Mistake("kheadersfs repack k.tar.xz -o $SMALL/out.tar.zst", (1,), "free some space"),
    Mistake("kheadersfs merge one=k.tar.xz -o $SMALL/out.tar.zst", (1,), "free some space"),
    Mistake("kheadersfs pack h.deb -o $SMALL/out.tar.zst", (1,), "free some space"),
    Mistake("kheadersfs ls k.tar.xz >$FULL/list", (1,), "free some space"),
    Mistake("kheadersfs cat k.tar.xz include/linux/sched.h >$FULL/list", (1,), "free some space"),
    Mistake("kheadersfs info --map $FULL/map.svg k.tar.xz", (1,), "free some space"),
    Mistake(
        "kheadersfs run --record $FULL/record --archive k.tar.xz -- "
        "sh -c 'cat $KHEADERS/include/linux/sched.h >/dev/null'",
        (1,),
        "free some space",
    ),
    Mistake(
        "kheadersfs run --each --junit $FULL/report.xml --archive k.tar.xz -- true",
        (1,),
        "free some space",
    ),
    Mistake("kheadersfs run --each --output $READONLY/o --archive k.tar.xz -- true", (1,), "/o"),
    Mistake("kheadersfs repack k.tar.xz -o $READONLY/out.tar.zst", (1,), "Read-only"),
    Mistake("cd $READONLY && kheadersfs pack $OLDPWD/h.deb -o o.tar.zst", (1,), "Read-only"),
    Mistake("kheadersfs mount --log $READONLY/log k.tar.xz m", (1, 2, 10), "Read-only"),
)
"""Each leaves no file behind."""

WITHOUT_ROOM_FOR_USERS = (
    Mistake("HOME=$SMALL kheadersfs info h.deb", (1, 11), "space"),
    Mistake("HOME=$READONLY kheadersfs mount h.deb m", (11,), "set XDG_CACHE_HOME"),
    Mistake("XDG_CACHE_HOME=$FULL kheadersfs run --archive h.deb -- true", (1, 11), "space"),
    Mistake("HOME=$READONLY kheadersfs fetch nosuch", (1,), "-o"),
)
"""Root's cache is the machine's."""

WORKS = (
    # What looks like a mistake and is none; each leaves nothing mounted.
    "kheadersfs mount k.tar.xz 'two words' && ls 'two words' && kheadersfs umount 'two words'",
    "kheadersfs mount k.tar.xz new*line && ls new*line && kheadersfs umount new*line",
    "kheadersfs mount k.tar.xz m?* && ls m?* && kheadersfs umount m?*",
    "export LC_ALL=C; kheadersfs mount k.tar.xz m?* && ls m?* && kheadersfs umount m?*",
    "kheadersfs mount k??.xz m && kheadersfs status m && ls m && kheadersfs umount m",
    "kheadersfs mount k.tar.xz m && kheadersfs status && findmnt m && df m && kheadersfs umount m",
    "kheadersfs mount k.tar.xz m && (cd m && ! kheadersfs umount ../m) && kheadersfs umount m",
    "kheadersfs mount k.tar.xz m && ! kheadersfs mount k.tar.xz m && kheadersfs umount m",
    "kheadersfs mount --archive k.tar.xz m && kheadersfs umount m",
    "kheadersfs mount k.tar.xz m <&- >&- 2>&- && ls m && kheadersfs umount m <&- >&- 2>&-",
    "kheadersfs ls k.tar.xz | head -n 1",
    "kheadersfs cat k.tar.xz include/generated/utsrelease.h",
    'kheadersfs run --archive k.tar.xz -- sh -c "exit 7"; [ $? = 7 ]',
    "kheadersfs run --archive k.tar.xz -- true <&- >&- 2>&-",
    "kheadersfs run --archive k.tar.xz -- cat < zeros.tar | cmp - zeros.tar",
    # Nothing can be written below this home; what needs no cache works all the same.
    "HOME=/proc/1 kheadersfs cat k.tar.xz include/generated/utsrelease.h",
    "HOME=/proc/1 kheadersfs cache",
    "HOME=/proc/1 kheadersfs cache --clear",
    "env -u HOME kheadersfs ls k.tar.xz include/linux/kconfig.h",
    "env -u HOME kheadersfs info h.deb",
    'env -i "PATH=$PATH" kheadersfs run --archive k.tar.xz -- printenv KHEADERS_RELEASE',
    "TERM=dumb kheadersfs status",
    "COLUMNS=20 kheadersfs umount --help",
    'COLUMNS=20 kheadersfs --help | awk "length > 30 { print; wide = 1 } END { exit wide }"',
    "kheadersfs run --archive h.deb -- ls",
)

WORKS_WITHOUT_ROOM = (
    "HOME=$READONLY; export HOME; kheadersfs mount k.tar.xz m && ls m && kheadersfs umount m",
    "TMPDIR=$FULL XDG_RUNTIME_DIR=$FULL kheadersfs run --archive k.tar.xz -- true",
    "kheadersfs mount --log $FULL/log k.tar.xz m && ls m && kheadersfs umount m && rm $FULL/log",
)

INTERRUPTED = (
    "kheadersfs ls k.tar.xz",
    "kheadersfs cat k.tar.xz include/linux/sched.h",
    "kheadersfs info --map map.svg k.tar.xz",
    "kheadersfs mount k.tar.xz m",
    "kheadersfs run --archive k.tar.xz -- sleep 5",
    "kheadersfs run --each --archive k.tar.xz --archive k.tar -- sleep 5",
    "kheadersfs repack k.tar.xz -o out.tar.zst",
    "kheadersfs merge one=k.tar.xz two=k.tar -o out.tar.zst",
    "kheadersfs pack h.deb -o out.tar.zst",
    "kheadersfs verify k.tar.xz",
)
