/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: kinds of media. */
#ifndef STUB_MEDIA_TYPES_H
#define STUB_MEDIA_TYPES_H
#include "names.h"

namespace STUB_MEDIA {
enum class MediaType { AUDIO, VIDEO };
}
#endif
