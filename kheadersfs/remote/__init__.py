"""Bytes of files that are elsewhere, fetched by a process of its own.

It knows nothing of archives: whoever reads asks for ranges, over sockets that were made before it
gave up its rights. The process that fetches has the network and one directory, and no more.

``address`` says what can be named, ``asking`` is the side that reads, ``helper`` the process that
fetches, by way of ``fetching``: from ``http``, where ``s3`` and ``oci`` say what to ask for, and
into ``cache``.
"""
