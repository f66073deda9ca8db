"""tar: what its headers say, and how they are written.

Sources: POSIX.1-2017, pax (ustar and extended headers); the GNU tar manual, "Basic Tar Format", for
types L and K.
"""
