/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which namespaces the small types are: libwebrtc had them in rtc:: and cricket::, and has them in webrtc::. */
#ifndef STUB_NAMES_H
#define STUB_NAMES_H
#ifdef STUB_NEW_NAMES
#define STUB_BASE  webrtc
#define STUB_MEDIA webrtc
#else
#define STUB_BASE  rtc
#define STUB_MEDIA cricket
#endif
#endif
