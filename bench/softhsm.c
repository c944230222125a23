/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A software token behind PKCS#11, as a library in this process: what isolates nothing, but looks like what does. */
#include "bench/softhsm.h"

#include "bench/machine.h"
#include "bench/sealer.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define P11_KIT_FUTURE_UNSTABLE_API
#include <p11-kit/pkcs11.h>

#define PIN ((unsigned char *)"1234")

static const char *const libraries[] = {
        "/usr/lib/softhsm/libsofthsm2.so",
        "libsofthsm2.so",
};

struct SoftHsm {
        char directory[32];
        void *library;
        CK_FUNCTION_LIST *call;
        CK_SESSION_HANDLE session;
        CK_OBJECT_HANDLE key;
};

static bool ok(CK_RV r, const char *what) {
        if (r != CKR_OK)
                (void)fprintf(stderr, "bench: SoftHSM: %s: 0x%lx\n", what, r);
        return r == CKR_OK;
}

/* A place for its tokens that goes when we do. */
static bool configure(SoftHsm *hsm) {
        char path[64];
        FILE *file;

        (void)snprintf(hsm->directory, sizeof(hsm->directory), "/tmp/bench-hsm.XXXXXX");
        if (!mkdtemp(hsm->directory))
                return false;
        (void)snprintf(path, sizeof(path), "%s/conf", hsm->directory);
        file = fopen(path, "we");
        if (!file)
                return false;
        (void)fprintf(file, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
                      hsm->directory);
        return fclose(file) == 0 && setenv("SOFTHSM2_CONF", path, 1) == 0;
}

static bool load(SoftHsm *hsm) {
        CK_RV (*list)(CK_FUNCTION_LIST **);

        for (size_t i = 0; !hsm->library && i < sizeof(libraries) / sizeof(*libraries); i++)
                hsm->library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
        if (!hsm->library)
                return false;
        *(void **)&list = dlsym(hsm->library, "C_GetFunctionList");
        return list && ok(list(&hsm->call), "C_GetFunctionList") && ok(hsm->call->C_Initialize(NULL), "C_Initialize");
}

static bool make_token(SoftHsm *hsm) {
        char label[33];
        CK_SLOT_ID slots[4];
        CK_ULONG n = 4;

        (void)snprintf(label, sizeof(label), "%-32s", "bench");
        if (!ok(hsm->call->C_GetSlotList(CK_FALSE, slots, &n), "C_GetSlotList") || n == 0 ||
            !ok(hsm->call->C_InitToken(slots[0], PIN, 4, (unsigned char *)label), "C_InitToken"))
                return false;
        n = 4;
        return ok(hsm->call->C_GetSlotList(CK_TRUE, slots, &n), "C_GetSlotList") && n > 0 &&
               ok(hsm->call->C_OpenSession(slots[0], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &hsm->session),
                  "C_OpenSession");
}

static bool make_key(SoftHsm *hsm) {
        CK_OBJECT_CLASS class = CKO_SECRET_KEY;
        CK_KEY_TYPE type = CKK_AES;
        CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
        CK_ATTRIBUTE attributes[] = {
                { CKA_CLASS, &class, sizeof(class) },  { CKA_KEY_TYPE, &type, sizeof(type) },
                { CKA_VALUE, "0123456789abcdef", 16 }, { CKA_TOKEN, &no, sizeof(no) },
                { CKA_PRIVATE, &no, sizeof(no) },      { CKA_SENSITIVE, &no, sizeof(no) },
                { CKA_ENCRYPT, &yes, sizeof(yes) },
        };

        return ok(hsm->call->C_CreateObject(hsm->session, attributes, sizeof(attributes) / sizeof(*attributes),
                                            &hsm->key),
                  "C_CreateObject");
}

SoftHsm *softhsm_start(void) {
        SoftHsm *hsm = calloc(1, sizeof(*hsm));

        if (hsm && configure(hsm) && load(hsm) && make_token(hsm) && make_key(hsm))
                return hsm;
        (void)fprintf(stderr, "bench: no SoftHSM, so nothing to compare with it\n");
        return softhsm_stop(hsm);
}

double softhsm_seal(const SoftHsm *hsm, size_t size, unsigned n) {
        uint8_t *text = calloc(1, size), *out = malloc(size + 16), iv[12];
        uint64_t t0 = now_nsec();
        double result;

        for (unsigned i = 0; i < n; i++) {
                CK_GCM_PARAMS parameters = { .iv_ptr = iv, .iv_len = 12, .iv_bits = 96, .tag_bits = 128 };
                CK_MECHANISM mechanism = { CKM_AES_GCM, &parameters, sizeof(parameters) };
                CK_ULONG len = size + 16;

                random_iv(iv);
                if (!ok(hsm->call->C_EncryptInit(hsm->session, &mechanism, hsm->key), "C_EncryptInit") ||
                    !ok(hsm->call->C_Encrypt(hsm->session, text, size, out, &len), "C_Encrypt"))
                        exit(1);
        }
        result = (double)(now_nsec() - t0) / n;
        free(text);
        free(out);
        return result;
}

SoftHsm *softhsm_stop(SoftHsm *hsm) {
        char command[64];

        if (!hsm)
                return NULL;
        if (hsm->call)
                (void)hsm->call->C_Finalize(NULL);
        if (hsm->library)
                (void)dlclose(hsm->library);
        if (hsm->directory[0]) { /* a token is a directory of files */
                (void)snprintf(command, sizeof(command), "rm -rf %s", hsm->directory);
                if (system(command) != 0)
                        (void)fprintf(stderr, "bench: %s stays behind\n", hsm->directory);
        }
        free(hsm);
        return NULL;
}
