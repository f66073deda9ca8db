"""Give eBPF's tools the headers of the right kernel, its types, and the flags to use them with."""
