# SPDX-License-Identifier: LGPL-2.1-or-later
# Live peers: the unmodified E2EE code of other products, in Node. They are installed below the build directory.
interop_tests = tests/interop/test-livekit.sh tests/interop/test-realtimekit.sh tests/interop/test-life.sh \
	tests/interop/test-davey.sh tests/interop/test-rotate-all.sh
dist_check_SCRIPTS += $(interop_tests)
TESTS += $(interop_tests)
EXTRA_DIST += \
	tests/interop/check.mjs \
	tests/interop/common.sh \
	tests/interop/dave-group.mjs \
	tests/interop/davey.mjs \
	tests/interop/exchange.mjs \
	tests/interop/framekeyctl.mjs \
	tests/interop/install-peers \
	tests/interop/life.mjs \
	tests/interop/livekit.mjs \
	tests/interop/media.mjs \
	tests/interop/package-lock.json \
	tests/interop/package.json \
	tests/interop/peer-thread.mjs \
	tests/interop/peer.mjs \
	tests/interop/realtimekit.mjs \
	tests/interop/rotate-all.mjs \
	tests/interop/vectors.mjs

clean-local: clean-interop
clean-interop:
	rm -rf tests/interop/peers
.PHONY: clean-interop
