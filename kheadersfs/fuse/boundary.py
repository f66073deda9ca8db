"""Turn exceptions of handlers into an errno for the kernel and a message in the log.

Any other exception than FUSEError would end pyfuse3's main loop with the file system still mounted.
"""

from __future__ import annotations

import errno
import functools
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import pyfuse3

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.answers import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

log = logging.getLogger("kheadersfs")

Handler = TypeVar("Handler", bound="Callable[..., Coroutine[Any, Any, Any]]")


def bounded(handler: Handler) -> Handler:
    """Make *handler*, which is a method, raise nothing but FUSEError.

    FUSEError is left as it is, and NoAnswer becomes one with its errno. All other exceptions are
    logged: MemoryError becomes ENOMEM, and the rest become EIO.
    """

    @functools.wraps(handler)
    async def call(*arguments: Any) -> Any:
        try:
            return await handler(*arguments)
        except pyfuse3.FUSEError:
            raise
        except NoAnswer as answer:
            raise pyfuse3.FUSEError(answer.number) from None
        except KheadersfsError as error:
            log.error("%s", error)
            raise pyfuse3.FUSEError(errno.EIO) from None
        except MemoryError:
            log.error("%s: out of memory", handler.__name__)
            raise pyfuse3.FUSEError(errno.ENOMEM) from None
        except Exception:
            log.exception("%s%r failed; please report this", handler.__name__, arguments[1:-1])
            raise pyfuse3.FUSEError(errno.EIO) from None

    return call  # type: ignore[return-value]  # wraps() keeps the handler's own signature
