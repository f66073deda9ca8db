"""Programs of ours, compiled against the headers of many kernels, mounted and extracted."""
