/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Key providers: calls of a session with the defaults of the web clients' providers, and the little
 * that the daemon does not know: which index was set last. No key is kept here.
 */
#include "bus-internal.h"

/* "livekit-native": the clients that put byte keys through PBKDF2. */
#define NATIVE_PRESET "livekit-native"
/* What an import may get beside the caller's options: kdf and activate. */
#define N_DEFAULTS 2u

typedef struct LastIndex {
        char *identity; /* "" for the shared key */
        uint32_t index;
} LastIndex;

struct framekey_provider {
        framekey_session *session;
        const char *byte_kdf; /* option for byte keys; NULL: the format has a derivation of its own */
        uint32_t ring_size;
        LastIndex *last; /* of the identities that keys were set for: a call's local senders, as a rule */
        size_t n_last;
        SessionMatch match;
        framekey_rotate_handler handler;
        void *userdata;
};

DEFINE_CLEANUP(framekey_provider, framekey_provider_free)

/* ---- life ---- */

int framekey_provider_new(framekey_session *session, framekey_provider **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *preset_reply = NULL, *ring_reply = NULL, *format_reply = NULL;
        _cleanup_(framekey_provider_free_p) framekey_provider *provider = NULL;
        framekey_client *client = session->client;
        const char *preset, *format;
        int r;

        provider = calloc(1, sizeof(*provider));
        if (!provider)
                return client_fail(client, -ENOMEM, "Out of memory.");
        provider->session = session;
        r = client_get(client, session->path, SESSION_INTERFACE, "Preset", &preset_reply, "s", &preset);
        if (r < 0)
                return r;
        r = client_get(client, session->path, SESSION_INTERFACE, "RingSize", &ring_reply, "u", &provider->ring_size);
        if (r < 0)
                return r;
        r = client_get(client, session->path, SESSION_INTERFACE, "Profile", &format_reply, "s", &format);
        if (r < 0)
                return r;
        if (strcmp(format, "sframe") != 0 && strcmp(format, "dave") != 0)
                provider->byte_kdf = strcmp(preset, NATIVE_PRESET) == 0 ? "kdf=pbkdf2" : "kdf=hkdf";
        *ret = take_ptr(provider);
        return 0;
}

framekey_provider *framekey_provider_free(framekey_provider *provider) {
        if (!provider)
                return NULL;
        session_match_end(&provider->match);
        for (size_t i = 0; i < provider->n_last; i++)
                free(provider->last[i].identity);
        free(provider->last);
        free(provider);
        return NULL;
}

/* ---- indices ---- */

static LastIndex *last_find(const framekey_provider *provider, const char *identity) {
        for (size_t i = 0; i < provider->n_last; i++)
                if (strcmp(provider->last[i].identity, identity) == 0)
                        return &provider->last[i];
        return NULL;
}

/* A place for the index, before the key is set: what was set must not be forgotten for want of memory. */
static int last_reserve(framekey_provider *provider, const char *identity, LastIndex **ret) {
        LastIndex *last = last_find(provider, identity), *grown;

        if (!last) {
                grown = reallocarray(provider->last, provider->n_last + 1, sizeof(*grown));
                if (!grown)
                        return client_fail(provider->session->client, -ENOMEM, "Out of memory.");
                provider->last = grown;
                last = &grown[provider->n_last];
                *last = (LastIndex){ .identity = strdup(identity), .index = UINT32_MAX };
                if (!last->identity)
                        return client_fail(provider->session->client, -ENOMEM, "Out of memory.");
                provider->n_last++;
        }
        *ret = last;
        return 0;
}

/* Who is not in the session any more needs no place. */
static void last_drop(framekey_provider *provider, const char *identity) {
        LastIndex *last = last_find(provider, identity);

        if (!last)
                return;
        free(last->identity);
        *last = provider->last[--provider->n_last];
}

/* ---- options ---- */

static bool options_have(const char *const *options, const char *name) {
        size_t length = strlen(name);

        for (size_t i = 0; options && options[i]; i++)
                if (strncmp(options[i], name, length) == 0 && options[i][length] == '=')
                        return true;
        return false;
}

/* Whether a key of this identity is one to send under. 1, 0, or negative errno. */
static int is_sender(framekey_provider *provider, const char *identity) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *prefix = NULL, *path = NULL;
        framekey_client *client = provider->session->client;
        const char *role;
        int r;

        if (*identity == '\0')
                return 1;
        if (asprintf(&prefix, "%s/participant", provider->session->path) < 0) {
                prefix = NULL;
                return client_fail(client, -ENOMEM, "Out of memory.");
        }
        r = sd_bus_path_encode(prefix, identity, &path);
        if (r < 0)
                return client_fail(client, r, "Cannot name the participant: %s.", strerror(-r));
        r = client_get(client, path, PARTICIPANT_INTERFACE, "Role", &reply, "s", &role);
        return r < 0 ? r : strcmp(role, "local") == 0;
}

static bool says_when(const char *const *options) {
        return options_have(options, "activate") || options_have(options, "activate-after-usec") ||
               options_have(options, "at-key-frame");
}

/* The caller's options and, where they leave it open, `kdf` (NULL: none) and the activation. */
static int complete_options(framekey_provider *provider, const char *identity, const char *kdf,
                            const char *const *options, const char ***ret) {
        const char **all;
        size_t n = 0;
        int sender;

        sender = is_sender(provider, identity);
        if (sender < 0)
                return sender;
        while (options && options[n])
                n++;
        all = calloc(n + N_DEFAULTS + 1, sizeof(*all));
        if (!all)
                return client_fail(provider->session->client, -ENOMEM, "Out of memory.");
        if (n > 0)
                memcpy(all, options, n * sizeof(*all));
        if (kdf && !options_have(options, "kdf"))
                all[n++] = kdf;
        if (sender && !says_when(options))
                all[n++] = "activate=yes";
        *ret = all;
        return 0;
}

/* ---- keys ---- */

static int set_secret(framekey_provider *provider, const char *identity, uint32_t index, const void *secret,
                      size_t length, const char *kdf, const char *const *options, uint32_t *ret_index) {
        _cleanup_free_ const char **all = NULL;
        LastIndex *last;
        int r;

        r = complete_options(provider, identity, kdf, options, &all);
        if (r == -ESRCH)
                last_drop(provider, identity);
        if (r < 0)
                return r;
        r = last_reserve(provider, identity, &last);
        if (r < 0)
                return r;
        if (index == FRAMEKEY_KEY_NEXT)
                index = last->index == UINT32_MAX ? 0 : (last->index + 1) % provider->ring_size;
        r = framekey_session_import_key(provider->session, identity, index, secret, length, all);
        if (r < 0)
                return r;
        last->index = index;
        if (ret_index)
                *ret_index = index;
        return 0;
}

int framekey_provider_set_passphrase(framekey_provider *provider, const char *identity, uint32_t index,
                                     const char *passphrase, const char *const *options, uint32_t *ret_index) {
        return set_secret(provider, identity_or_shared(identity), index, passphrase, strlen(passphrase), "kdf=pbkdf2",
                          options, ret_index);
}

int framekey_provider_set_key(framekey_provider *provider, const char *identity, uint32_t index, const void *key,
                              size_t length, const char *const *options, uint32_t *ret_index) {
        return set_secret(provider, identity_or_shared(identity), index, key, length, provider->byte_kdf, options,
                          ret_index);
}

int framekey_provider_ratchet(framekey_provider *provider, const char *identity, uint32_t index, uint32_t *ret_step) {
        const LastIndex *last = last_find(provider, identity_or_shared(identity));
        int sender;

        if (index == FRAMEKEY_KEY_ACTIVE && last) {
                sender = is_sender(provider, identity_or_shared(identity));
                if (sender < 0)
                        return sender;
                if (!sender)
                        index = last->index;
        }
        return framekey_session_ratchet(provider->session, identity, index, ret_step);
}

/* ---- rotation ---- */

static void on_event(framekey_session *session, const struct framekey_event *event, void *userdata) {
        framekey_provider *provider = userdata;

        if (strcmp(event->name, "RotationRequested") == 0)
                provider->handler(provider, *event->participant ? event->participant : NULL, event->key_index,
                                  event->reason, event->deadline_usec, provider->userdata);
}

int framekey_provider_set_rotate_handler(framekey_provider *provider, framekey_rotate_handler handler, void *userdata) {
        provider->handler = handler;
        provider->userdata = userdata;
        return session_match(&provider->match, provider->session, handler ? on_event : NULL, provider);
}
