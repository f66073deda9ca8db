"""Several versions of this project side by side: its working copy, other checkouts, commits.

Each gets a virtual environment of its own that finds the packages of the one that runs this.
"""

from __future__ import annotations

import hashlib
import os
import site
import subprocess
import sys
import sysconfig
import venv
from typing import NamedTuple

from benchmark.errors import BenchError

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
_PACKAGE = "kheadersfs"
# What decides how a packed archive looks; another version of the rest can use the same.
_FORMAT_PARTS = ("archive", "pack")


class Implementation(NamedTuple):
    """One kheadersfs to measure: its executable, and the checkout that it runs if known.

    ``version`` is its commit, with a plus sign if something was changed since, empty if not known.
    """

    label: str
    executable: str
    checkout: str | None
    version: str = ""

    def format_version(self) -> str | None:
        """Return a name for how it packs archives, None if that cannot be told."""
        if self.checkout is None:
            return None
        digest = hashlib.sha256()
        for part in _FORMAT_PARTS:
            directory = os.path.join(self.checkout, _PACKAGE, part)
            for name in sorted(os.listdir(directory)):
                if name.endswith(".py"):
                    with open(os.path.join(directory, name), "rb") as source:
                        digest.update(source.read())
        return digest.hexdigest()[:12]


def find_implementation(description: str, scratch: str) -> Implementation:
    """Return what *description* means: ``LABEL=WHERE``, or WHERE alone as its own label.

    WHERE is an executable, the directory of a checkout, or a commit of this repository. Raises
    BenchError when it is none of these.
    """
    label, _, where = description.rpartition("=")
    label = label or os.path.basename(os.path.abspath(where))
    path = os.path.abspath(where)
    if os.path.isfile(path) and os.access(path, os.X_OK):
        return Implementation(label, path, None)
    version = _describe_commit(path, "HEAD")
    if not os.path.isdir(path):
        version = _describe_commit(REPOSITORY, where)
        path = _export_commit(where, os.path.join(scratch, f"commit-{label}"))
    if not os.path.isfile(os.path.join(path, _PACKAGE, "__init__.py")):
        raise BenchError(f"{where}: has no {_PACKAGE} package; name a checkout of the repository")
    executable = _install(path, os.path.join(scratch, f"venv-{label}"))
    return Implementation(label, executable, path, version)


def _describe_commit(checkout: str, commit: str) -> str:
    def ask(*arguments: str) -> str:
        asked = subprocess.run(
            ["git", "-C", checkout, *arguments], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() if asked.returncode == 0 else ""

    short = ask("rev-parse", "--short", commit)
    changed = commit == "HEAD" and ask("status", "--porcelain", "--", _PACKAGE)
    return f"{short}+" if short and changed else short


def _export_commit(commit: str, directory: str) -> str:
    os.mkdir(directory)
    archive = os.path.join(directory, "archive.tar")
    made = subprocess.run(
        ["git", "-C", REPOSITORY, "archive", "-o", archive, commit],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise BenchError(
            f"{commit}: is no executable, no directory, and no commit: {made.stderr.strip()}"
        )
    subprocess.run(["tar", "-xf", archive, "-C", directory], check=True)
    os.unlink(archive)
    return directory


def _install(checkout: str, environment: str) -> str:
    """Make a virtual environment that runs *checkout*. Returns its command's path."""
    venv.EnvBuilder(symlinks=True).create(environment)
    variables = {"base": environment, "platbase": environment}
    packages = sysconfig.get_path("purelib", "venv", variables)
    with open(os.path.join(packages, "checkout.pth"), "w") as additions:
        additions.write("\n".join([checkout, *site.getsitepackages()]) + "\n")
    executable = os.path.join(environment, "bin", _PACKAGE)
    with open(os.path.join(REPOSITORY, "tools", "commands", _PACKAGE)) as script:
        _, _, body = script.read().partition("\n")
    with open(executable, "w") as script:
        script.write(f"#!{environment}/bin/python\n{body}")  # as pip does
    os.chmod(executable, 0o755)
    # Compiled now, if we may write there, not while it is measured.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", os.path.join(checkout, _PACKAGE)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return executable
