/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: what libwebrtc's documentation says of encoded transforms, as far as the adapter uses it. */
#ifndef STUB_FRAME_TRANSFORMER_INTERFACE_H
#define STUB_FRAME_TRANSFORMER_INTERFACE_H
#include "array_view.h"
#include "ref_count.h"
#include <cstdint>
#include <memory>
#include <string>

namespace webrtc {
class TransformableFrameInterface {
      public:
        virtual ~TransformableFrameInterface() = default;
        virtual STUB_BASE::ArrayView<const uint8_t> GetData() const = 0;
        virtual void SetData(STUB_BASE::ArrayView<const uint8_t> data) = 0;
        virtual uint32_t GetSsrc() const = 0;
        virtual uint32_t GetTimestamp() const = 0;
        virtual std::string GetMimeType() const = 0;
};

class TransformableVideoFrameInterface : public TransformableFrameInterface {
      public:
        virtual bool IsKeyFrame() const = 0;
};

class TransformedFrameCallback : public STUB_BASE::RefCountInterface {
      public:
        virtual void OnTransformedFrame(std::unique_ptr<TransformableFrameInterface> frame) = 0;
};

class FrameTransformerInterface : public STUB_BASE::RefCountInterface {
      public:
        virtual void Transform(std::unique_ptr<TransformableFrameInterface> frame) = 0;
        virtual void RegisterTransformedFrameCallback(STUB_BASE::scoped_refptr<TransformedFrameCallback>) {
        }
        virtual void RegisterTransformedFrameSinkCallback(STUB_BASE::scoped_refptr<TransformedFrameCallback>,
                                                          uint32_t) {
        }
        virtual void UnregisterTransformedFrameCallback() {
        }
        virtual void UnregisterTransformedFrameSinkCallback(uint32_t) {
        }
};
} // namespace webrtc
#endif
