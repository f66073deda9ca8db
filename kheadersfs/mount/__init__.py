"""Mounts and their servers, seen from outside: found, made, asked and undone without pyfuse3."""
