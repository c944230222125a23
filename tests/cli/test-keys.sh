#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Keys from files and descriptors, and the commands that change them in the middle of the frames.
. "$(dirname "$0")/common.sh"

printf '0123456789abcdef' >key
printf 'fedcba9876543210' >other

encrypt() {
        "$framekeyctl" encrypt --profile=livekit-bytes "$@"
}
decrypt() {
        "$framekeyctl" decrypt --profile=livekit-bytes "$@"
}
hello() {
        frame audio opus - f80102030405
}
# refused WHAT STATUS PART COMMAND...
refused() {
        local what=$1 expected=$2 part=$3
        shift 3
        status "$what" "$expected" "$@" </dev/null
        contains "$what" "$part" "$err"
        equal "$what: one sentence" 1 "$(wc -l <err.txt)"
        equal "$what: nothing on standard output" "" "$out"
}

# ---- where keys come from ----
: >empty
head -c 4096 /dev/zero | tr '\0' x >longest
head -c 4097 /dev/zero | tr '\0' x >too-long
refused "no key" 2 "Give the key once" encrypt
refused "two keys" 2 "Give the key once" encrypt --key-file=key --key-fd=3
refused "a key and none" 2 "Give the key once" encrypt --key-file=key --no-key
refused "a step of no key" 2 "--step" encrypt --no-key --step=1
refused "no profile" 2 "--profile" "$framekeyctl" encrypt --key-file=key
refused "key on standard input" 2 "Standard input carries the frames" encrypt --key-file=-
refused "key on descriptor 0" 2 "Standard input carries the frames" encrypt --key-fd=0
refused "no such file" 1 "Cannot open the key file ./absent" encrypt --key-file=./absent
refused "a directory" 1 "Is a directory" encrypt --key-file=.
refused "empty file" 1 "it is empty" encrypt --key-file=empty
refused "too long" 1 "longer than 4096 bytes" encrypt --key-file=too-long
refused "descriptor that is not open" 1 "Bad file descriptor" encrypt --key-fd=77
status "longest" 0 encrypt --key-file=longest </dev/null
hello | encrypt --key-file=key >sealed.jsonl
decrypt --key-fd=5 5<key <sealed.jsonl >out.txt
equal "key from a descriptor" ok "$(field verdict <out.txt)"
decrypt --key-fd=5 5< <(cat key) <sealed.jsonl >out.txt
equal "key from a pipe" ok "$(field verdict <out.txt)"
echo passphrase >newline
status "newline" 0 encrypt --key-file=newline </dev/null
contains "newline" "ends with a newline" "$err"
status "newline, quietly" 0 encrypt --key-file=newline -q </dev/null
equal "newline, quietly" "" "$err"

# ---- what the daemon refuses is told in its words ----
refused "unknown profile" 1 "no profile 'nonsense'" "$framekeyctl" encrypt --profile=nonsense --key-file=key
refused "index outside the ring" 1 "outside the ring" encrypt --key-file=key --key-index=16
refused "unknown option" 1 "no option 'colour'" encrypt --key-file=key -o colour=blue
refused "option without a value" 2 "NAME=VALUE" encrypt --key-file=key -o grace-usec
refused "option is no number" 1 "'ring-size' takes a decimal number" encrypt --key-file=key --ring-size=many
refused "option is negative" 1 "'ring-size' takes a decimal number" encrypt --key-file=key --ring-size=-1
refused "option is too large" 1 "'ring-size' takes no number that large" encrypt --key-file=key --ring-size=4294967296
refused "option out of bounds" 1 "ring-size" encrypt --key-file=key --ring-size=257
refused "option is no yes or no" 1 "'yes' or 'no'" encrypt --key-file=key -o exclusive=maybe
refused "option is no hex" 1 "pairs of hex digits" encrypt --key-file=key -o salt=abc
refused "unknown derivation" 1 "kdf" encrypt --key-file=key --kdf=md5
refused "key of 192 bits" 1 "key-bits" encrypt --key-file=key --key-bits=192
refused "option of another call" 1 "small-slots" encrypt --key-file=key -o small-slots=1

# ---- ratchet: the sender moves, the receiver follows within its window ----
ratchet='{"do":"ratchet"}'
{ hello; echo "$ratchet"; hello; echo "$ratchet"; hello; } | encrypt --key-file=key >sealed.jsonl
equal "steps of the sender" "0 1 1 2 2" "$(field step <sealed.jsonl | xargs)"
contains "answer to ratchet" '{"done":"ratchet","step":1}' "$(sed -n 2p sealed.jsonl)"
grep -v done sealed.jsonl >frames.jsonl
# follows WHAT EXPECTED LINES OPTION...: what the receiver makes of these lines of frames.jsonl. Its next steps are derived
# ahead when nothing else is to be done, so a frame is sent again until they are there; one that fails changes nothing.
follows() {
        local what=$1 expected=$2 lines=$3 found='' line n
        shift 3
        coproc decrypt --key-file=key "$@"
        local pid=$COPROC_PID to=${COPROC[1]} from=${COPROC[0]}
        for n in $lines; do
                for _ in $(seq 100); do
                        sed -n "${n}p" frames.jsonl >&"$to"
                        read -r -t 20 line <&"$from"
                        [[ $expected == *forged* || $(field verdict <<<"$line") == ok ]] && break
                        sleep 0.1
                done
                found+="$(field verdict <<<"$line") $(field step <<<"$line") "
        done
        exec {to}>&-
        wait "$pid"
        equal "$what" "$expected" "${found% }"
}
follows "a receiver that follows" "ok 0 ok 1 ok 2" "1 2 3"
follows "two steps at once" "ok 2" "3" --window=2
# A receiver with too small a window is never ready, however long it waits.
decrypt --key-file=key --window=0 <frames.jsonl >out.txt
equal "window 0" "ok forged forged" "$(field verdict <out.txt | xargs)"
{ sed -n 3p frames.jsonl; sleep 1; sed -n 3p frames.jsonl; } | decrypt --key-file=key --window=1 >out.txt
equal "two steps, window 1" "forged forged" "$(field verdict <out.txt | xargs)"
sed -n 3p frames.jsonl | decrypt --key-file=key --window=0 --step=2 >out.txt
equal "imported at step 2" "ok 2" "$(field verdict <out.txt) $(field step <out.txt)"
{ echo "$ratchet"; echo "$ratchet"; sed -n 3p frames.jsonl; } | decrypt --key-file=key --window=0 >out.txt
equal "receiver moved by hand" "ok" "$(field verdict <out.txt)"

# ---- a second key: distribute, then use ----
import='{"do":"import","key_file":"other","key_index":3}'
{ hello; echo "$import"; hello; echo '{"do":"activate","key_index":3}'; hello; } | encrypt --key-file=key >sealed.jsonl
equal "key indices of the sender" "0 3 0 3 3" "$(field key_index <sealed.jsonl | xargs)"
equal "answer to import" '{"done":"import","key_index":3}' "$(sed -n 2p sealed.jsonl)"
equal "answer to activate" '{"done":"activate","key_index":3}' "$(sed -n 4p sealed.jsonl)"
grep -v done sealed.jsonl >frames.jsonl
decrypt --key-file=key <frames.jsonl >out.txt
equal "a receiver without the second key" "ok ok unknown-key" "$(field verdict <out.txt | xargs)"
{ echo "$import"; cat frames.jsonl; } | decrypt --key-file=key >out.txt
equal "a receiver with both" "ok ok ok" "$(field verdict <out.txt | xargs)"
{ echo '{"do":"import","key_file":"other","key_index":3,"activate":true}'; hello; } | encrypt --key-file=key >sealed.jsonl
equal "activated with the import" 3 "$(tail -n 1 sealed.jsonl | field key_index)"
{ echo '{"do":"import","key_file":"other","key_index":3,"step":2,"activate":true}'; hello; } |
        encrypt --key-file=key >sealed.jsonl
equal "imported at a step" 2 "$(tail -n 1 sealed.jsonl | field step)"

# Participant keys go the same ways.
{ hello; echo "$import"; echo '{"do":"activate","key_index":3}'; echo "$ratchet"; hello; } |
        "$framekeyctl" encrypt --profile=element-call --participant=alice --key-file=key >sealed.jsonl
equal "participant keys" "0 3" "$(grep verdict sealed.jsonl | field key_index | xargs)"
equal "participant keys" "0 1" "$(grep verdict sealed.jsonl | field step | xargs)"

# No key is anywhere but in its file and in the daemon.
{ hello; sleep 0.2; } | encrypt --key-file=key >/dev/null &
pid=$!
grep -qa 0123456789abcdef "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null && fail "the key is in argv or environment"
wait "$pid"
finish
