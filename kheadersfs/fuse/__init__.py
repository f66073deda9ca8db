"""Serve a mount: the only importer of pyfuse3.

``daemon`` starts a server, and ``session`` is the life of one. ``loop`` fetches requests and keeps
slow work off their path; ``operations`` takes each to ``answers``, which finds what to say, and
``content``, which finds the bytes. Mounting itself, and looking at a server from outside, is done
in mount/.
"""
