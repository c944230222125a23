/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands between tests/framekeyd-faulty and what it calls: the linker turns each call of NAME into __wrap_NAME, see the
 * file `wraps`. One of them fails when the test says so, with the error that the real one is most likely to give.
 */
#include "config.h"

#include "crypto/arena.h"
#include "tests/faults/faults.h"

#include <fcntl.h>
#include <gcrypt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#define RESERVED_LEN 64u /* what the arena keeps for libgcrypt in case it is full, see arena.c */

static Faults *faults;
static pthread_once_t faults_once = PTHREAD_ONCE_INIT;
static _Thread_local bool in_scratch;

int __real_open(const char *path, int flags, ...);
void *__real_mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset);

static void map_once(void) {
        const char *path = getenv(FAULTS_ENVIRONMENT);
        _cleanup_close_ int fd = path ? __real_open(path, O_RDWR | O_CLOEXEC) : -EBADF;
        void *map;

        if (fd < 0)
                return;
        map = __real_mmap(NULL, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED && ((Faults *)map)->magic == FAULTS_MAGIC)
                faults = map;
}

/* Whether this call is the one that fails. */
static bool struck(FaultKind kind, const char *name) {
        (void)pthread_once(&faults_once, map_once);
        if (!faults)
                return false;
        atomic_fetch_add(&faults->calls[kind], 1);
        if (atomic_load(&faults->kind) != (uint32_t)kind || atomic_fetch_sub(&faults->countdown, 1) != 1)
                return false;
        (void)snprintf(faults->struck, sizeof(faults->struck), "%s", name);
        atomic_fetch_add(&faults->n_struck, 1);
        return true;
}

/* A call that answers `failure` and sets errno to `number`, 0: leaves it. */
#define WRAP(kind, type, name, parameters, arguments, failure, number)                                                 \
        type __real_##name parameters;                                                                                 \
        type __wrap_##name parameters;                                                                                 \
        type __wrap_##name parameters {                                                                                \
                if (!struck(kind, #name))                                                                              \
                        return __real_##name arguments;                                                                \
                errno = (number) != 0 ? (number) : errno;                                                              \
                return failure;                                                                                        \
        }
WRAP(FAULT_MEMORY, void *, malloc, (size_t len), (len), NULL, ENOMEM)
WRAP(FAULT_MEMORY, void *, calloc, (size_t n, size_t len), (n, len), NULL, ENOMEM)
WRAP(FAULT_MEMORY, void *, realloc, (void *block, size_t len), (block, len), NULL, ENOMEM)
WRAP(FAULT_MEMORY, void *, reallocarray, (void *block, size_t n, size_t len), (block, n, len), NULL, ENOMEM)
WRAP(FAULT_MEMORY, void *, aligned_alloc, (size_t alignment, size_t len), (alignment, len), NULL, ENOMEM)
WRAP(FAULT_MEMORY, char *, strdup, (const char *text), (text), NULL, ENOMEM)
WRAP(FAULT_MEMORY, char *, strndup, (const char *text, size_t len), (text, len), NULL, ENOMEM)

int __wrap_asprintf(char **ret, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_asprintf(char **ret, const char *format, ...) {
        va_list values;
        int n;

        if (struck(FAULT_MEMORY, "asprintf"))
                return -1;
        va_start(values, format);
        n = vasprintf(ret, format, values);
        va_end(values);
        return n;
}

/* ---- the arena ---- */

WRAP(FAULT_ARENA, void *, arena_alloc, (Arena * arena, size_t len), (arena, len), NULL, 0)

int __real_arena_scratch_begin(size_t len);
int __wrap_arena_scratch_begin(size_t len);
int __wrap_arena_scratch_begin(size_t len) {
        int r = struck(FAULT_ARENA, "arena_scratch_begin") ? -ENOMEM : __real_arena_scratch_begin(len);

        in_scratch = r == 0;
        return r;
}

void __real_arena_scratch_lend(void *memory, size_t len);
void __wrap_arena_scratch_lend(void *memory, size_t len);
void __wrap_arena_scratch_lend(void *memory, size_t len) {
        in_scratch = true;
        __real_arena_scratch_lend(memory, len);
}

void __real_arena_scratch_end(void);
void __wrap_arena_scratch_end(void);
void __wrap_arena_scratch_end(void) {
        in_scratch = false;
        __real_arena_scratch_end();
}

static gcry_handler_alloc_t real_alloc;
static gcry_handler_realloc_t real_realloc;

/* What a full arena still has is not refused: scratch, and the reserve. */
static void *arena_alloc_for_gcry(size_t len) {
        if (in_scratch || len <= RESERVED_LEN || !struck(FAULT_ARENA, "libgcrypt's malloc"))
                return real_alloc(len);
        errno = ENOMEM;
        return NULL;
}

static void *arena_realloc_for_gcry(void *block, size_t len) {
        if (in_scratch || len <= RESERVED_LEN || !struck(FAULT_ARENA, "libgcrypt's realloc"))
                return real_realloc(block, len);
        errno = ENOMEM;
        return NULL;
}

void __real_gcry_set_allocation_handler(gcry_handler_alloc_t alloc, gcry_handler_alloc_t alloc_secure,
                                        gcry_handler_secure_check_t is_secure, gcry_handler_realloc_t resize,
                                        gcry_handler_free_t release);
void __wrap_gcry_set_allocation_handler(gcry_handler_alloc_t alloc, gcry_handler_alloc_t alloc_secure,
                                        gcry_handler_secure_check_t is_secure, gcry_handler_realloc_t resize,
                                        gcry_handler_free_t release);
void __wrap_gcry_set_allocation_handler(gcry_handler_alloc_t alloc, gcry_handler_alloc_t alloc_secure,
                                        gcry_handler_secure_check_t is_secure, gcry_handler_realloc_t resize,
                                        gcry_handler_free_t release) {
        real_alloc = alloc;
        real_realloc = resize;
        __real_gcry_set_allocation_handler(arena_alloc_for_gcry,
                                           alloc_secure == alloc ? arena_alloc_for_gcry : alloc_secure, is_secure,
                                           arena_realloc_for_gcry, release);
}

/* ---- descriptors ---- */

WRAP(FAULT_DESCRIPTORS, int, memfd_create, (const char *name, unsigned flags), (name, flags), -1, EMFILE)
WRAP(FAULT_DESCRIPTORS, int, eventfd, (unsigned count, int flags), (count, flags), -1, EMFILE)
WRAP(FAULT_DESCRIPTORS, int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds), -1, EMFILE)
WRAP(FAULT_DESCRIPTORS, int, pipe2, (int fds[2], int flags), (fds, flags), -1, EMFILE)
WRAP(FAULT_DESCRIPTORS, int, epoll_create1, (int flags), (flags), -1, EMFILE)
WRAP(FAULT_DESCRIPTORS, int, timerfd_create, (int clock, int flags), (clock, flags), -1, EMFILE)
WRAP(FAULT_DESCRIPTORS, FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, EMFILE)

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
        va_list values;
        mode_t mode;

        if (struck(FAULT_DESCRIPTORS, "open")) {
                errno = EMFILE;
                return -1;
        }
        va_start(values, flags);
        mode = flags & O_CREAT ? va_arg(values, mode_t) : 0;
        va_end(values);
        return __real_open(path, flags, mode);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...) {
        va_list values;
        mode_t mode;

        if (struck(FAULT_DESCRIPTORS, "openat")) {
                errno = EMFILE;
                return -1;
        }
        va_start(values, flags);
        mode = flags & O_CREAT ? va_arg(values, mode_t) : 0;
        va_end(values);
        return __real_openat(directory, path, flags, mode);
}

/* Every command that the daemon uses takes an int or nothing. */
int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
        va_list values;
        int value;

        if (struck(command == F_DUPFD_CLOEXEC ? FAULT_DESCRIPTORS : FAULT_MAPPINGS, "fcntl")) {
                errno = command == F_DUPFD_CLOEXEC ? EMFILE : EPERM;
                return -1;
        }
        va_start(values, command);
        value = va_arg(values, int);
        va_end(values);
        return __real_fcntl(fd, command, value);
}

/* ---- mappings ---- */

WRAP(FAULT_MAPPINGS, void *, mmap, (void *address, size_t len, int protection, int flags, int fd, off_t offset),
     (address, len, protection, flags, fd, offset), MAP_FAILED, ENOMEM)
WRAP(FAULT_MAPPINGS, int, mlock, (const void *address, size_t len), (address, len), -1, ENOMEM)
WRAP(FAULT_MAPPINGS, int, madvise, (void *address, size_t len, int advice), (address, len, advice), -1, ENOMEM)
WRAP(FAULT_MAPPINGS, int, ftruncate, (int fd, off_t len), (fd, len), -1, ENOSPC)
WRAP(FAULT_MAPPINGS, int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
WRAP(FAULT_MAPPINGS, int, posix_fallocate, (int fd, off_t offset, off_t len), (fd, offset, len), ENOSPC, 0)

/* ---- transfers ---- */

WRAP(FAULT_TRANSFERS, ssize_t, read, (int fd, void *bytes, size_t len), (fd, bytes, len), -1, EIO)
WRAP(FAULT_TRANSFERS, ssize_t, pread, (int fd, void *bytes, size_t len, off_t offset), (fd, bytes, len, offset), -1,
     EIO)
WRAP(FAULT_TRANSFERS, ssize_t, pwrite, (int fd, const void *bytes, size_t len, off_t offset), (fd, bytes, len, offset),
     -1, ENOSPC)
WRAP(FAULT_TRANSFERS, ssize_t, splice, (int in, off64_t *in_at, int out, off64_t *out_at, size_t len, unsigned flags),
     (in, in_at, out, out_at, len, flags), -1, ENOMEM)
WRAP(FAULT_TRANSFERS, ssize_t, send, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags), -1,
     ENOBUFS)
WRAP(FAULT_TRANSFERS, int, fdatasync, (int fd), (fd), -1, EIO)
WRAP(FAULT_TRANSFERS, int, fsync, (int fd), (fd), -1, EIO)
WRAP(FAULT_TRANSFERS, int, fstat, (int fd, struct stat *st), (fd, st), -1, EOVERFLOW)
WRAP(FAULT_TRANSFERS, int, renameat, (int from, const char *a, int to, const char *b), (from, a, to, b), -1, ENOSPC)
WRAP(FAULT_TRANSFERS, int, epoll_ctl, (int epoll, int command, int fd, struct epoll_event *event),
     (epoll, command, fd, event), -1, command == EPOLL_CTL_DEL ? ENOENT : ENOSPC)
WRAP(FAULT_TRANSFERS, int, epoll_wait, (int epoll, struct epoll_event *events, int n, int timeout),
     (epoll, events, n, timeout), -1, EINTR)
WRAP(FAULT_TRANSFERS, int, timerfd_settime,
     (int fd, int flags, const struct itimerspec *time, struct itimerspec *before), (fd, flags, time, before), -1,
     EINVAL)
WRAP(FAULT_TRANSFERS, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
     (fd, level, name, value, len), -1, ENOMEM)
WRAP(FAULT_TRANSFERS, int, shutdown, (int fd, int how), (fd, how), -1, ENOTCONN)

/* ---- threads, entropy ---- */

WRAP(FAULT_THREADS, int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *userdata),
     (thread, attributes, start, userdata), EAGAIN, 0)
WRAP(FAULT_THREADS, int, pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes),
     (mutex, attributes), ENOMEM, 0)
WRAP(FAULT_THREADS, int, sem_init, (sem_t * semaphore, int shared, unsigned value), (semaphore, shared, value), -1,
     ENOSPC)
WRAP(FAULT_ENTROPY, ssize_t, getrandom, (void *bytes, size_t len, unsigned flags), (bytes, len, flags), -1, EINTR)

/* ---- libgcrypt ---- */

#define WRAP_GCRY(name, parameters, arguments, code)                                                                   \
        WRAP(FAULT_CRYPTO, gcry_error_t, name, parameters, arguments, gcry_error(code), 0)
WRAP_GCRY(gcry_cipher_open, (gcry_cipher_hd_t * handle, int cipher, int mode, unsigned flags),
          (handle, cipher, mode, flags), GPG_ERR_ENOMEM)
WRAP_GCRY(gcry_cipher_setkey, (gcry_cipher_hd_t handle, const void *key, size_t len), (handle, key, len),
          GPG_ERR_WEAK_KEY)
WRAP_GCRY(gcry_cipher_setiv, (gcry_cipher_hd_t handle, const void *iv, size_t len), (handle, iv, len),
          GPG_ERR_INV_STATE)
WRAP_GCRY(gcry_cipher_setctr, (gcry_cipher_hd_t handle, const void *ctr, size_t len), (handle, ctr, len),
          GPG_ERR_INV_STATE)
WRAP_GCRY(gcry_cipher_authenticate, (gcry_cipher_hd_t handle, const void *bytes, size_t len), (handle, bytes, len),
          GPG_ERR_INV_STATE)
WRAP_GCRY(gcry_cipher_encrypt, (gcry_cipher_hd_t handle, void *out, size_t out_len, const void *in, size_t in_len),
          (handle, out, out_len, in, in_len), GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_cipher_decrypt, (gcry_cipher_hd_t handle, void *out, size_t out_len, const void *in, size_t in_len),
          (handle, out, out_len, in, in_len), GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_cipher_gettag, (gcry_cipher_hd_t handle, void *tag, size_t len), (handle, tag, len), GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_cipher_checktag, (gcry_cipher_hd_t handle, const void *tag, size_t len), (handle, tag, len),
          GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_mac_open, (gcry_mac_hd_t * handle, int mac, unsigned flags, gcry_ctx_t context),
          (handle, mac, flags, context), GPG_ERR_ENOMEM)
WRAP_GCRY(gcry_mac_setkey, (gcry_mac_hd_t handle, const void *key, size_t len), (handle, key, len), GPG_ERR_ENOMEM)
WRAP_GCRY(gcry_mac_write, (gcry_mac_hd_t handle, const void *bytes, size_t len), (handle, bytes, len), GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_mac_read, (gcry_mac_hd_t handle, void *out, size_t *len), (handle, out, len), GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_mac_verify, (gcry_mac_hd_t handle, const void *tag, size_t len), (handle, tag, len), GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_mac_ctl, (gcry_mac_hd_t handle, int command, void *bytes, size_t len), (handle, command, bytes, len),
          GPG_ERR_INTERNAL)
WRAP_GCRY(gcry_kdf_derive,
          (const void *secret, size_t secret_len, int kdf, int hash, const void *salt, size_t salt_len,
           unsigned long iterations, size_t len, void *out),
          (secret, secret_len, kdf, hash, salt, salt_len, iterations, len, out), GPG_ERR_ENOMEM)
WRAP_GCRY(gcry_kdf_open,
          (gcry_kdf_hd_t * handle, int kdf, int variant, const unsigned long *parameters, unsigned n_parameters,
           const void *secret, size_t secret_len, const void *salt, size_t salt_len, const void *key, size_t key_len,
           const void *data, size_t data_len),
          (handle, kdf, variant, parameters, n_parameters, secret, secret_len, salt, salt_len, key, key_len, data,
           data_len),
          GPG_ERR_ENOMEM)
WRAP_GCRY(gcry_kdf_compute, (gcry_kdf_hd_t handle, const gcry_kdf_thread_ops_t *threads), (handle, threads),
          GPG_ERR_ENOMEM)
WRAP_GCRY(gcry_kdf_final, (gcry_kdf_hd_t handle, size_t len, void *out), (handle, len, out), GPG_ERR_ENOMEM)

/* The first one, of the self test, makes tables that stay, while the arena is empty but for the self test: libgcrypt
 * ends the process when it cannot have them, so they are not refused. All others work in scratch memory. */
gpg_error_t __real_gcry_ecc_mul_point(int curve, unsigned char *out, const unsigned char *scalar,
                                      const unsigned char *point);
gpg_error_t __wrap_gcry_ecc_mul_point(int curve, unsigned char *out, const unsigned char *scalar,
                                      const unsigned char *point);
gpg_error_t __wrap_gcry_ecc_mul_point(int curve, unsigned char *out, const unsigned char *scalar,
                                      const unsigned char *point) {
        bool was_in_scratch = in_scratch;
        gpg_error_t error;

        if (struck(FAULT_CRYPTO, "gcry_ecc_mul_point"))
                return gcry_error(GPG_ERR_INTERNAL);
        in_scratch = true;
        error = __real_gcry_ecc_mul_point(curve, out, scalar, point);
        in_scratch = was_in_scratch;
        return error;
}

/* ---- libsystemd ---- */

#define WRAP_BUS(name, parameters, arguments) WRAP(FAULT_BUS, int, name, parameters, arguments, -ENOMEM, 0)
WRAP_BUS(sd_bus_message_new_method_return, (sd_bus_message * call, sd_bus_message **ret), (call, ret))
WRAP_BUS(sd_bus_message_new_method_call,
         (sd_bus * bus, sd_bus_message **ret, const char *name, const char *path, const char *interface,
          const char *member),
         (bus, ret, name, path, interface, member))
WRAP_BUS(sd_bus_message_new_signal,
         (sd_bus * bus, sd_bus_message **ret, const char *path, const char *interface, const char *member),
         (bus, ret, path, interface, member))
WRAP_BUS(sd_bus_message_open_container, (sd_bus_message * message, char type, const char *contents),
         (message, type, contents))
WRAP_BUS(sd_bus_message_close_container, (sd_bus_message * message), (message))
WRAP_BUS(sd_bus_message_append_array, (sd_bus_message * message, char type, const void *bytes, size_t len),
         (message, type, bytes, len))
WRAP_BUS(sd_bus_message_set_destination, (sd_bus_message * message, const char *name), (message, name))
WRAP_BUS(sd_bus_send, (sd_bus * bus, sd_bus_message *message, uint64_t *cookie), (bus, message, cookie))
WRAP_BUS(sd_bus_call_async,
         (sd_bus * bus, sd_bus_slot **slot, sd_bus_message *message, sd_bus_message_handler_t callback, void *userdata,
          uint64_t usec),
         (bus, slot, message, callback, userdata, usec))
WRAP_BUS(sd_bus_query_sender_creds, (sd_bus_message * message, uint64_t mask, sd_bus_creds **ret), (message, mask, ret))
WRAP_BUS(sd_bus_emit_properties_changed_strv, (sd_bus * bus, const char *path, const char *interface, char **names),
         (bus, path, interface, names))
WRAP_BUS(sd_bus_reply_method_error, (sd_bus_message * call, const sd_bus_error *error), (call, error))
WRAP_BUS(sd_bus_error_set_errno, (sd_bus_error * error, int number), (error, number))
WRAP_BUS(sd_bus_error_setfv, (sd_bus_error * error, const char *name, const char *format, va_list values),
         (error, name, format, values))
WRAP_BUS(sd_bus_path_encode, (const char *prefix, const char *id, char **ret), (prefix, id, ret))
WRAP_BUS(sd_event_add_io,
         (sd_event * event, sd_event_source **ret, int fd, uint32_t events, sd_event_io_handler_t callback,
          void *userdata),
         (event, ret, fd, events, callback, userdata))
WRAP_BUS(sd_event_add_time,
         (sd_event * event, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
          sd_event_time_handler_t callback, void *userdata),
         (event, ret, clock, usec, accuracy, callback, userdata))
WRAP_BUS(sd_event_add_time_relative,
         (sd_event * event, sd_event_source **ret, clockid_t clock, uint64_t usec, uint64_t accuracy,
          sd_event_time_handler_t callback, void *userdata),
         (event, ret, clock, usec, accuracy, callback, userdata))
WRAP_BUS(sd_event_add_defer, (sd_event * event, sd_event_source **ret, sd_event_handler_t callback, void *userdata),
         (event, ret, callback, userdata))
WRAP_BUS(sd_event_add_post, (sd_event * event, sd_event_source **ret, sd_event_handler_t callback, void *userdata),
         (event, ret, callback, userdata))
WRAP_BUS(sd_event_add_signal,
         (sd_event * event, sd_event_source **ret, int number, sd_event_signal_handler_t callback, void *userdata),
         (event, ret, number, callback, userdata))
WRAP_BUS(sd_event_new, (sd_event * *ret), (ret))
WRAP_BUS(sd_event_source_set_time, (sd_event_source * source, uint64_t usec), (source, usec))
WRAP_BUS(sd_event_source_set_enabled, (sd_event_source * source, int enabled), (source, enabled))
WRAP_BUS(sd_bus_attach_event, (sd_bus * bus, sd_event *event, int priority), (bus, event, priority))
WRAP_BUS(sd_bus_add_filter, (sd_bus * bus, sd_bus_slot **slot, sd_bus_message_handler_t callback, void *userdata),
         (bus, slot, callback, userdata))
WRAP_BUS(sd_bus_add_object_vtable,
         (sd_bus * bus, sd_bus_slot **slot, const char *path, const char *interface, const sd_bus_vtable *vtable,
          void *userdata),
         (bus, slot, path, interface, vtable, userdata))
WRAP_BUS(sd_bus_add_fallback_vtable,
         (sd_bus * bus, sd_bus_slot **slot, const char *prefix, const char *interface, const sd_bus_vtable *vtable,
          sd_bus_object_find_t find, void *userdata),
         (bus, slot, prefix, interface, vtable, find, userdata))
WRAP_BUS(sd_bus_request_name, (sd_bus * bus, const char *name, uint64_t flags), (bus, name, flags))

int __wrap_sd_bus_message_append(sd_bus_message *message, const char *types, ...);
int __wrap_sd_bus_message_append(sd_bus_message *message, const char *types, ...) {
        va_list values;
        int r;

        if (struck(FAULT_BUS, "sd_bus_message_append"))
                return -ENOMEM;
        va_start(values, types);
        r = sd_bus_message_appendv(message, types, values);
        va_end(values);
        return r;
}

int __wrap_sd_bus_reply_method_return(sd_bus_message *call, const char *types, ...);
int __wrap_sd_bus_reply_method_return(sd_bus_message *call, const char *types, ...) {
        va_list values;
        int r;

        if (struck(FAULT_BUS, "sd_bus_reply_method_return"))
                return -ENOMEM;
        va_start(values, types);
        r = sd_bus_reply_method_returnv(call, types, values);
        va_end(values);
        return r;
}

int __real_sd_event_loop(sd_event *event);
int __wrap_sd_event_loop(sd_event *event);
int __wrap_sd_event_loop(sd_event *event) {
        (void)pthread_once(&faults_once, map_once);
        if (faults)
                atomic_store(&faults->serving, 1);
        return __real_sd_event_loop(event);
}
