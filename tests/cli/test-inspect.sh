#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Frames that the daemon made are taken apart as it put them together; and what is no frame does no harm.
. "$(dirname "$0")/common.sh"

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
printf '0123456789abcdef' >key

# sealed PROFILE MEDIA CODEC TYPE PLAIN-HEX OPTION...: the encrypted frame in hex
sealed() {
        local profile=$1 media=$2 codec=$3 type=$4 plain=$5
        shift 5
        frame "$media" "$codec" "$type" "$plain" | "$framekeyctl" encrypt --profile="$profile" --key-file=key "$@" |
                sed -n 's/.*"payload_hex":"\([0-9a-f]*\)".*/\1/p'
}
# told WHAT EXPECTED EXPRESSION HEX OPTION...: a Python expression of the document d and its first candidate c; and fields
# follow each other from the first byte to the last
told() {
        local what=$1 expected=$2 expression=$3 hex=$4
        shift 4
        status "$what" 0 "$framekeyctl" inspect --json=short --hex="$hex" "$@"
        equal "$what" "$expected" "$(python3 -c '
import json, sys
d = json.load(open("out.txt"))
c = d["candidates"][0]
for each in d["candidates"]:
    at = 0
    for field in each["fields"]:
        assert field["offset"] == at and field["length"] > 0, (each["formats"], field)
        at += field["length"]
    assert at == each.get("unescaped_length", d["length"]), (each["formats"], at)
def value(name):
    return [f["value"] for f in c["fields"] if f["name"] == name]
def at(name):
    return [(f["offset"], f["length"]) for f in c["fields"] if f["name"] == name]
print(eval(sys.argv[1]))' "$expression" 2>&1)"
}

plain=$(n_bytes 60)
# ---- trailer formats ----
vp8=$(sealed livekit-bytes video vp8 key "1000009d012a${plain:12}" --key-index=3)
told "looks like vp8" "True" "any('a VP8 key frame' in n for n in c['notes'])" "$vp8"
told "livekit" "livekit realtimekit jitsi 3" "'%s %d' % (' '.join(c['formats']), c['key_index'])" "$vp8"
told "livekit: without a codec" "[(0, 60)] [(60, 16)] [(76, 12)] ['3']" \
        "'%s %s %s %s' % (at('clear, ciphertext'), at('tag'), at('IV'), value('key index'))" "$vp8"
told "livekit: with the codec" "10 [(0, 10)] [(10, 50)]" \
        "'%d %s %s' % (c['clear_bytes'], at('clear'), at('ciphertext'))" "$vp8" --codec=vp8 --format=livekit
told "livekit: audio" "1" "c['clear_bytes']" "$(sealed livekit-bytes audio opus - "$plain")" --codec=opus --format=livekit
told "jitsi: delta frame" "3" "c['clear_bytes']" "$(sealed jitsi video vp8 delta "01${plain:2}")" --codec=vp8 --format=jitsi
told "livekit: vp9 has no clear bytes" "0 []" "'%d %s' % (c['clear_bytes'], at('clear'))" \
        "$(sealed livekit-bytes video vp9 key "$plain")" --codec=vp9 --format=livekit
told "realtimekit: vp9 has" "10" "c['clear_bytes']" "$(sealed realtimekit video vp9 key "82${plain:2}")" --codec=vp9 \
        --format=realtimekit
# LiveKit's metadata: frame id 7, each byte inverted, the length of all in front of the magic.
told "livekit: metadata" "[(90, 11)] ['frame id 7'] 3" \
        "'%s %s %d' % (at('metadata (LKTS)'), value('metadata (LKTS)'), c['key_index'])" \
        "${vp8}fdfbfffffff8f44c4b5453" --format=livekit
# H.264 is escaped behind its first slice's header; a payload of zeros would be full of start codes.
h264=$(sealed livekit-bytes video h264 key "0000000165$(printf '00%.0s' {1..400})" --key-index=5)
told "livekit: h264" "6 5 True" "'%d %d %s' % (c['clear_bytes'], c['key_index'], c['unescaped_length'] <= d['length'])" \
        "$h264" --codec=h264 --format=livekit
told "looks like h264" "True" "any('start code' in n for n in c['notes'])" "$h264"
status "livekit: av1 is refused" 1 "$framekeyctl" inspect --hex="$vp8" --codec=av1 --format=livekit
contains "livekit: av1 is refused" "Not livekit: It does not go with this codec" "$out"

# ---- SFrame ----
sframe=$(sealed sframe video vp8 key "$plain" --no-key 2>/dev/null || true)
[ -z "$sframe" ] || fail "a frame without a key"
start sender "$framekeyctl" encrypt --profile=sframe --no-key --ratchet-bits=4
say sender '{"do":"generate","key_index":9}'
say sender '{"do":"ratchet"}'
say sender "$(frame video vp8 key "$plain")"
sframe=$(field payload_hex <<<"$line")
end sender 0
told "sframe" "145 0 9 1 3" \
        "'%s %s %s %d %d' % (c['kid'], c['ctr'], c['key_generation'], c['step_bits'], c['header_length'] + 1)" \
        "$sframe" --ratchet-bits=4
told "sframe: parts" "[(1, 1)] [(2, 60)] [(62, 16)]" "'%s %s %s' % (at('KID'), at('ciphertext'), at('tag'))" "$sframe" \
        --suite=AES_128_GCM_SHA256_128 --format=sframe
told "sframe: a short tag" "[(74, 4)]" "at('tag')" "$sframe" --suite=AES_128_CTR_HMAC_SHA256_32 --format=sframe
told "sframe: MLS" "2 4 20" "'%s %s %d' % (c['context'], c['member'], c['epoch_bits'])" 9921140100112233 --mls=6:6 \
        --format=sframe
told "sframe: counters" "3 5" "'%s %s' % (c['kid'], c['ctr'])" 35001122 --format=sframe
status "sframe: not minimal" 1 "$framekeyctl" inspect --hex=8303001122 --format=sframe
contains "sframe: not minimal" "longer than a sender may write it" "$out"

# ---- DAVE ----
start sender "$framekeyctl" encrypt --profile=dave --no-key
say sender '{"do":"generate"}'
say sender "$(frame video vp8 key "00000010${plain:8}")"
dave=$(field payload_hex <<<"$line")
say sender "$(frame audio opus - "$plain")"
audio=$(field payload_hex <<<"$line")
end sender 0
told "dave" "['dave'] 1 0 [{'offset': 0, 'length': 10}]" \
        "'%s %d %d %s' % (c['formats'], c['nonce'], c['generation_bits'], c['ranges'])" "$dave"
told "dave: parts" "[(0, 10)] [(10, 50)] [(60, 8)] [(68, 1)] [(69, 2)] ['14']" \
        "' '.join(map(str, (at('clear'), at('ciphertext'), at('tag'), at('nonce'), at('clear ranges'), value('trailer size'))))" \
        "$dave"
told "dave: audio" "2 []" "'%d %s' % (c['nonce'], c['ranges'])" "$audio"
status "dave: silence" 1 "$framekeyctl" inspect --hex=f8fffe
contains "dave: silence" "the silence that Discord's media server sends" "$out"

# ---- files, standard input, people ----
python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' "$vp8" >capture
status "a file" 0 "$framekeyctl" inspect capture
contains "a file" "livekit, realtimekit, jitsi: trailer frame under key index 3" "$out"
contains "a file: what it is not" "Not dave: It does not end with fa fa." "$out"
equal "standard input" "$out" "$("$framekeyctl" inspect <capture)"
equal "standard input, named" "$out" "$("$framekeyctl" inspect - <capture)"
status "no such file" 1 "$framekeyctl" inspect absent
contains "no such file" "Cannot open absent" "$err"
status "nothing" 1 "$framekeyctl" inspect --hex=
contains "nothing" "no bytes" "$err"
status "half a byte" 2 "$framekeyctl" inspect --hex=123
status "both" 2 "$framekeyctl" inspect --hex=12 capture
status "no such codec" 2 "$framekeyctl" inspect --codec=vp7 capture
status "no such format" 2 "$framekeyctl" inspect --format=zrtp capture
status "no such suite" 2 "$framekeyctl" inspect --suite=AES_7 capture
status "no such bits" 2 "$framekeyctl" inspect --mls=8 capture
head -c 3000000 /dev/zero >huge
status "too much" 1 "$framekeyctl" inspect huge
contains "too much" "longer than a frame can be" "$err"

# ---- hostile: every length, and a byte changed, of each ----
python3 - "$framekeyctl" "$vp8" "$h264" "$sframe" "$dave" <<'END' || fail "damaged frames"
import json, random, subprocess, sys
tool, frames = sys.argv[1], [bytes.fromhex(h) for h in sys.argv[2:]]
random.seed(1)
tried = 0
for frame in frames:
    damaged = [frame[:n] for n in list(range(1, min(len(frame), 24))) + [len(frame) - 1]]
    for _ in range(24):
        at = random.choice([random.randrange(len(frame)), len(frame) - 1 - random.randrange(min(len(frame), 20))])
        damaged.append(frame[:at] + bytes([random.randrange(256)]) + frame[at + 1:])
    for each in damaged:
        codec = random.choice([[], ["--codec=h264"], ["--codec=vp8"], ["--codec=opus"], ["--codec=data"]])
        run = subprocess.run([tool, "inspect", "--json=short", "--hex=" + each.hex()] + codec, capture_output=True)
        assert run.returncode in (0, 1) and run.stderr == b"", (each.hex(), run)
        for candidate in json.loads(run.stdout)["candidates"]:
            at = 0
            for field in candidate["fields"]:
                assert field["offset"] == at, (each.hex(), candidate)
                at += field["length"]
            assert at == candidate.get("unescaped_length", len(each)), (each.hex(), candidate)
        tried += 1
assert tried > 150
END
finish
