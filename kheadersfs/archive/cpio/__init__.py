"""cpio: what headers of the newc format say, how they are written, and the sums of the crc format.

Source: cpio(5) of libarchive.
"""
