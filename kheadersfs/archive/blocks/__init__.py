"""The blocks that an archive decodes to, wherever they come from."""
