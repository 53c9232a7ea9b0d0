#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The kept cases and FUZZ_EXECUTIONS random snippets, or as many as FUZZ_SECONDS allow, as the host's processor and as each
# kind of translated code run them.  Before that, a short run whose process on the host's processor dies again and again.
set -u
srcdir=${srcdir:-$(dirname "$0")/..}
fuzz=${FUZZ:-tests/fuzz/fuzz}

children() {
	cat "/proc/$1/task/$1/children" 2>/dev/null
}

"$fuzz" -n 100000 -s 1 >/dev/null &
run=$!
kills=0
while [ "$kills" -lt 40 ] && kill -0 "$run" 2>/dev/null; do
	sleep 0.03
	for keeper in $(children "$run"); do
		for worker in $(children "$keeper"); do
			kill -9 "$worker" 2>/dev/null && kills=$((kills + 1))
		done
	done
done
wait "$run"
status=$?
[ "$status" -eq 77 ] && exit 77
if [ "$status" -ne 0 ]; then
	echo "a run whose worker dies ended with $status"
	exit 1
fi
echo "$kills workers died"
echo "seed ${FUZZ_SEED:-1}"
exec "$fuzz" -n "${FUZZ_EXECUTIONS:-3000000}" -s "${FUZZ_SEED:-1}" ${FUZZ_SECONDS:+-t "$FUZZ_SECONDS"} \
	${FUZZ_KEEP:+-k "$FUZZ_KEEP"} ${FUZZ_COUNTS:+-v -c "$FUZZ_COUNTS"} "$srcdir"/tests/fuzz/cases/*.txt
