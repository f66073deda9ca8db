#!/bin/sh
# Takes the place of the kernel's own script, for every kernel that has one:
#
#     ln -sf .../kheadersfs/tools/gen_kheaders.sh kernel/gen_kheaders.sh
#
# Nothing needs to be installed: Python 3.11 or later suffices, $PYTHON3 by default python3.
set -e

repository=$(dirname "$(dirname "$(readlink -f "$0")")")

exec "${PYTHON3:-python3}" -I -c '
import _signal as signal
import sys
if sys.version_info < (3, 11):
    sys.exit("gen_kheaders.sh: needs Python 3.11 or later; name one as PYTHON3=")
sys.path.insert(0, sys.argv.pop(1))
if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # from here on an interrupt is silent
try:
    from kheadersfs.cli.kbuild import script
except ModuleNotFoundError as error:
    sys.exit(f"gen_kheaders.sh: {error}; link to this script instead of copying it")
script()
' "$repository" "$@"
