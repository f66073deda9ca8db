"""Objects in S3, or in another service of the same protocol, by presigned addresses.

obstore signs an address for each request. It takes the credentials from AWS_* in the environment, a
web identity or the instance's role, and renews them. AWS_ENDPOINT_URL names another service.
"""

from __future__ import annotations

import os
from datetime import timedelta

import obstore
import trio
from obstore.exceptions import BaseError
from obstore.store import S3Store

from kheadersfs.errors import ArchiveUnavailable
from kheadersfs.remote.http import Target

_VALID = timedelta(minutes=15)
_UNSIGNED = ("true", "1")


class Bucket:
    """The object *key* in the S3 bucket *name*."""

    def __init__(self, name: str, key: str) -> None:
        """Read the settings. Raises ArchiveUnavailable when they do not fit together."""
        self._name = f"s3://{name}/{key}"
        self._key = key
        try:
            self._store = S3Store(name, client_options={"allow_http": True})
        except (BaseError, ValueError) as error:
            raise self._unusable(error) from None

    async def target(self, _challenge: str) -> Target:
        """Return a presigned address of the object; see http.Client. Raises ArchiveUnavailable."""
        try:
            signed = await trio.to_thread.run_sync(
                lambda: obstore.sign(self._store, "GET", self._key, _VALID)
            )
        except (BaseError, ValueError) as error:
            raise self._unusable(error) from None
        if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in _UNSIGNED:
            signed = signed.partition("?")[0]
        return Target(signed, {})

    def _unusable(self, error: Exception) -> ArchiveUnavailable:
        said = str(error).strip().partition("\n")[0]
        return ArchiveUnavailable(
            f"{self._name}: no credentials can be used: {said}; set "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION"
        )
