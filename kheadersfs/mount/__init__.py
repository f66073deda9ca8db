"""Make and remove mounts, find them, and ask their servers. Nothing here needs pyfuse3."""
