"""Files on servers, of which a helper process fetches ranges.

This package knows nothing of archives. The process that reads an archive asks for ranges over
sockets that it makes before it gives up its rights. The helper has the network and the cache
directory, and no other rights.

``address`` parses addresses. ``asking`` is the reader's side, and starts the helper. ``helper`` is
the process that fetches, ``serving`` answers its requests, and ``fetching`` decides what has to be
fetched. ``http`` fetches it; ``s3`` and ``oci`` turn their addresses into HTTP requests. ``cache``
keeps what was fetched, and ``adopting`` and ``early`` use it without asking a server.
"""
