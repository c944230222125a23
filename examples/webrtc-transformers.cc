/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A call of libwebrtc with framekeyd: each transceiver's frames go through the daemon on their way out and in. The app
 * that has the session passed us a channel's descriptors, and the numbers of the streams that it granted on it.
 *
 * With older versions of libwebrtc it is rtc::make_ref_counted, SetEncoderToPacketizerFrameTransformer() at senders,
 * and SetDepacketizerToDecoderFrameTransformer() at receivers.
 */
#include <framekey_webrtc.h>

#include <api/make_ref_counted.h>
#include <api/rtp_transceiver_interface.h>
#include <cstdio>

struct GrantedStreams {
        uint32_t sending;
        uint32_t receiving;
};

/* In the channel's thread; an app posts this to its own. */
static void Show(const framekey::Outcome &outcome) {
        if (outcome.verdict != FRAMEKEY_OK)
                (void)fprintf(stderr, "stream %u: %s\n", outcome.stream, outcome.text());
        if (outcome.flags & FRAMEKEY_RESULT_KEYFRAME_WANTED)
                (void)fprintf(stderr, "stream %u: RtpSenderInterface::GenerateKeyFrame()\n", outcome.stream);
}

/* Before the call begins: what libwebrtc sends without a transformer goes out in clear. */
bool EncryptCall(const int channel_fds[4], webrtc::RtpTransceiverInterface &transceiver,
                 const GrantedStreams &streams) {
        const std::shared_ptr<framekey::Channel> channel = framekey::Channel::FromFds(channel_fds, 4);

        if (!channel)
                return false;
        transceiver.sender()->SetFrameTransformer(
                webrtc::make_ref_counted<framekey::FrameTransformer>(channel, streams.sending, Show));
        transceiver.receiver()->SetFrameTransformer(
                webrtc::make_ref_counted<framekey::FrameTransformer>(channel, streams.receiving, Show));
        return true;
}
