"""What users of eBPF need: the right headers, where their tools look, with the flags they take."""
