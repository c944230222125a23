/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: what libwebrtc's documentation says of frame encryptors. */
#ifndef STUB_FRAME_ENCRYPTOR_INTERFACE_H
#define STUB_FRAME_ENCRYPTOR_INTERFACE_H
#include "../array_view.h"
#include "../media_types.h"
#include "../ref_count.h"
#include <cstdint>

namespace webrtc {
class FrameEncryptorInterface : public STUB_BASE::RefCountInterface {
      public:
        virtual int Encrypt(STUB_MEDIA::MediaType media_type, uint32_t ssrc,
                            STUB_BASE::ArrayView<const uint8_t> additional_data,
                            STUB_BASE::ArrayView<const uint8_t> frame, STUB_BASE::ArrayView<uint8_t> encrypted_frame,
                            size_t *bytes_written) = 0;
        virtual size_t GetMaxCiphertextByteSize(STUB_MEDIA::MediaType media_type, size_t frame_size) = 0;
};
} // namespace webrtc
#endif
