# SPDX-License-Identifier: LGPL-2.1-or-later
# The bindings for other languages, with a real daemon behind them.
adapter_tests = tests/adapters/python/test-aiortc.sh tests/adapters/python/test-bot.sh tests/adapters/python/test-frames.sh \
	tests/adapters/python/test-types.sh
dist_check_SCRIPTS += $(adapter_tests)
TESTS += $(adapter_tests)
EXTRA_DIST += \
	tests/adapters/python/common.sh \
	tests/adapters/python/test_abi.py \
	tests/adapters/python/test_aiortc.py \
	tests/adapters/python/test_frames.py
