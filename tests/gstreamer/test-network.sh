#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Frames cross a network in RTP packets, between two rtpbins on localhost, and come out as they went in: VP8 and VP9 by the
# plugin's payloaders, Opus and H.264 by the stock ones. At last the latency of the two elements in a live pipeline.
# shellcheck source=tests/gstreamer/common.sh
. "$(dirname "$0")/common.sh"
needs vp8enc vp9enc opusenc openh264enc rtpbin udpsrc h264parse
sessions livekit-passphrase
port=$((20000 + $$ % 20000))

# crosses NAME CAPS ENCODER PAYLOADER DEPAYLOADER: all that is sent arrives, but for the last packets under way
crosses() {
        local sums
        port=$((port + 2))
        timeout -k 5 60 "$build/tests/gstreamer/frames" --seconds=3 "$3 ! identity name=sent ! $enc ! $4 !
                s.send_rtp_sink_0 rtpbin name=s s.send_rtp_src_0 ! udpsink host=127.0.0.1 port=$port sync=false async=false
                udpsrc address=127.0.0.1 port=$port caps=\"application/x-rtp,$2,payload=96\" ! r.recv_rtp_sink_0
                rtpbin name=r latency=500 r. ! $5 ! $dec ! identity name=received ! fakesink sync=false async=false" >out.txt 2>&1 || {
                cat out.txt >&2
                fail "$1: the pipeline ended with status $?"
        }
        sums=$(grep '^sent=' out.txt)
        echo "$1: $sums"
        [ "$(sum encrypted "$sums")" -ge 30 ] || fail "$1: few frames were encrypted"
        [ "$(sum received "$sums")" -ge $(($(sum encrypted "$sums") - 12)) ] || fail "$1: frames were lost"
}
video="videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=30/1"
h264="video/x-h264,stream-format=byte-stream,alignment=au"
crosses VP8 media=video,clock-rate=90000,encoding-name=VP8 "$video ! vp8enc deadline=1" "framekeyvp8pay mtu=400" rtpvp8depay
crosses VP9 media=video,clock-rate=90000,encoding-name=VP9 "$video ! vp9enc deadline=1 cpu-used=8 lag-in-frames=0" "framekeyvp9pay mtu=400" rtpvp9depay
crosses Opus media=audio,clock-rate=48000,encoding-name=OPUS \
        "audiotestsrc is-live=true wave=white-noise ! opusenc" rtpopuspay rtpopusdepay
crosses H.264 media=video,clock-rate=90000,encoding-name=H264 "$video ! openh264enc ! $h264" "h264parse ! rtph264pay" \
        "rtph264depay ! $h264"

# Key index 0 straight into the payloader is refused with a sentence that says what to do.
# shellcheck disable=SC2086 # an element with its properties
timeout -k 5 60 gst-launch-1.0 -q videotestsrc num-buffers=5 ! openh264enc ! "$h264" ! $enc ! rtph264pay ! fakesink \
        >out.txt 2>&1 && fail "H.264 under key index 0 goes into rtph264pay"
grep -q 'put h264parse or h265parse between' out.txt || fail "the refusal of key index 0 does not say what to do"

timeout -k 5 60 "$build/tests/gstreamer/frames" --latency --seconds=4 "$video ! vp8enc deadline=1 ! identity name=sent !
        $enc ! framekeyvp8pay ! rtpvp8depay ! $dec ! identity name=received ! fakesink sync=false" >out.txt 2>&1 ||
        fail "the live pipeline failed"
grep '^latency' out.txt || fail "no latency was measured"
finish
