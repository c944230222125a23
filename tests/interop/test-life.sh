#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Ratchet timers, ratchets and key changes with the workers of LiveKit and RealtimeKit in the call.
. "$(dirname "$0")/common.sh"
run_peers life.mjs
