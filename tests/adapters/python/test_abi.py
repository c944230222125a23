# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the Python binding says of the C libraries is what their headers say: constants, structures, functions."""

import ctypes
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

import framekey
from framekey import _library, constants

TOP = os.environ["abs_top_srcdir"]
HEADERS = [os.path.join(TOP, "libclient", name) for name in ("framekey.h", "framekey-bus.h")]

ENUMS = {
    "VERDICT_": constants.Verdict,
    "FORMAT_": constants.Format,
    "MEDIA_": constants.Media,
    "CODEC_": constants.Codec,
    "RESULT_": constants.ResultFlags,
    "BUS_": constants.Bus,
    "FRAME_": constants.FrameType,
}
SINGLE = {
    "OK": constants.Verdict.OK,
    "ENCRYPT": constants.Direction.ENCRYPT,
    "DECRYPT": constants.Direction.DECRYPT,
    "LOCAL": constants.Role.LOCAL,
    "REMOTE": constants.Role.REMOTE,
}
# LiveKit's trailers of metadata have no Python form; the last verdict's number is C's own business.
NOT_BOUND = r"TRAILER_|VERDICT_MAX$"
# Names are the enums' own, trailers as above, and what takes sd-bus or sd-event objects.
FUNCTIONS_NOT_BOUND = (
    r"framekey_((?!client_error)\w+_name|trailer_\w+|client_(attach_event|new_from_bus|note_error)|session_get_client)"
)


def text_of_headers():
    text = "".join(pathlib.Path(header).read_text(encoding="utf-8") for header in HEADERS)
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def value_of(expression):
    return eval(re.sub(r"(?<=\d)u\b", "", expression), {"UINT32_MAX": 2**32 - 1, "UINT64_MAX": 2**64 - 1})


class Abi(unittest.TestCase):
    def test_constants(self):
        found = re.findall(r"#define FRAMEKEY_(\w+) (.+)", text_of_headers())
        found += re.findall(r"\bFRAMEKEY_(\w+)\s*=\s*([^,}]+)", text_of_headers())
        self.assertGreater(len(found), 60)
        seen = set()
        for name, expression in found:
            if re.match(NOT_BOUND, name):
                continue
            mine = SINGLE.get(name, getattr(constants, name, None))
            for prefix, enum in ENUMS.items():
                if mine is None and name.startswith(prefix):
                    mine = enum.__members__.get(name[len(prefix) :])
            self.assertIsNotNone(mine, f"FRAMEKEY_{name} is not in constants.py")
            self.assertEqual(int(mine), value_of(expression.strip()), name)
            seen.add(mine if isinstance(mine, int) and type(mine) is not int else name)
        for enum in [*ENUMS.values(), constants.Direction, constants.Role]:
            for member in enum:
                self.assertIn(member, seen, f"{member!r} is in no header")

    def test_structures(self):
        structures = {
            "framekey_frame": _library.Frame,
            "framekey_result": _library.RawResult,
            "framekey_event": _library.RawEvent,
        }
        lines = []
        expected = []
        for name, structure in structures.items():
            lines.append(f'printf("{name} %zu\\n", sizeof(struct {name}));')
            expected.append(f"{name} {ctypes.sizeof(structure)}")
            for field, kind in structure._fields_:
                at = f"((struct {name} *)0)->{field}"
                lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof(struct {name}, {field}), sizeof({at}));')
                expected.append(f"{name}.{field} {getattr(structure, field).offset} {ctypes.sizeof(kind)}")
        flags = subprocess.run(["pkg-config", "--cflags", "libsystemd"], stdout=subprocess.PIPE, text=True, check=True)
        with tempfile.TemporaryDirectory() as work:
            with open(f"{work}/layout.c", "w", encoding="utf-8") as file:
                file.write('#include <framekey-bus.h>\n#include <stdio.h>\nint main(void) {\n')
                file.write("\n".join(lines) + "\nreturn 0; }\n")
            compiler = shlex.split(os.environ.get("CC", "cc")) + shlex.split(flags.stdout)
            subprocess.run([*compiler, f"-I{TOP}/libclient", "-o", f"{work}/layout", f"{work}/layout.c"], check=True)
            found = subprocess.run([f"{work}/layout"], stdout=subprocess.PIPE, text=True, check=True).stdout
        self.assertEqual(found.splitlines(), expected)

    def test_functions(self):
        declared = dict(re.findall(r"\b(framekey_\w+)\(([^()]*(?:\([^()]*\)[^()]*)*)\);", text_of_headers()))
        declared = {name: rest for name, rest in declared.items() if not re.fullmatch(FUNCTIONS_NOT_BOUND, name)}
        bound = {name: arguments for name, _result, arguments in _library._DATA_PLANE + _library._CONTROL_PLANE}
        self.assertEqual(sorted(declared), sorted(bound))
        for name, arguments in bound.items():
            self.assertEqual(declared[name].count(",") + 1, len(arguments), name)

    def test_everything_public_is_exported(self):
        for name in framekey.__all__:
            self.assertTrue(hasattr(framekey, name), name)


if __name__ == "__main__":
    unittest.main()
