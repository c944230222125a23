/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: where an app hands a transformer over. */
#ifndef STUB_RTP_TRANSCEIVER_INTERFACE_H
#define STUB_RTP_TRANSCEIVER_INTERFACE_H
#include "frame_transformer_interface.h"

namespace webrtc {
class RtpSenderInterface : public STUB_BASE::RefCountInterface {
      public:
        virtual void SetFrameTransformer(STUB_BASE::scoped_refptr<FrameTransformerInterface> transformer) = 0;
};
class RtpReceiverInterface : public STUB_BASE::RefCountInterface {
      public:
        virtual void SetFrameTransformer(STUB_BASE::scoped_refptr<FrameTransformerInterface> transformer) = 0;
};
class RtpTransceiverInterface : public STUB_BASE::RefCountInterface {
      public:
        virtual STUB_BASE::scoped_refptr<RtpSenderInterface> sender() const = 0;
        virtual STUB_BASE::scoped_refptr<RtpReceiverInterface> receiver() const = 0;
};
} // namespace webrtc
#endif
