/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The header compiles where libwebrtc's small types are in rtc:: and cricket::, too. */
#include <framekey_webrtc.h>

#include <api/make_ref_counted.h>

int main() {
        (void)rtc::make_ref_counted<framekey::FrameTransformer>(nullptr, 0u);
        (void)rtc::make_ref_counted<framekey::FrameEncryptor>(nullptr, 0u);
        (void)rtc::make_ref_counted<framekey::FrameDecryptor>(nullptr, 0u);
        return 0;
}
