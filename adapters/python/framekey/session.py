# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions, participants, keys and channels: the control plane, over D-Bus.

Options are keyword arguments with the names of org.framekey1(5), underscores for hyphens:
`session.activate("me", 3, at_key_frame=True)`.

Secrets. Python cannot wipe a `bytes` or `str`. Where you can, hand over a descriptor that the daemon reads itself, have
the daemon make the key (`generate_key()`, `export_wrapped()`), or hold it in a `bytearray` and overwrite that after.
"""

import ctypes
import dataclasses
import errno
import threading
from types import TracebackType
from typing import Any, Callable, List, Optional, Tuple, Type, Union

from ._library import (
    Buffer,
    EventHandler,
    RawEvent,
    RotateHandler,
    as_argument,
    bus,
    c_options,
    c_text,
    libc,
    systemd,
    take_bytes,
    take_text,
)
from .channel import Channel, Stream
from .constants import KEY_ACTIVE, KEY_NEXT, SECURITY_CODE_SIZE, TRANSPORT_KEY_LENGTH
from .constants import Bus, Codec, Direction, Media, Role
from .errors import error_from

_UNCHANGED = 2**64 - 1
_LOST = "The bus closed the connection: open a new client."


@dataclasses.dataclass(frozen=True)
class Event:
    """A signal of a session; org.framekey1(5) says when each is sent. None holds a secret."""

    name: str
    """"KeyInstalled", "RotationRequested", "DecryptionStalled", ..."""
    participant: str
    """"" for the shared key."""
    key_index: Optional[int]
    step: int
    generation: int
    reason: str
    deadline_usec: int
    """In microseconds of the wall clock; 0: none."""
    channel: str
    stream: int
    state: str
    frames: int


EventCallback = Callable[[Event], None]
RotateCallback = Callable[["Provider", Optional[str], int, str, int], None]


class Client:
    """A connection to the daemon. Its sessions end with it, unless they were opened with `linger=True`.

    Calls block until the daemon has answered: milliseconds, or some tens of them where a passphrase is derived. Any
    thread may make them, one at a time. Callbacks run in `process()`, and so in the loop of `attach()`.
    """

    def __init__(self, bus_kind: Bus = Bus.SYSTEM, where: Optional[str] = None, timeout: Optional[float] = None) -> None:
        self._handle = ctypes.c_void_p()
        self._lock = threading.RLock()
        self._loop: Any = None
        self._loop_fd = -1
        self._raised: List[BaseException] = []
        sentence = ctypes.c_void_p()
        result = bus().framekey_client_open(
            ctypes.byref(self._handle), bus_kind, c_text(where), ctypes.byref(sentence)
        )
        if result < 0:
            raise error_from(result, take_text(sentence))
        if timeout is not None:
            bus().framekey_client_set_timeout(self._handle, int(timeout * 1_000_000))

    def close(self) -> None:
        """Ends the connection, and so its sessions."""
        with self._lock:
            self.detach()
            handle, self._handle = self._handle, ctypes.c_void_p()
            if handle:
                bus().framekey_client_free(handle)

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # Everything that goes through the connection: one thread at a time, and negative results raise.
    def _call(self, function: Callable[..., int], *arguments: Any) -> int:
        with self._lock:
            if not self._handle:
                raise ValueError("this client is closed: open another one")
            result = function(*arguments)
            if result < 0:
                error = error_from(
                    result,
                    bus().framekey_client_error(self._handle).decode(),
                    bus().framekey_client_error_name(self._handle).decode(),
                )
            # While it waits for its answer a call takes in events, of which the descriptor does not tell any more.
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._process_in_loop)
            if result < 0:
                raise error
            return result

    # What is about the connection alone, and leaves no sentence with the client.
    def _on_bus(self, function: Callable[..., int], *arguments: Any) -> int:
        if not self._handle:
            raise ValueError("this client is closed: open another one")
        result: int = function(bus().framekey_client_get_bus(self._handle), *arguments)
        if result < 0:
            lost = -result in (errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE)
            raise error_from(-errno.ENOTCONN, _LOST) if lost else error_from(result)
        return result

    def open_session(self, profile: str, label: str = "", **options: Any) -> "Session":
        """Opens a session. `profile` is a format or a preset: "livekit-passphrase", "element-call", "sframe", ..."""
        handle = ctypes.c_void_p()
        self._call(
            bus().framekey_session_open,
            self._handle,
            profile.encode(),
            label.encode(),
            c_options(options),
            ctypes.byref(handle),
        )
        return Session(self, handle)

    def attach_session(self, session_id: str) -> "Session":
        """Uses a session that exists, such as one that was opened with `linger=True` before this program was started
        again.
        """
        handle = ctypes.c_void_p()
        self._call(bus().framekey_session_attach, self._handle, session_id.encode(), ctypes.byref(handle))
        return Session(self, handle)

    def import_credential(self, session_id: str, identity: str, index: int, name: str, **options: Any) -> None:
        """For administrators: a key from a credential of the service, by its name."""
        self._call(
            bus().framekey_client_import_credential,
            self._handle,
            session_id.encode(),
            identity.encode(),
            index,
            name.encode(),
            c_options(options),
        )

    def fileno(self) -> int:
        """The connection's descriptor, for a loop of your own: call process() when it is readable, and after calls of
        other methods, which take in events while they wait.
        """
        with self._lock:
            fd: int = self._on_bus(systemd().sd_bus_get_fd)
            return fd

    def process(self) -> None:
        """Calls the callbacks of all events that are there. What a callback raises comes out here."""
        with self._lock:
            self._on_bus(lambda _bus: int(bus().framekey_client_process(self._handle)))
        if self._raised:
            raised, self._raised = self._raised, []
            raise raised[0]

    def wait(self, timeout: Optional[float] = None) -> None:
        """Waits until there may be something to process(), `timeout` seconds at most."""
        usec = _UNCHANGED if timeout is None else int(timeout * 1_000_000)
        with self._lock:
            self._on_bus(systemd().sd_bus_wait, usec)

    def attach(self, loop: Any) -> None:
        """Has an asyncio loop, in whose thread we are, call process()."""
        self._loop_fd = self.fileno()
        self._loop = loop
        loop.add_reader(self._loop_fd, self._process_in_loop)
        loop.call_soon(self._process_in_loop)

    def detach(self) -> None:
        """Ends attach()."""
        if self._loop is not None:
            loop, self._loop = self._loop, None
            loop.remove_reader(self._loop_fd)

    def _process_in_loop(self) -> None:
        loop = self._loop
        if loop is None or not self._handle:
            return
        try:
            with self._lock:
                self._loop = None  # this call asks for no other
                try:
                    self.process()
                finally:
                    self._loop = loop
        except BaseException as error:
            if isinstance(error, OSError):
                self.detach()  # the connection is gone: a descriptor that stays readable would spin
            loop.call_exception_handler({"message": "framekey: a callback or the connection failed", "exception": error})


class Session:
    """A session. Leave it to its client's end, or close it before."""

    def __init__(self, client: Client, handle: ctypes.c_void_p) -> None:
        self.client = client
        self._handle = handle
        self._handler: Any = None

    def close(self) -> None:
        """Closes the session in the daemon: its keys are wiped, its channels closed."""
        self._drop(bus().framekey_session_close)

    def free(self) -> None:
        """Gives up the handle; the session lives as long as the connection, or longer with `linger=True`."""
        self._drop(bus().framekey_session_free)

    def _drop(self, function: Callable[..., int]) -> None:
        with self.client._lock:
            handle, self._handle = self._handle, ctypes.c_void_p()
            if handle:
                function(handle)

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _call(self, function: Callable[..., int], *arguments: Any) -> int:
        if not self._handle:
            raise ValueError("this session is closed: open another one")
        return self.client._call(function, self._handle, *arguments)

    def _text(self, function: Callable[..., bytes]) -> str:
        if not self._handle:
            raise ValueError("this session is closed: open another one")
        return function(self._handle).decode()

    @property
    def id(self) -> str:
        return self._text(bus().framekey_session_get_id)

    @property
    def path(self) -> str:
        return self._text(bus().framekey_session_get_path)

    # ---- who is there ----

    def add_participant(self, identity: str, role: Role, **options: Any) -> None:
        """Adds somebody without touching any key."""
        self._call(bus().framekey_session_add_participant, identity.encode(), role, c_options(options))

    def remove_participant(self, identity: str, **options: Any) -> None:
        """Wipes the participant's keys and refuses its streams."""
        self._call(bus().framekey_session_remove_participant, identity.encode(), c_options(options))

    def join(self, identity: str, **options: Any) -> int:
        """Somebody joined: adds a remote participant and moves the sending keys on. Give it the keys after the time
        that comes back, in microseconds of the wall clock.
        """
        when = ctypes.c_uint64()
        self._call(bus().framekey_session_join, identity.encode(), c_options(options), ctypes.byref(when))
        return when.value

    def leave(self, identity: str, **options: Any) -> int:
        """Somebody left: removes it and rotates every key that is sent under. Returns when that is."""
        when = ctypes.c_uint64()
        self._call(bus().framekey_session_leave, identity.encode(), c_options(options), ctypes.byref(when))
        return when.value

    def allow_unencrypted(self, identity: str, what: str, seconds: float) -> None:
        """Under DAVE: "silence", "all" or "nothing" may pass without a key for so long."""
        self._call(
            bus().framekey_session_allow_unencrypted, identity.encode(), what.encode(), int(seconds * 1_000_000)
        )

    # ---- keys; the identity "" is the shared one ----

    def import_key(self, identity: str, index: int, secret: Buffer, **options: Any) -> None:
        """Imports a passphrase's or key's bytes; they go through a pipe, not in a message. Waits for the derivation."""
        argument, length = as_argument(secret)
        self._call(
            bus().framekey_session_import_key, identity.encode(), index, argument, length, c_options(options)
        )

    def import_key_fd(self, identity: str, index: int, fd: Union[int, Any], **options: Any) -> None:
        """The same from a pipe or sealed memfd (its number, or a file object), which the daemon reads to its end: the
        key never comes to this process.
        """
        number = fd if isinstance(fd, int) else fd.fileno()
        self._call(bus().framekey_session_import_key_fd, identity.encode(), index, number, c_options(options))

    def generate_key(self, identity: str, index: int, **options: Any) -> None:
        """A random key, made in the daemon. export_wrapped() hands it to other daemons."""
        self._call(bus().framekey_session_generate_key, identity.encode(), index, c_options(options))

    def activate(self, identity: str, index: int, **options: Any) -> None:
        """Sends under this index, now or as `after_usec` and `at_key_frame` say."""
        self._call(bus().framekey_session_activate, identity.encode(), index, c_options(options))

    def ratchet(self, identity: str, index: int = KEY_ACTIVE) -> int:
        """One ratchet step; the step that is reached."""
        step = ctypes.c_uint32()
        self._call(bus().framekey_session_ratchet, identity.encode(), index, ctypes.byref(step))
        return step.value

    def set_ratchet(
        self, seconds: Optional[float] = None, frames: Optional[int] = None, n_bytes: Optional[int] = None
    ) -> None:
        """When sending keys step by themselves; 0: never, None: as it is."""
        self._call(
            bus().framekey_session_set_ratchet,
            _UNCHANGED if seconds is None else int(seconds * 1_000_000),
            _UNCHANGED if frames is None else frames,
            _UNCHANGED if n_bytes is None else n_bytes,
        )

    def rotate(self, identity: Optional[str] = None, reason: str = "") -> Tuple[int, int]:
        """Replaces the sending keys of somebody, or of all. How many were, and how many the owner was asked for."""
        rotated, requested = ctypes.c_uint32(), ctypes.c_uint32()
        self._call(
            bus().framekey_session_rotate,
            c_text(identity),
            reason.encode(),
            ctypes.byref(rotated),
            ctypes.byref(requested),
        )
        return rotated.value, requested.value

    def retire_key(self, identity: str, index: int) -> None:
        """Wipes the key under this index."""
        self._call(bus().framekey_session_retire_key, identity.encode(), index)

    def transport_key(self) -> Tuple[bytes, str]:
        """The public key to which other daemons wrap keys for this one, and its fingerprint for people."""
        key, fingerprint = ctypes.create_string_buffer(TRANSPORT_KEY_LENGTH), ctypes.c_void_p()
        self._call(bus().framekey_session_get_transport_key, key, ctypes.byref(fingerprint))
        return key.raw, take_text(fingerprint)

    def export_wrapped(self, identity: str, recipient: bytes, index: int = KEY_ACTIVE) -> bytes:
        """The sending key as it stands now, for the daemon with this transport key and nobody else."""
        if len(recipient) != TRANSPORT_KEY_LENGTH:
            raise ValueError(f"a transport key has {TRANSPORT_KEY_LENGTH} bytes, this one {len(recipient)}")
        package, length = ctypes.c_void_p(), ctypes.c_size_t()
        self._call(
            bus().framekey_session_export_wrapped,
            identity.encode(),
            index,
            recipient,
            ctypes.byref(package),
            ctypes.byref(length),
        )
        return take_bytes(package, length.value)

    def import_wrapped(self, identity: str, package: Buffer, index: int = KEY_ACTIVE, **options: Any) -> int:
        """Installs a key that export_wrapped() made elsewhere, for the same identity. Returns its index."""
        installed = ctypes.c_uint32()
        argument, length = as_argument(package)
        self._call(
            bus().framekey_session_import_wrapped,
            identity.encode(),
            index,
            argument,
            length,
            c_options(options),
            ctypes.byref(installed),
        )
        return installed.value

    def security_code(self) -> str:
        """What two people read to each other to see that they hold the same keys. Show it to the user alone."""
        code = ctypes.create_string_buffer(SECURITY_CODE_SIZE)
        try:
            self._call(bus().framekey_session_get_security_code, code, None, None)
            return code.value.decode()
        finally:
            libc.explicit_bzero(code, len(code))

    # ---- channels ----

    def open_channel(self, **options: Any) -> Channel:
        """Opens a channel, which can do nothing before add_stream()."""
        handle, path = ctypes.c_void_p(), ctypes.c_void_p()
        self._call(
            bus().framekey_session_open_channel, c_options(options), ctypes.byref(handle), ctypes.byref(path)
        )
        return Channel(handle, take_text(path))

    def open_channel_fds(self, **options: Any) -> Tuple[List[int], str]:
        """The same for another process: four descriptors for its Channel.from_fds(), and the path. Close them."""
        fds, path = (ctypes.c_int * 4)(), ctypes.c_void_p()
        self._call(bus().framekey_session_open_channel_fds, c_options(options), fds, ctypes.byref(path))
        return list(fds), take_text(path)

    def close_channel(self, channel: Union[Channel, str]) -> None:
        """Takes a channel away from whoever uses it."""
        self._call(bus().framekey_session_close_channel, _path(channel).encode())

    def grant_stream(
        self, channel: Union[Channel, str], identity: str, direction: Direction, media: Media, codec: Codec,
        **options: Any,
    ) -> int:
        """Grants a stream on a channel that another process uses: tell it the number."""
        number = ctypes.c_uint32()
        self._call(
            bus().framekey_session_add_stream,
            _path(channel).encode(),
            identity.encode(),
            direction,
            media,
            codec,
            c_options(options),
            ctypes.byref(number),
        )
        return number.value

    def add_stream(
        self, channel: Channel, identity: str, direction: Direction, media: Media, codec: Codec, **options: Any
    ) -> Stream:
        """The same for a channel of this process."""
        return channel.stream(self.grant_stream(channel, identity, direction, media, codec, **options))

    def remove_stream(self, channel: Union[Channel, str], stream: Union[Stream, int]) -> None:
        """Takes a stream away."""
        number = stream.number if isinstance(stream, Stream) else stream
        self._call(bus().framekey_session_remove_stream, _path(channel).encode(), number)

    # ---- events ----

    def on_event(self, callback: Optional[EventCallback]) -> None:
        """Has `callback` called with each event of this session. It may call this library, but not close the session.
        None takes it away.
        """

        def handler(_session: Any, raw: Any, _userdata: Any) -> None:
            _guarded(self.client, callback, _event(raw.contents))

        keep = EventHandler(handler) if callback else EventHandler(0)
        self._call(bus().framekey_session_set_handler, keep, None)
        self._handler = keep


class Provider:
    """A session's keys as developers of web clients know them: derives a key as its kind asks for, counts the indices,
    and turns rotation requests into one callback. The identity None is the shared key. Close it before its session.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._handle = ctypes.c_void_p()
        self._handler: Any = None
        session._call(bus().framekey_provider_new, ctypes.byref(self._handle))

    def close(self) -> None:
        """The keys stay."""
        with self.session.client._lock:
            handle, self._handle = self._handle, ctypes.c_void_p()
            if handle:
                bus().framekey_provider_free(handle)

    def __enter__(self) -> "Provider":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def _call(self, function: Callable[..., int], *arguments: Any) -> int:
        if not self._handle or not self.session._handle:
            raise ValueError("this key provider or its session is closed: open another one")
        return self.session.client._call(function, self._handle, *arguments)

    def set_passphrase(
        self, passphrase: Union[str, bytes], identity: Optional[str] = None, index: int = KEY_NEXT, **options: Any
    ) -> int:
        """setKey(string): through PBKDF2. Returns the index. Web clients that name none use index 0."""
        used = ctypes.c_uint32()
        secret = passphrase.encode() if isinstance(passphrase, str) else passphrase
        if b"\0" in secret:
            raise ValueError("a passphrase holds no NUL; for bytes there is set_key()")
        self._call(
            bus().framekey_provider_set_passphrase,
            c_text(identity),
            index,
            secret,
            c_options(options),
            ctypes.byref(used),
        )
        return used.value

    def set_key(self, key: Buffer, identity: Optional[str] = None, index: int = KEY_NEXT, **options: Any) -> int:
        """setKey(ArrayBuffer): through HKDF, or as the format has it. Returns the index."""
        used = ctypes.c_uint32()
        argument, length = as_argument(key)
        self._call(
            bus().framekey_provider_set_key,
            c_text(identity),
            index,
            argument,
            length,
            c_options(options),
            ctypes.byref(used),
        )
        return used.value

    def ratchet(self, identity: Optional[str] = None, index: int = KEY_ACTIVE) -> int:
        """ratchetKey(): one step; the step that is reached."""
        step = ctypes.c_uint32()
        self._call(bus().framekey_provider_ratchet, c_text(identity), index, ctypes.byref(step))
        return step.value

    def on_rotate(self, callback: Optional[RotateCallback]) -> None:
        """Has `callback(provider, identity, next_index, reason, deadline_usec)` called when a key is to be replaced:
        invent or fetch it, give it to the others, and set it with `activate_after_usec`. None takes it away.
        """

        def handler(_p: Any, identity: Optional[bytes], index: int, reason: bytes, deadline: int, _u: Any) -> None:
            name = None if identity is None else identity.decode()
            _guarded(self.session.client, callback, self, name, index, (reason or b"").decode(), deadline)

        keep = RotateHandler(handler) if callback else RotateHandler(0)
        self._call(bus().framekey_provider_set_rotate_handler, keep, None)
        self._handler = keep


# C cannot pass an exception on: it waits for process().
def _guarded(client: Client, callback: Any, *arguments: Any) -> None:
    try:
        callback(*arguments)
    except BaseException as error:
        client._raised.append(error)


def _event(raw: RawEvent) -> Event:
    def text(value: Optional[bytes]) -> str:
        return (value or b"").decode()

    return Event(
        text(raw.name),
        text(raw.participant),
        None if raw.key_index == 2**32 - 1 else raw.key_index,
        raw.step,
        raw.generation,
        text(raw.reason),
        raw.deadline_usec,
        text(raw.channel),
        raw.stream,
        text(raw.state),
        raw.frames,
    )


def _path(channel: Union[Channel, str]) -> str:
    path = channel if isinstance(channel, str) else channel.path
    if not path:
        raise ValueError("the channel's path is not known here: whoever opened it has it")
    return path
