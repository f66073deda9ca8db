from __future__ import annotations

import os

import pytest

from kheadersfs.errors import RefusedArchive
from kheadersfs.kernel.architectures import arch_of_machine
from kheadersfs.kernel.release import (
    Kernel,
    headers_arch,
    headers_release,
    require_same_kernel,
    running_kernel,
)

RUNNING = Kernel("6.12.8-amd64", "x86")


def test_the_running_kernel_is_what_uname_says() -> None:
    assert running_kernel().release == os.uname().release


@pytest.mark.parametrize(
    ("machine", "arch"),
    [
        ("x86_64", "x86"),
        ("i686", "x86"),
        ("aarch64", "arm64"),
        ("armv7l", "arm"),
        ("riscv64", "riscv"),
        ("ppc64le", "powerpc"),
        ("s390x", "s390"),
        ("mips64", "mips"),
        ("loongarch64", "loongarch"),
        ("sparc64", "sparc64"),
    ],
)
def test_a_machine_has_the_name_of_its_directory_in_the_sources(machine: str, arch: str) -> None:
    assert arch_of_machine(machine) == arch


def test_the_release_is_read_from_the_header_that_defines_it() -> None:
    assert headers_release(b'\n#define UTS_RELEASE "6.1.192-rt5+"\n') == "6.1.192-rt5+"


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"#define UTS_RELEASE\n", b'#define UTS_MACHINE "x86"\n'),
        *(b'#define UTS_RELEASE "6.1\x1b[31m"\n', b'#define UTS_RELEASE "6.1 or so"\n'),
    ],
)
def test_a_header_without_release_has_none(text: bytes) -> None:
    assert headers_release(text) is None


@pytest.mark.parametrize(
    ("text", "arch"),
    [
        (b"#define CONFIG_64BIT 1\n#define CONFIG_X86 1\n", "x86"),
        (b"#define CONFIG_ARM64 1\n", "arm64"),
        (b"#define CONFIG_ARM 1\n", "arm"),
        (b"CONFIG_64BIT=y\nCONFIG_PPC=y\n", "powerpc"),
        (b'#define CONFIG_ARM_GIC 1\n#define CONFIG_DEFAULT_HOSTNAME "CONFIG_X86"\n', None),
        (b"", None),
    ],
)
def test_the_architecture_is_read_from_the_configuration(text: bytes, arch: str | None) -> None:
    assert headers_arch(text) == arch


def test_headers_of_the_running_kernel_are_accepted() -> None:
    require_same_kernel("a.tar.xz", "6.12.8-amd64", "x86", RUNNING)


@pytest.mark.parametrize(
    ("release", "arch"),
    [("6.1.192", "x86"), ("6.12.8-amd64", "arm64"), (None, "x86"), ("6.12.8-amd64", None)],
)
def test_headers_of_another_kernel_are_refused(release: str | None, arch: str | None) -> None:
    with pytest.raises(RefusedArchive) as refusal:
        require_same_kernel("a.tar.xz", release, arch, RUNNING)
    message = str(refusal.value)
    assert "6.12.8-amd64 (x86)" in message
    assert release is None or release in message
    assert "--any-release" in message
    assert "\n" not in message
