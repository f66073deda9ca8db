"""Serve a mount. No other package imports pyfuse3.

``daemon`` starts a server, in which ``session`` serves one mount. ``loop`` fetches requests and
hands slow work to threads. ``operations`` has a handler for each kind of request. A handler asks
``answers`` for names and attributes, and ``answers`` asks ``content`` for the bytes of files.
mount/ makes and removes the mount, and looks at servers from outside.
"""
