#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The inputs that a fuzzer found worth keeping, for each device.
srcdir=${srcdir:-$(dirname "$0")/..}
exec "${REPLAY:-tests/devfuzz/replay}" "$srcdir"/tests/devfuzz/inputs/*.inputs
