/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Callers by the credentials of the bus; see owner.h. */
#include "control/owner.h"

#include "control/authority.h"

static Caller *place(CallerCache *cache, const char *name) {
        uint32_t hash = 2166136261u; /* FNV-1a */

        for (; *name; name++)
                hash = (hash ^ (uint8_t)*name) * 16777619u;
        return &cache->callers[hash % CALLERS_REMEMBERED];
}

int caller_get(CallerCache *cache, sd_bus_message *message, Caller *ret) {
        _cleanup_(sd_bus_creds_unrefp) sd_bus_creds *creds = NULL;
        const char *sender = sd_bus_message_get_sender(message);
        Caller caller = { 0 }, *known;
        int r;

        if (!sender || strlen(sender) >= sizeof(caller.name))
                return -EINVAL;
        known = place(cache, sender);
        if (strcmp(known->name, sender) == 0) {
                *ret = *known;
                ret->rights = authority_rights(cache->authority, message);
                return 0;
        }

        r = sd_bus_query_sender_creds(message, SD_BUS_CREDS_EUID | SD_BUS_CREDS_PID, &creds);
        if (r < 0)
                return r;
        r = sd_bus_creds_get_euid(creds, &caller.uid);
        if (r < 0)
                return r;
        if (sd_bus_creds_get_pid(creds, &caller.pid) < 0)
                caller.pid = 0;
        memcpy(caller.name, sender, strlen(sender) + 1);
        *known = caller;
        caller.rights = authority_rights(cache->authority, message);
        *ret = caller;
        return 0;
}

bool caller_is_admin(const Caller *caller) {
        return caller->uid == 0 || caller->uid == geteuid();
}

bool caller_may(const Caller *caller, CallerRight right) {
        return caller_is_admin(caller) || (caller->rights & 1u << right) != 0;
}

bool caller_may_read(const Caller *caller, uid_t uid) {
        /* Who may change a session, and asked to, has to find it. */
        return caller->uid == uid || caller_may(caller, CALLER_INSPECT) || caller_may(caller, CALLER_ROTATE) ||
               caller_may(caller, CALLER_IMPORT);
}
