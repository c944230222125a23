/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: what libwebrtc's documentation says of frame decryptors. */
#ifndef STUB_FRAME_DECRYPTOR_INTERFACE_H
#define STUB_FRAME_DECRYPTOR_INTERFACE_H
#include "../array_view.h"
#include "../media_types.h"
#include "../ref_count.h"
#include <cstdint>
#include <vector>

namespace webrtc {
class FrameDecryptorInterface : public STUB_BASE::RefCountInterface {
      public:
        enum class Status { kOk, kRecoverable, kFailedToDecrypt, kUnknown };
        struct Result {
                Result(Status what, size_t n) : status(what), bytes_written(n) {
                }
                bool IsOk() const {
                        return status == Status::kOk;
                }
                const Status status;
                const size_t bytes_written;
        };
        virtual Result Decrypt(STUB_MEDIA::MediaType media_type, const std::vector<uint32_t> &csrcs,
                               STUB_BASE::ArrayView<const uint8_t> additional_data,
                               STUB_BASE::ArrayView<const uint8_t> encrypted_frame,
                               STUB_BASE::ArrayView<uint8_t> frame) = 0;
        virtual size_t GetMaxPlaintextByteSize(STUB_MEDIA::MediaType media_type, size_t encrypted_frame_size) = 0;
};
} // namespace webrtc
#endif
