/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A region: memory of fixed size that the daemon writes and a client maps.
 *
 * Made, sealed and mapped here; what lies in it is ring.c's business. Nothing here looks into it.
 */
#pragma once

#include "util/util.h"

typedef enum RegionAccess {
        REGION_CLIENT_WRITES,       /* the client's descriptor is read-write */
        REGION_CLIENT_READS,        /* read-only, for a client of another uid */
        REGION_CLIENT_OF_UID_READS, /* read-only, for a client of the daemon's own uid too */
} RegionAccess;

typedef struct Region {
        void *map;
        int fd; /* the daemon's own, read-write */
} Region;

/* Maps `size` bytes of zeros and gives the client's descriptor. The caller closes ours; the map stays.
 * 0; -ENOMEM; -EMFILE, -ENFILE; for a read-only descriptor also -ENOENT, -ENOSYS: no usable /proc. */
int region_new(Region *ret, const char *name, size_t size, RegionAccess access, int *ret_client_fd);
/* Maps a region of a former process by the descriptor that was ours. REGION_CLIENT_OF_UID_READS cannot be.
 * 0; -EBADMSG: it is none, or not of this size; -ENOMEM. */
int region_adopt(int fd, size_t size, void **ret_map);
/* Unmaps. Takes NULL; returns NULL. */
void *region_free(void *map, size_t size);
