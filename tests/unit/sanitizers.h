/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Whether this is a build with a sanitizer, which changes what memory looks like.
 */
#pragma once

/* gcc defines the macros, clang the features. */
#if defined(__has_feature)
#define SANITIZER(feature) __has_feature(feature)
#else
#define SANITIZER(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || SANITIZER(thread_sanitizer)
#define UNDER_TSAN 1
#else
#define UNDER_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__) || SANITIZER(address_sanitizer)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif

/* Memory is laid out as in the daemon: stacks where they are said to be, and nothing copied. */
#define PLAIN_MEMORY (UNDER_ASAN + UNDER_TSAN == 0)
