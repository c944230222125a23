# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two C libraries, as ctypes sees them.

libframekey-bus is loaded at its first use: a media process in a sandbox has channels and nothing else, and needs
neither the library nor a bus.
"""

import ctypes
import functools
from ctypes import c_char_p, c_int, c_int32, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, Optional, Sequence, Tuple, Union

Buffer = Union[bytes, bytearray, memoryview]


class Frame(ctypes.Structure):
    """struct framekey_frame"""

    _fields_ = [
        ("size", c_uint32),
        ("stream", c_uint32),
        ("frame_type", c_uint8),
        ("codec", c_uint8),
        ("reserved", c_uint16),
        ("ssrc", c_uint32),
        ("rtp_timestamp", c_uint32),
        ("metadata_len", c_uint32),
        ("metadata", c_void_p),
    ]


class RawResult(ctypes.Structure):
    """struct framekey_result"""

    _fields_ = [
        ("size", c_uint32),
        ("verdict", c_int32),
        ("stream", c_uint32),
        ("length", c_uint32),
        ("key_index", c_uint32),
        ("step", c_uint32),
        ("flags", c_uint32),
        ("slot", c_uint32),
        ("cookie", c_uint64),
        ("data", c_void_p),
    ]


class RawEvent(ctypes.Structure):
    """struct framekey_event"""

    _fields_ = [
        ("size", c_uint32),
        ("name", c_char_p),
        ("participant", c_char_p),
        ("key_index", c_uint32),
        ("step", c_uint32),
        ("generation", c_uint64),
        ("reason", c_char_p),
        ("deadline_usec", c_uint64),
        ("channel", c_char_p),
        ("stream", c_uint32),
        ("state", c_char_p),
        ("frames", c_uint64),
    ]


EventHandler = ctypes.CFUNCTYPE(None, c_void_p, ctypes.POINTER(RawEvent), c_void_p)
RotateHandler = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_uint32, c_char_p, c_uint64, c_void_p)

_Out = ctypes.POINTER
_Options = _Out(c_char_p)

_DATA_PLANE: Sequence[Tuple[str, Any, Sequence[Any]]] = [
    ("framekey_verdict_text", c_char_p, [c_int]),
    ("framekey_verdict_delivers", c_int, [c_int]),
    ("framekey_channel_new_from_fds", c_int, [_Out(c_void_p), _Out(c_int), c_size_t]),
    ("framekey_channel_free", c_void_p, [c_void_p]),
    ("framekey_channel_get_fd", c_int, [c_void_p]),
    (
        "framekey_stream_get",
        c_int,
        [c_void_p, c_uint32, _Out(c_uint32), _Out(c_uint32), _Out(c_uint32), _Out(c_uint32)],
    ),
    ("framekey_sealed_max", c_size_t, [c_void_p, c_uint32, c_size_t]),
    ("framekey_opened_max", c_size_t, [c_void_p, c_uint32, c_size_t]),
    (
        "framekey_encrypt",
        c_int,
        [c_void_p, _Out(Frame), c_void_p, c_size_t, c_void_p, c_size_t, _Out(c_size_t), _Out(RawResult), c_uint64],
    ),
    (
        "framekey_decrypt",
        c_int,
        [c_void_p, _Out(Frame), c_void_p, c_size_t, c_void_p, c_size_t, _Out(c_size_t), _Out(RawResult), c_uint64],
    ),
    (
        "framekey_transcrypt",
        c_int,
        [c_void_p, _Out(Frame), _Out(Frame), c_void_p, c_size_t, c_void_p, c_size_t]
        + [_Out(c_size_t), _Out(RawResult), c_uint64],
    ),
    ("framekey_reserve", c_int, [c_void_p, _Out(Frame), c_size_t, _Out(c_uint32), _Out(c_void_p)]),
    ("framekey_submit", c_int, [c_void_p, c_uint32, _Out(Frame), c_size_t, c_uint64]),
    ("framekey_flush", c_int, [c_void_p]),
    ("framekey_reap", c_int, [c_void_p, _Out(RawResult)]),
    ("framekey_take", c_int, [c_void_p, _Out(RawResult), c_void_p, c_size_t, _Out(c_size_t)]),
    ("framekey_release", None, [c_void_p, c_uint32]),
    (
        "framekey_packet_encrypt",
        c_int,
        [c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_size_t, _Out(c_size_t)]
        + [c_void_p, _Out(c_uint32), c_uint64],
    ),
    (
        "framekey_packet_decrypt",
        c_int,
        [c_void_p, c_uint32, c_void_p, c_size_t, c_void_p, c_size_t, c_uint32]
        + [c_void_p, c_size_t, _Out(c_size_t), c_uint64],
    ),
]

_CONTROL_PLANE: Sequence[Tuple[str, Any, Sequence[Any]]] = [
    ("framekey_client_open", c_int, [_Out(c_void_p), c_int, c_char_p, _Out(c_void_p)]),
    ("framekey_client_free", c_void_p, [c_void_p]),
    ("framekey_client_get_bus", c_void_p, [c_void_p]),
    ("framekey_client_process", c_int, [c_void_p]),
    ("framekey_client_set_timeout", None, [c_void_p, c_uint64]),
    ("framekey_client_error", c_char_p, [c_void_p]),
    ("framekey_client_error_name", c_char_p, [c_void_p]),
    ("framekey_session_open", c_int, [c_void_p, c_char_p, c_char_p, _Options, _Out(c_void_p)]),
    ("framekey_session_attach", c_int, [c_void_p, c_char_p, _Out(c_void_p)]),
    ("framekey_session_close", c_void_p, [c_void_p]),
    ("framekey_session_free", c_void_p, [c_void_p]),
    ("framekey_session_get_id", c_char_p, [c_void_p]),
    ("framekey_session_get_path", c_char_p, [c_void_p]),
    ("framekey_session_add_participant", c_int, [c_void_p, c_char_p, c_int, _Options]),
    ("framekey_session_remove_participant", c_int, [c_void_p, c_char_p, _Options]),
    ("framekey_session_join", c_int, [c_void_p, c_char_p, _Options, _Out(c_uint64)]),
    ("framekey_session_leave", c_int, [c_void_p, c_char_p, _Options, _Out(c_uint64)]),
    ("framekey_session_allow_unencrypted", c_int, [c_void_p, c_char_p, c_char_p, c_uint64]),
    ("framekey_session_import_key", c_int, [c_void_p, c_char_p, c_uint32, c_void_p, c_size_t, _Options]),
    ("framekey_session_import_key_fd", c_int, [c_void_p, c_char_p, c_uint32, c_int, _Options]),
    ("framekey_client_import_credential", c_int, [c_void_p, c_char_p, c_char_p, c_uint32, c_char_p, _Options]),
    ("framekey_session_generate_key", c_int, [c_void_p, c_char_p, c_uint32, _Options]),
    ("framekey_session_activate", c_int, [c_void_p, c_char_p, c_uint32, _Options]),
    ("framekey_session_ratchet", c_int, [c_void_p, c_char_p, c_uint32, _Out(c_uint32)]),
    ("framekey_session_set_ratchet", c_int, [c_void_p, c_uint64, c_uint64, c_uint64]),
    ("framekey_session_rotate", c_int, [c_void_p, c_char_p, c_char_p, _Out(c_uint32), _Out(c_uint32)]),
    ("framekey_session_retire_key", c_int, [c_void_p, c_char_p, c_uint32]),
    ("framekey_session_get_transport_key", c_int, [c_void_p, c_void_p, _Out(c_void_p)]),
    (
        "framekey_session_export_wrapped",
        c_int,
        [c_void_p, c_char_p, c_uint32, c_void_p, _Out(c_void_p), _Out(c_size_t)],
    ),
    (
        "framekey_session_import_wrapped",
        c_int,
        [c_void_p, c_char_p, c_uint32, c_void_p, c_size_t, _Options, _Out(c_uint32)],
    ),
    ("framekey_session_get_security_code", c_int, [c_void_p, c_void_p, c_void_p, c_void_p]),
    ("framekey_session_open_channel", c_int, [c_void_p, _Options, _Out(c_void_p), _Out(c_void_p)]),
    ("framekey_session_open_channel_fds", c_int, [c_void_p, _Options, _Out(c_int), _Out(c_void_p)]),
    ("framekey_session_close_channel", c_int, [c_void_p, c_char_p]),
    (
        "framekey_session_add_stream",
        c_int,
        [c_void_p, c_char_p, c_char_p, c_int, c_int, c_int, _Options, _Out(c_uint32)],
    ),
    ("framekey_session_remove_stream", c_int, [c_void_p, c_char_p, c_uint32]),
    ("framekey_session_set_handler", c_int, [c_void_p, EventHandler, c_void_p]),
    ("framekey_provider_new", c_int, [c_void_p, _Out(c_void_p)]),
    ("framekey_provider_free", c_void_p, [c_void_p]),
    (
        "framekey_provider_set_passphrase",
        c_int,
        [c_void_p, c_char_p, c_uint32, c_char_p, _Options, _Out(c_uint32)],
    ),
    (
        "framekey_provider_set_key",
        c_int,
        [c_void_p, c_char_p, c_uint32, c_void_p, c_size_t, _Options, _Out(c_uint32)],
    ),
    ("framekey_provider_ratchet", c_int, [c_void_p, c_char_p, c_uint32, _Out(c_uint32)]),
    ("framekey_provider_set_rotate_handler", c_int, [c_void_p, RotateHandler, c_void_p]),
]

_SYSTEMD: Sequence[Tuple[str, Any, Sequence[Any]]] = [
    ("sd_bus_get_fd", c_int, [c_void_p]),
    ("sd_bus_wait", c_int, [c_void_p, c_uint64]),
]


def _load(name: str, prototypes: Sequence[Tuple[str, Any, Sequence[Any]]]) -> ctypes.CDLL:
    library = ctypes.CDLL(name)
    for function, result, arguments in prototypes:
        symbol = getattr(library, function)
        symbol.restype = result
        symbol.argtypes = arguments
    return library


# The name says which ABI the structures above are of.
lib = _load("libframekey.so.0", _DATA_PLANE)


@functools.lru_cache(maxsize=None)
def bus() -> ctypes.CDLL:
    """libframekey-bus."""
    return _load("libframekey-bus.so.0", _CONTROL_PLANE)


@functools.lru_cache(maxsize=None)
def systemd() -> ctypes.CDLL:
    """libsystemd, which libframekey-bus rests on."""
    return _load("libsystemd.so.0", _SYSTEMD)


libc = _load("libc.so.6", [("free", None, [c_void_p]), ("explicit_bzero", None, [c_void_p, c_size_t])])


def verdict_text(verdict: int) -> str:
    """The library's sentence about a verdict or a negative errno."""
    text: bytes = lib.framekey_verdict_text(verdict)
    return text.decode()


def take_text(pointer: c_void_p) -> str:
    """A string that C allocated for us; NULL is ""."""
    return take_bytes(pointer).decode()


def take_bytes(pointer: c_void_p, length: int = -1) -> bytes:
    """The same of so many bytes."""
    if not pointer.value:
        return b""
    try:
        return ctypes.string_at(pointer.value, length)
    finally:
        libc.free(pointer)


def as_argument(data: Buffer) -> Tuple[Any, int]:
    """Bytes as a C pointer and a length, without a copy where Python lets us. Keep the first as long as C reads."""
    if isinstance(data, bytes):
        return data, len(data)
    view = memoryview(data).cast("B")
    if view.readonly:
        return bytes(view), view.nbytes
    return (ctypes.c_char * view.nbytes).from_buffer(view), view.nbytes


def c_text(text: Optional[str]) -> Optional[bytes]:
    return None if text is None else text.encode()


def c_options(options: "dict[str, Any]") -> Any:
    """Keyword arguments to "name=value" strings: numbers in decimal, booleans yes/no, bytes in hex."""
    strings = []
    for name, value in options.items():
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, (bytes, bytearray, memoryview)):
            value = bytes(value).hex()
        elif not isinstance(value, (int, str)):
            raise TypeError(f"the option {name} is text, a number, a boolean or bytes, not {type(value).__name__}")
        strings.append(f"{name.replace('_', '-')}={value}".encode())
    return (c_char_p * (len(strings) + 1))(*strings, None)
