#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What doctor finds at a daemon that is well, at daemons and buses that are not, and in frames that do not open.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
framekeyd=${FRAMEKEYD:-$abs_top_builddir/daemon/framekeyd}
printf 'correct horse battery' >key
printf 'correct horse battery\n' >line
printf 'wrong horse battery!!' >other
printf '0123456789abcdef' >bytes

# found WHAT LEVEL CHECK PART: a finding of the last document
found() {
        python3 - "$2" "$3" "$4" <<'END' || fail "$1: no $2 of $3 with '$4' in $(cat out.txt)"
import json, sys
level, check, part = sys.argv[1:]
rows = json.load(open("out.txt"))["findings"]
assert all(("remedy" in row) == (row["level"] != "good") for row in rows), rows
assert all(row[key].endswith((".", ":")) for row in rows for key in ("text", "remedy") if key in row), rows
sys.exit(not any(row["level"] == level and row["check"] == check and part in row["text"] for row in rows))
END
}
# examined WHAT STATUS ARGUMENT...
examined() {
        local what=$1 expected=$2
        shift 2
        status "$what" "$expected" "$framekeyctl" doctor --json=short "$@"
}

# started NAME COMMAND...: and its session is open when this returns
started() {
        start "$@"
        say "$1" '{"do":"wait","usec":1}'
}

# ---- a daemon that is well ----
status "well" 0 "$framekeyctl" doctor
contains "well" "✔ framekeyd" "$out"
contains "well" "✔ You have no sessions." "$out"
case $out in *✘*) fail "well: $out" ;; esac
equal "no colours in a file" "" "$(grep -o $'\033' out.txt)"
contains "without UTF-8" "+ framekeyd" "$(LC_ALL=C "$framekeyctl" doctor)"
equal "quiet: nothing that is good" "" "$("$framekeyctl" doctor -q | grep ✔)"
examined "well" 0
found "well" good daemon "answers on the system bus"
found "well" good counters "survive a restart"
found "well" good policy "No setting"
[ "$(id -u)" -ne 0 ] || found "as root" warning user "runs as root"

# ---- locked ----
status "lock" 0 "$framekeyctl" lock
examined "locked" 1
found "locked" error locked "every frame of every session is refused"
status "unlock" 0 "$framekeyctl" unlock

# ---- sessions ----
started receiver "$framekeyctl" decrypt --profile=element-call --key-file=bytes --key-index=1 --participant=phone-7
examined "a session" 0
found "a session" good sessions "Every stream of your sessions works"
hex=$(frame audio opus - f801020304 | "$framekeyctl" encrypt --profile=element-call --key-file=bytes --key-index=3 |
        field payload_hex)
for _ in {1..12}; do say receiver "$(frame audio opus - "$hex")"; done
examined "a stream without a key" 1
found "a stream without a key" error stream "phone-7: frames carry key 3, you hold 1"
status "for people" 1 "$framekeyctl" doctor
contains "for people" "✘ Session" "$out"
contains "for people: what to do" "import the key under this index" "$out"
session=$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)
examined "a frame of that session" 1 --hex="$hex" --session="$session"
found "a frame of that session" error held "Nobody in the session has the key that the frame names"
hex=$(frame audio opus - f801020304 | "$framekeyctl" encrypt --profile=element-call --key-file=bytes --key-index=1 |
        field payload_hex)
examined "a frame with its key" 0 --hex="$hex" --session="$session"
found "a frame with its key" good held "Of phone-7 (remote) the session holds that key, at step 0"
end receiver 0
started other "$framekeyctl" decrypt --profile=sframe --no-key -o retain-root=yes
examined "nobody has a key" 0
found "nobody has a key" warning keys "nobody has a key"
found "first keys are kept" warning forward-secrecy "keeps its first keys"
examined "a frame of another format" 1 --hex=f8 --session="$("$framekeyctl" list --no-legend | cut -d ' ' -f 1)"
end other 0
started other "$framekeyctl" decrypt --profile=dave --no-key --allow-unencrypted=all
examined "in clear" 0
found "in clear" warning unencrypted "frames pass that are not encrypted (all)"
end other 0

# ---- frames ----
# sealed OPTION...: one VP8 key frame in hex
sealed() {
        frame video vp8 key "1000009d012a$(n_bytes 60)" | "$framekeyctl" encrypt "$@" | field payload_hex
}
# opens WHAT PRESET LEVEL CHECK PART HEX OPTION...
opens() {
        local what=$1 preset=$2 level=$3 check=$4 part=$5
        shift 5
        examined "$what" 0 --hex="$1" "${@:2}"
        found "$what" "$level" "$check" "$part"
        contains "$what" " $preset " " $(python3 -c 'import json; print(*[o["preset"] for o in json.load(open("out.txt"))["opened"]])') "
}
hex=$(sealed --profile=livekit-passphrase --key-file=key --key-index=3)
opens "a passphrase" livekit-passphrase good preset "key index 3, step 0, as vp8; 66 plain bytes" "$hex" --key-file=key
opens "with its codec" livekit-passphrase good preset "as vp8" "$hex" --key-file=key --codec=vp8
opens "a newline too many" livekit-passphrase warning newline "without the newline" "$hex" --key-file=line
exec 7<key
opens "by descriptor" livekit-passphrase good preset "opens it" "$hex" --key-fd=7
exec 7<&-
examined "another key" 1 --hex="$hex" --key-file=other
found "another key" error preset "No preset opens it with this key"
contains "another key: what was tried" '"preset":"jitsi"' "$out"
examined "no key" 0 --hex="$hex"
found "no key" warning key "no more to say"
opens "steps on" livekit-passphrase warning step "step 5" "$(sealed --profile=livekit-passphrase --key-file=key --step=5)" \
        --key-file=key
opens "bytes" livekit-bytes good preset hkdf "$(sealed --profile=livekit-bytes --key-file=bytes)" --key-file=bytes
opens "bytes are also element-call's" element-call good preset hkdf \
        "$(sealed --profile=livekit-bytes --key-file=bytes --key-index=9)" --key-file=bytes
opens "realtimekit" realtimekit good preset pbkdf2 "$(sealed --profile=realtimekit --key-file=key)" --key-file=key
opens "jitsi" jitsi good preset hkdf "$(sealed --profile=jitsi --key-file=bytes)" --key-file=bytes
opens "another derivation" jitsi warning derivation "pbkdf2, keys of 256 bits" \
        "$(sealed --profile=jitsi --key-file=bytes --kdf=pbkdf2 --key-bits=256)" --key-file=bytes
opens "its own salt" livekit-passphrase good preset "opens it" \
        "$(sealed --profile=livekit-passphrase --key-file=key --salt=pepper)" --key-file=key --salt=pepper
opens "sframe" sframe good preset "AES_256_GCM_SHA512_128" \
        "$(sealed --profile=sframe --key-file=bytes --suite=AES_256_GCM_SHA512_128)" --key-file=bytes
opens "sframe with its suite" sframe good preset "AES_128_CTR_HMAC_SHA256_32" \
        "$(sealed --profile=sframe --key-file=bytes --suite=AES_128_CTR_HMAC_SHA256_32 --ratchet-bits=4 --kid=80 --step=2)" \
        --key-file=bytes --suite=AES_128_CTR_HMAC_SHA256_32 --ratchet-bits=4
opens "sframe of a group" sframe good preset "AES_128_GCM_SHA256_128" \
        "$(sealed --profile=sframe --key-file=bytes --mls=8:4 --member=5 --key-index=2 --suite=AES_128_GCM_SHA256_128)" \
        --key-file=bytes --mls=8:4
opens "sframe with metadata" sframe good preset "opens it" \
        "$(sealed --profile=sframe --key-file=bytes --kid=7 --metadata-hex=beef)" --key-file=bytes --metadata-hex=beef
hex=$(sealed --profile=dave --key-file=bytes)
opens "dave" dave good preset "key generation 0; 66 plain bytes" "$hex" --key-file=bytes
examined "dave, another key" 1 --hex="$hex" --key-file=key
found "dave, another key" error preset "Some were not possible"
examined "noise" 1 --hex=ffffffffffffffffff --key-file=bytes
found "noise" error frame "no frame of a format that is known"
python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$hex" >capture
opens "a file" dave good preset "opens it" "$hex" --key-file=bytes
status "a file" 0 "$framekeyctl" doctor capture --key-file=bytes
contains "a file" "✔ dave opens it" "$out"
equal "no session is left" "No sessions." "$("$framekeyctl" list)"
if [ -n "${FRAMEKEYD_LOG:-}" ]; then
        grep -qE 'horse|0123456789abcdef' "$FRAMEKEYD_LOG" && fail "a key is in the log"
fi

# ---- wrong command lines ----
status "a key and no frame" 2 "$framekeyctl" doctor --key-file=key
status "two frames" 2 "$framekeyctl" doctor --hex=12 capture
status "no such key" 1 "$framekeyctl" doctor capture --key-file=absent
status "no such frame" 1 "$framekeyctl" doctor absent
status "no frame" 1 "$framekeyctl" doctor --hex=

# ---- daemons and buses that are not well ----
examined "no bus" 3 --address="unix:path=$PWD/absent"
found "no bus" error bus "There is no bus"
# bus NAME RULES: a bus of our own, with services from services/
bus() {
        cat >"$1.conf" <<END
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
        "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
        <listen>unix:path=$PWD/$1</listen>
        <auth>EXTERNAL</auth>
        <servicedir>$PWD/services</servicedir>
        <policy context="default">
                <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/> $2
        </policy>
</busconfig>
END
        dbus-daemon --nofork --nosyslog --config-file="$1.conf" >"$1.log" 2>&1 &
        for _ in {1..200}; do [ -S "$1" ] && break; sleep 0.02; done
}
mkdir services
bus empty ""
examined "no daemon" 3 --address="unix:path=$PWD/empty"
found "no daemon" error daemon "does not know how to start it"
printf '[D-BUS Service]\nName=org.framekey1\nExec=/bin/false\n' >services/org.framekey1.service
bus failing ""
examined "it does not start" 3 --address="unix:path=$PWD/failing"
found "it does not start" error daemon "does not start"
rm services/org.framekey1.service
# serve NAME ARGUMENT...: a daemon on that bus
serve() {
        "$framekeyd" --address="unix:path=$PWD/$1" "${@:2}" >"$1.daemon" 2>&1 &
        for _ in {1..400}; do grep -qs Serving "$1.daemon" && break; sleep 0.02; done
}
bus closed '<deny send_destination="org.framekey1"/>'
serve closed
examined "a closed policy" 3 --address="unix:path=$PWD/closed"
found "a closed policy" error daemon "does not let you call framekeyd"
cat >framekeyd.conf <<END
[Ratchet]
MinimumIntervalSec=10min
[Sessions]
AllowedProfiles=sframe dave
[Keys]
MaximumAgeSec=30min
AllowImport=no
AllowExport=no
END
bus odd ""
serve odd --no-secretmem --config="$PWD/framekeyd.conf"
examined "odd" 0 --address="unix:path=$PWD/odd"
found "odd" good daemon "answers on the bus at this address"
found "odd" warning memory "root can read them"
found "odd" warning counters "volatile"
found "odd" warning profiles "livekit-passphrase"
found "odd" warning import "lets no passphrases"
found "odd" warning export "lets no wrapped keys out"
found "odd" warning maximum-age "30 min"
found "odd" warning minimum-interval "10 min"
examined "a key that must not come in" 1 --address="unix:path=$PWD/odd" --hex="$hex" --key-file=bytes
found "a key that must not come in" error preset "Some were not possible"
finish
