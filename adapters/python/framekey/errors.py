# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is raised. A verdict about a frame is none of these: it is an answer, see Result."""

import errno
import os
from typing import Dict, Type


class Error(OSError):
    """Something on our side failed. `errno` is the library's, `strerror` a sentence that says what to do, and
    `dbus_name` the daemon's name for it ("org.framekey1.Error.NoSuchKey"), or "".
    """

    dbus_name: str = ""


class ChannelClosed(Error):
    """The channel was closed by its owner, an administrator, or the end of the session (EPIPE)."""


class ChannelStale(Error):
    """The daemon ended or was started again without this channel: open another one (ESTALE)."""


class NoFreeSlot(Error):
    """All slots are under way: drop this frame rather than wait for it (EAGAIN)."""


class NoAnswer(Error):
    """The daemon did not answer within the timeout (ETIMEDOUT)."""


class NotRunning(Error):
    """framekeyd is not running on this bus, or there is no such bus."""


_CLASSES: Dict[int, Type[Error]] = {
    errno.EPIPE: ChannelClosed,
    errno.ESTALE: ChannelStale,
    errno.EAGAIN: NoFreeSlot,
    errno.ETIMEDOUT: NoAnswer,
    errno.EHOSTUNREACH: NotRunning,
}


def error_from(result: int, sentence: str = "", dbus_name: str = "") -> Error:
    """The exception for a negative errno."""
    error = _CLASSES.get(-result, Error)(-result, sentence or os.strerror(-result))
    error.dbus_name = dbus_name
    return error
