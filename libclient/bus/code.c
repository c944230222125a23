/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The security code of a session: asked for once, wiped from what was received, and kept by nobody here.
 */
#include "bus-internal.h"

/* a(sutu) */
static int tell_keys(framekey_session *session, sd_bus_message *reply, framekey_code_key_handler handler,
                     void *userdata) {
        struct framekey_code_key key = { .size = sizeof(key) };
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(sutu)");
        while (r >= 0 &&
               (r = sd_bus_message_read(reply, "(sutu)", &key.participant, &key.key_index, &key.kid, &key.step)) > 0)
                handler(session, &key, userdata);
        return r;
}

int framekey_session_get_security_code(framekey_session *session, char ret_code[FRAMEKEY_SECURITY_CODE_SIZE],
                                       framekey_code_key_handler handler, void *userdata) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *code;
        size_t length;
        int r;

        r = session_call(session, "GetSecurityCode", NULL, &reply, "");
        if (r < 0)
                return r;
        r = sd_bus_message_sensitive(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &code);
        if (r < 0)
                return client_bad_reply(session->client, r);
        length = strlen(code);
        if (length >= FRAMEKEY_SECURITY_CODE_SIZE)
                return client_bad_reply(session->client, -EPROTO);
        r = handler ? tell_keys(session, reply, handler, userdata) : 0;
        if (r < 0)
                return client_bad_reply(session->client, r);
        memcpy(ret_code, code, length + 1);
        return 0;
}
