#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Prints files and functions that have grown past the house's measure (a .c file 1000 lines, a header 400, a function
# 60), and fails where one is past half as much again.  Data tables are not functions; .def files have no limit.
cd "${srcdir:-.}" || exit 1

find base disk net ui hw tcg cpu vm \( -name '*.c' -o -name '*.h' \) -print | sort | xargs awk '
function report(what, name, lines, measure) {
	if (lines <= measure)
		return
	printf "%s: %s has %d lines, the measure is %d%s\n", file, what name, lines, measure, \
		(lines > measure * 1.5) ? ": too many" : ""
	if (lines > measure * 1.5)
		failed = 1
}
function end_file() {
	if (file != "")
		report("the file", "", count, file ~ /\.h$/ ? 400 : 1000)
}
FNR == 1 { end_file(); file = FILENAME; start = 0 }
{ count = FNR }
/^[A-Za-z_][A-Za-z_0-9]*\(/ { name = $0; sub(/\(.*/, "", name) }
/^\{/ { start = FNR }
/^\}/ { if (start) report("", name "()", FNR - start - 1, 60); start = 0 }
END { end_file(); exit failed }
'
