"""Reach, and profiles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kheadersfs.kernel.including import Inclusion, inclusions
from kheadersfs.pack.ordering import by_profile, by_reach


def order(headers: dict[str, str], srcarch: str = "x86") -> list[str]:
    found = {path.encode(): inclusions(text.encode()) for path, text in headers.items()}
    return [path.decode() for path in by_reach(found, srcarch)]


def test_inclusions_are_found_in_both_forms() -> None:
    text = b'#include <a/b.h>\n # \t include "c.h"\n#include MACRO\n#include_next <d.h>\n'
    assert inclusions(text) == [(b"a/b.h", b""), (b"", b"c.h")]


def test_what_many_include_directly_or_not_comes_first() -> None:
    assert order(
        {
            "include/linux/base.h": "",
            "include/linux/middle.h": "#include <linux/base.h>",
            "include/linux/top.h": "#include <linux/middle.h>",
            "include/linux/unrelated.h": "",
        }
    ) == [
        "include/linux/base.h",
        "include/linux/middle.h",
        "include/linux/top.h",
        "include/linux/unrelated.h",
    ]


def test_what_ebpf_programs_include_counts_as_read_by_some_of_them() -> None:
    def reached_by(count: int, name: str) -> dict[str, str]:
        included = {
            f"include/linux/{name}{i}.h": f"#include <linux/{name}.h>" for i in range(count)
        }
        return {f"include/linux/{name}.h": "", **included}

    headers = {
        **reached_by(40, "many"),
        **reached_by(2, "few"),
        "include/uapi/linux/bpf.h": "#include <linux/bpf_common.h>",
        "include/uapi/linux/bpf_common.h": "",
        # In all 96, so three programs are counted.
        **{f"include/other/{number:02}.h": "" for number in range(50)},
    }
    assert len(headers) == 96
    assert order(headers)[:4] == [
        "include/linux/many.h",
        "include/uapi/linux/bpf_common.h",
        "include/uapi/linux/bpf.h",
        "include/linux/few.h",
    ]


def test_equal_reach_is_ordered_by_path_and_a_cycle_reaches_equally() -> None:
    headers = {
        "include/b.h": "#include <a.h>",
        "include/a.h": "#include <c.h>\n#include <below.h>",
        "include/c.h": "#include <b.h>",
        "include/below.h": "",
        "include/alone.h": "#include <alone.h>",
    }
    assert order(headers) == [
        "include/below.h",
        "include/a.h",
        "include/b.h",
        "include/c.h",
        "include/alone.h",
    ]


def test_the_kernels_search_path_decides_between_headers_of_one_name() -> None:
    headers = {
        "include/asm/io.h": "",
        "arch/x86/include/asm/io.h": "",
        "arch/x86/include/generated/asm/bug.h": "",
        "include/uapi/linux/types.h": "",
        "include/linux/top.h": "#include <asm/io.h>\n#include <asm/bug.h>",
        "include/linux/high.h": "#include <linux/types.h>",
    }
    assert order(headers)[:3] == [
        "arch/x86/include/asm/io.h",
        "arch/x86/include/generated/asm/bug.h",
        "include/uapi/linux/types.h",
    ]


def test_a_quoted_header_is_first_looked_for_beside_the_one_that_includes_it() -> None:
    headers = {
        "include/drm/a.h": '#include "b.h"\n#include "../up.h"\n#include "linux/c.h"',
        "include/b.h": "",
        "include/drm/b.h": "",
        "include/up.h": "",
        "include/linux/c.h": "",
    }
    assert order(headers)[:3] == ["include/drm/b.h", "include/linux/c.h", "include/up.h"]


def test_what_every_unit_includes_comes_before_all() -> None:
    headers = {
        "include/linux/kconfig.h": "#include <generated/autoconf.h>",
        "include/generated/autoconf.h": "",
        "include/a.h": "",
        "include/c.h": "#include <a.h>",
        "include/b.h": "#include <a.h>",
    }
    assert order(headers)[:3] == [
        "include/generated/autoconf.h",
        "include/linux/kconfig.h",
        "include/a.h",
    ]


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.lists(
            st.lists(st.integers(0, count - 1), max_size=4), min_size=count, max_size=count
        )
    )
)
def test_reach_counts_the_headers_from_which_there_is_a_way(edges: list[list[int]]) -> None:
    def path(number: int) -> bytes:
        return b"include/%02d.h" % number

    def reached_from(start: int) -> set[int]:
        seen: set[int] = set()
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += edges[node]
        return seen

    headers: dict[bytes, list[Inclusion]] = {
        path(number): [(b"%02d.h" % target, b"") for target in targets]
        for number, targets in enumerate(edges)
    }
    reach = [
        sum(number in reached_from(start) for start in range(len(edges)))
        for number in range(len(edges))
    ]
    expected = sorted(range(len(edges)), key=lambda number: (-reach[number], number))
    assert by_reach(headers, "x86") == [path(number) for number in expected]


def test_a_long_chain_of_includes_needs_no_deep_recursion() -> None:
    headers: dict[bytes, list[Inclusion]] = {
        b"include/%05d.h" % number: [(b"%05d.h" % (number + 1), b"")] for number in range(5000)
    }
    assert by_reach(headers, "x86") == sorted(headers, reverse=True)


def test_a_profile_puts_what_it_lists_first_and_passes_over_the_rest() -> None:
    assert by_profile([b"a", b"b", b"c"], [b"c", b"gone", b"a", b"c"]) == [b"c", b"a"]
