#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Random programs, each in the interpreter and in the back end.
set -u
exec "${PROGRAMS:-tests/fuzz/programs}" -n "${PROGRAMS_COUNT:-80}" -s "${PROGRAMS_SEED:-1}"
