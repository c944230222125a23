#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# davey, a client library for Discord's DAVE, and framekeyd understand each other.
. "$(dirname "$0")/common.sh"
run_peers davey.mjs
