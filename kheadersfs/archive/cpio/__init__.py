"""The cpio format: reading and writing newc headers, and checking the checksums of the crc format.

Source: cpio(5) of libarchive.
"""
