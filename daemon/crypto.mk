# SPDX-License-Identifier: LGPL-2.1-or-later
# Layers util and crypto of the key plane. clock.c, counter.c and entropy.c are objects that the hooked test daemon replaces.
libkeyplane_la_SOURCES += \
	daemon/util/clock.c \
	daemon/util/clock.h \
	daemon/util/counter.c \
	daemon/util/counter.h \
	daemon/util/turnstile.h \
	daemon/util/entropy.c \
	daemon/util/entropy.h \
	daemon/crypto/aead.c \
	daemon/crypto/aead.h \
	daemon/crypto/arena.c \
	daemon/crypto/arena.h \
	daemon/crypto/hpke.c \
	daemon/crypto/hpke.h \
	daemon/crypto/kdf.c \
	daemon/crypto/kdf.h \
	daemon/crypto/registers.c \
	daemon/crypto/secret.c \
	daemon/crypto/secret.h \
	daemon/crypto/suite.c \
	daemon/crypto/suite.h
