#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kept cases and EXECUTIONS random snippets, as the host's processor and as each kind of translated code run them.
set -u
srcdir=${srcdir:-$(dirname "$0")/..}
exec "${FUZZ:-tests/fuzz/fuzz}" -n "${EXECUTIONS:-1000000}" -s "${SEED:-1}" ${KEEP:+-k "$KEEP"} "$srcdir"/tests/fuzz/cases/*.txt
