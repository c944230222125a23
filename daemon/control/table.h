/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uthash as control uses it: an element that could not be added for want of memory is told by
 * `hh.tbl == NULL` instead of ending the process.
 */
#pragma once

#define HASH_NONFATAL_OOM 1
/* The default hash falls through its switch labels, which clang refuses to overlook. */
#define HASH_FUNCTION(key, len, value) HASH_OAT(key, len, value)
#include <uthash.h>
#include <utlist.h>
