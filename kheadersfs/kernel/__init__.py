"""Kernels, and where their headers are: in trees, packages and archives."""
