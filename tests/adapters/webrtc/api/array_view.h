/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: bytes that belong to somebody else, as libwebrtc passes them. */
#ifndef STUB_ARRAY_VIEW_H
#define STUB_ARRAY_VIEW_H
#include "names.h"
#include <cstddef>

namespace STUB_BASE {
template <typename T> class ArrayView {
      public:
        ArrayView() = default;
        ArrayView(T *data, size_t size) : data_(data), size_(size) {
        }
        template <typename Container>
        ArrayView(Container &container) : data_(container.data()), size_(container.size()) {
        }
        T *data() const {
                return data_;
        }
        size_t size() const {
                return size_;
        }

      private:
        T *data_ = nullptr;
        size_t size_ = 0;
};
} // namespace STUB_BASE
#endif
