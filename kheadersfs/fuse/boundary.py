"""Turn exceptions of handlers into an errno for the kernel and a message in the log.

Any other exception than FUSEError would end pyfuse3's main loop with the file system still mounted.
"""

from __future__ import annotations

import errno

import pyfuse3

from kheadersfs.errors import KheadersfsError
from kheadersfs.fuse.answers import NoAnswer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, Protocol, TypeVar

    from kheadersfs.fuse.log import Log

    Handler = TypeVar("Handler", bound=Callable[..., Coroutine[Any, Any, Any]])

    class Logging(Protocol):
        """What has handlers."""

        log: Log


def bounded(handler: Handler) -> Handler:
    """Make *handler*, a method of what has a ``log``, raise nothing but FUSEError.

    FUSEError is left as it is, and NoAnswer becomes one with its errno. All other exceptions are
    logged: MemoryError becomes ENOMEM, and the rest become EIO.
    """

    async def call(operations: Logging, *arguments: Any) -> Any:
        log = operations.log
        try:
            return await handler(operations, *arguments)
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
            log.exception("%s%r failed; please report this", handler.__name__, arguments[:-1])
            raise pyfuse3.FUSEError(errno.EIO) from None

    call.__name__, call.__doc__ = handler.__name__, handler.__doc__
    return call  # type: ignore[return-value]  # it takes and returns what the handler does
