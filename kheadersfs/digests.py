"""SHA-256, without what the module hashlib imports besides."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _hashlib import openssl_sha256 as sha256
    except ImportError:  # this Python is built without OpenSSL
        from hashlib import sha256

__all__ = ["sha256"]
