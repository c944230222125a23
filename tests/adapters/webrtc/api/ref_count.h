/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: libwebrtc's reference counting, which classes declare and its helper adds. */
#ifndef STUB_REF_COUNT_H
#define STUB_REF_COUNT_H
#include "names.h"
#include <utility>

namespace STUB_BASE {
class RefCountInterface {
      public:
        virtual void AddRef() const = 0;
        virtual void Release() const = 0;

      protected:
        virtual ~RefCountInterface() = default;
};

template <typename T> class scoped_refptr {
      public:
        scoped_refptr() = default;
        scoped_refptr(T *object) : object_(object) {
                if (object_)
                        object_->AddRef();
        }
        scoped_refptr(const scoped_refptr &other) : scoped_refptr(other.object_) {
        }
        template <typename U> scoped_refptr(const scoped_refptr<U> &other) : scoped_refptr(other.get()) {
        }
        ~scoped_refptr() {
                if (object_)
                        object_->Release();
        }
        scoped_refptr &operator=(scoped_refptr other) {
                std::swap(object_, other.object_);
                return *this;
        }
        T *get() const {
                return object_;
        }
        T *operator->() const {
                return object_;
        }
        explicit operator bool() const {
                return object_ != nullptr;
        }

      private:
        T *object_ = nullptr;
};
} // namespace STUB_BASE
#endif
