"""The tar format: reading and writing headers.

``fields`` parses single fields. ``ordinary`` reads the headers that all readers understand alike.
``preamble`` corrects what libarchive makes of others. ``walking`` reads the headers in a block of a
packed archive, and ``writing`` writes them.

Sources: POSIX.1-2017, pax (ustar and extended headers); the GNU tar manual, "Basic Tar Format", for
types L and K.
"""
