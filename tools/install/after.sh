# Use and remove all that before.sh has left, with another version: after.sh DIRECTORY.
cd "$1"
echo "# $(id -un), after"
set -x
archive=/tmp/kheaders.tar.xz
kconfig=include/linux/kconfig.h

# The servers of 0.1.0 go on, and this version's commands know them.
kheadersfs cat "$archive" "$kconfig" >expected
cmp "plain/$kconfig" expected
cmp "packed/$kconfig" expected
cmp "several/two/$kconfig" expected
kheadersfs status packed
kheadersfs env plain
kheadersfs cflags --bpf packed
if kheadersfs mount "$archive" plain; then false; fi
kheadersfs umount plain
kheadersfs umount packed
umount several 2>/dev/null || fusermount3 -u several
echo >go
timeout 60 sh -c 'until cmp -s ran expected; do sleep 0.1; done'

# What it has packed is what it was, and new archives are made of it.
for ending in tar.xz tar.zst cpio.zst; do
    kheadersfs verify "old.$ending"
    kheadersfs cat "old.$ending" "$kconfig" | cmp - expected
done
kheadersfs verify merged.tar.zst
kheadersfs mount -o ro merged.tar.zst several
cmp "several/one/$kconfig" expected
kheadersfs umount several
kheadersfs info --map map.svg --profile profile old.tar.zst
kheadersfs repack old.tar.xz new.tar.zst
kheadersfs merge three=old.tar.zst four=old.tar.xz -o merged.tar.zst
kheadersfs run --each --archive merged.tar.zst -- printenv KHEADERS_NAME

# Its cache is used or replaced, shown, and goes.
kheadersfs run -- sh -c 'head -n 1 "$KHEADERS/include/generated/utsrelease.h"'
kheadersfs cache
kheadersfs cache --clear
if grep -F "$1" /proc/self/mounts; then false; fi
