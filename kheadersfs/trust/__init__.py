"""Make sure that an archive is the one that was meant, and stays what it was."""
