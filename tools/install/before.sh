# What 0.1.0 leaves to who comes after it: before.sh DIRECTORY; see tools/install/upgrade.
cd "$1"
echo "# $(id -un), before"
set -x
archive=/tmp/kheaders.tar.xz
for ending in tar.xz tar.zst cpio.zst; do
    kheadersfs repack "$archive" "old.$ending"
done
kheadersfs merge one="$archive" two="$archive" -o merged.tar.zst
kheadersfs run --record profile --archive "$archive" -- \
    sh -c 'cat "$KHEADERS/include/linux/sched.h" >/dev/null'
kheadersfs run -- sh -c 'head -n 1 "$KHEADERS/include/generated/utsrelease.h"' # fills the cache
mkdir plain packed several
kheadersfs mount "$archive" plain
kheadersfs mount old.tar.zst packed
kheadersfs mount merged.tar.zst several
mkfifo go
kheadersfs run --archive old.tar.xz -- \
    sh -c 'read -r line <go; cat "$KHEADERS/include/linux/kconfig.h"' >ran 2>&1 &
