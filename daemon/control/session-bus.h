/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The handlers behind org.framekey1.Session, by noun; session-bus.c has the vtable that names them.
 * Main thread.
 */
#pragma once

#include "control/session-object.h"

typedef int SessionMethod(sd_bus_message *message, void *userdata, sd_bus_error *error);
typedef int SessionProperty(sd_bus *bus, const char *path, const char *interface, const char *property,
                            sd_bus_message *message, void *userdata, sd_bus_error *error);

/* session-participants.c */
SessionMethod session_method_add_participant, session_method_remove_participant;
SessionMethod session_method_join, session_method_leave, session_method_allow_unencrypted;
const char *session_clear_name(SessionClear clear);
/* session-keys.c */
SessionMethod session_method_import_key, session_method_import_credential, session_method_generate_key;
SessionMethod session_method_ratchet, session_method_rotate, session_method_activate, session_method_retire_key;
/* session-wrap.c */
SessionMethod session_method_get_transport_key, session_method_export_wrapped, session_method_import_wrapped;
/* session-code.c */
SessionMethod session_method_get_security_code;
/* session-channels.c */
SessionMethod session_method_open_channel, session_method_add_stream, session_method_remove_stream;
/* session-properties.c */
SessionProperty session_property_text, session_property_number, session_property_participants;
SessionProperty session_property_time, session_property_flag, session_property_ratchet;
SessionProperty session_property_set_ratchet;
