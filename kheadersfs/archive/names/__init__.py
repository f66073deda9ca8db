"""What an archive holds: its names and inodes, and how the embedded index writes them."""
