# SPDX-License-Identifier: LGPL-2.1-or-later
# Fuzz targets for clang's libFuzzer, built apart from everything else: one program of its own sources each.
# `make fuzz` runs each for FUZZ_SECONDS over its corpus, `make -j2 fuzz` two at once, `make fuzz-NAME` one. Each piece
# adds a line to FUZZ_LOG; `make fuzz-status` adds those up. A finding stops it, unless make has -k, and stays in
# fuzz-work/. `make fuzz-merge` takes what covers new edges from there into the committed corpora.
FUZZ_SECONDS = 180
FUZZ_LOG = $(srcdir)/tests/fuzz/log.tsv
FUZZ_CLANG = clang
FUZZ_CFLAGS = -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
RUN_FUZZ = FUZZ_SECONDS='$(FUZZ_SECONDS)' FUZZ_LOG='$(FUZZ_LOG)' FUZZ_CLANG='$(FUZZ_CLANG)' \
	FUZZ_CFLAGS='$(FUZZ_CFLAGS)' srcdir='$(srcdir)' \
	$(srcdir)/tests/fuzz/run-fuzz

fuzz_codec_sources = tests/fuzz/fuzz-codec.c libclient/payload.c \
	libclient/codec/clear.c libclient/codec/dave-ranges.c libclient/codec/escape.c libclient/codec/nalu.c
fuzz_config_sources = tests/fuzz/fuzz-config.c daemon/control/config-file.c daemon/control/log.c daemon/control/policy.c \
	daemon/control/timespan.c daemon/keys/preset.c
fuzz_dave_sources = tests/fuzz/fuzz-dave.c daemon/format/dave.c
fuzz_dave_ranges_sources = tests/fuzz/fuzz-dave-ranges.c libclient/codec/dave-ranges.c
fuzz_frame_sources = tests/fuzz/fuzz-frame.c daemon/format/injected.c daemon/format/trailer.c
fuzz_inspect_sources = tests/fuzz/fuzz-inspect.c cli/inspect-formats.c daemon/format/dave.c daemon/format/sframe.c \
	daemon/format/trailer.c libclient/names.c libclient/trailer.c libclient/payload.c \
	libclient/codec/clear.c libclient/codec/dave-ranges.c libclient/codec/escape.c libclient/codec/nalu.c
fuzz_ring_sources = tests/fuzz/fuzz-ring.c daemon/channel/ring.c daemon/channel/ring-doorbell.c \
	daemon/channel/ring-layout.c daemon/channel/ring-region.c
fuzz_sframe_sources = tests/fuzz/fuzz-sframe.c daemon/format/sframe.c
fuzz_trailer_sources = tests/fuzz/fuzz-trailer.c libclient/trailer.c
# Includes daemon/keys/wrap.c.
fuzz_wrap_sources = tests/fuzz/fuzz-wrap.c daemon/keys/schedule.c daemon/keys/dave-schedule.c \
	daemon/keys/sframe-schedule.c daemon/format/sframe.c daemon/crypto/suite.c \
	daemon/crypto/aead.c daemon/crypto/arena.c daemon/crypto/hpke.c daemon/crypto/kdf.c \
	daemon/crypto/registers.c daemon/crypto/secret.c

EXTRA_DIST += \
	tests/fuzz/corpus/codec \
	tests/fuzz/corpus/config \
	tests/fuzz/corpus/dave \
	tests/fuzz/corpus/dave-ranges \
	tests/fuzz/corpus/frame \
	tests/fuzz/corpus/inspect \
	tests/fuzz/corpus/ring \
	tests/fuzz/corpus/sframe \
	tests/fuzz/corpus/trailer \
	tests/fuzz/corpus/wrap \
	tests/fuzz/fuzz-codec.c \
	tests/fuzz/fuzz-config.c \
	tests/fuzz/fuzz-dave.c \
	tests/fuzz/fuzz-dave-ranges.c \
	tests/fuzz/fuzz-frame.c \
	tests/fuzz/fuzz-inspect.c \
	tests/fuzz/fuzz-ring.c \
	tests/fuzz/fuzz-sframe.c \
	tests/fuzz/fuzz-trailer.c \
	tests/fuzz/fuzz-wrap.c \
	tests/fuzz/log.tsv \
	tests/fuzz/merge-corpus \
	tests/fuzz/piece.awk \
	tests/fuzz/run-fuzz \
	tests/fuzz/status.awk

fuzz_targets = fuzz-codec fuzz-config fuzz-dave fuzz-dave-ranges fuzz-frame fuzz-inspect fuzz-ring fuzz-sframe \
	fuzz-trailer fuzz-wrap
.PHONY: fuzz fuzz-status fuzz-merge $(fuzz_targets)
fuzz: $(fuzz_targets)
fuzz-status:
	@awk -f $(srcdir)/tests/fuzz/status.awk $(FUZZ_LOG)
fuzz-merge:
	srcdir='$(srcdir)' $(srcdir)/tests/fuzz/merge-corpus
fuzz-codec:
	$(RUN_FUZZ) codec $(fuzz_codec_sources)
fuzz-config:
	FUZZ_LIBS='$(LIBSYSTEMD_LIBS) $(INIH_LIBS)' $(RUN_FUZZ) config $(fuzz_config_sources)
fuzz-dave:
	$(RUN_FUZZ) dave $(fuzz_dave_sources)
fuzz-dave-ranges:
	$(RUN_FUZZ) dave-ranges $(fuzz_dave_ranges_sources)
fuzz-frame:
	$(RUN_FUZZ) frame $(fuzz_frame_sources)
fuzz-inspect:
	FUZZ_LIBS='$(JANSSON_LIBS)' $(RUN_FUZZ) inspect $(fuzz_inspect_sources)
fuzz-ring:
	$(RUN_FUZZ) ring $(fuzz_ring_sources)
fuzz-sframe:
	$(RUN_FUZZ) sframe $(fuzz_sframe_sources)
fuzz-trailer:
	$(RUN_FUZZ) trailer $(fuzz_trailer_sources)
fuzz-wrap:
	FUZZ_LIBS='$(LIBGCRYPT_LIBS) -lpthread' $(RUN_FUZZ) wrap $(fuzz_wrap_sources)
