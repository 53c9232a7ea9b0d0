#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kept cases and FUZZ_EXECUTIONS random snippets, or as many as FUZZ_SECONDS allow, as the host's processor and as each
# kind of translated code run them.
set -u
srcdir=${srcdir:-$(dirname "$0")/..}
echo "seed ${FUZZ_SEED:-1}"
exec "${FUZZ:-tests/fuzz/fuzz}" -n "${FUZZ_EXECUTIONS:-3000000}" -s "${FUZZ_SEED:-1}" ${FUZZ_SECONDS:+-t "$FUZZ_SECONDS"} \
	${FUZZ_KEEP:+-k "$FUZZ_KEEP"} ${FUZZ_COUNTS:+-v -c "$FUZZ_COUNTS"} "$srcdir"/tests/fuzz/cases/*.txt
