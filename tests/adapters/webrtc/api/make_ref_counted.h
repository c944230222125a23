/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: libwebrtc's helper that makes a counted object of a class that only declares the counting. */
#ifndef STUB_MAKE_REF_COUNTED_H
#define STUB_MAKE_REF_COUNTED_H
#include "ref_count.h"
#include <atomic>
#include <utility>

namespace STUB_BASE {
template <typename T> class RefCountedObject : public T {
      public:
        template <typename... Arguments>
        explicit RefCountedObject(Arguments &&...arguments) : T(std::forward<Arguments>(arguments)...) {
        }
        void AddRef() const override {
                count_++;
        }
        void Release() const override {
                if (--count_ == 0)
                        delete this;
        }

      private:
        mutable std::atomic<int> count_{ 0 };
};

template <typename T, typename... Arguments> scoped_refptr<T> make_ref_counted(Arguments &&...arguments) {
        return scoped_refptr<T>(new RefCountedObject<T>(std::forward<Arguments>(arguments)...));
}
} // namespace STUB_BASE
#endif
