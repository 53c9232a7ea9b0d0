# SPDX-License-Identifier: GPL-2.0-or-later
# Rows of vm/options.def as a manual page has them.

# Cuts the strings of a row into part[1..n].
function cut(row,    n, text, c) {
	n = 0
	while (match(row, /"([^"\\]|\\.)*"/)) {
		text = substr(row, RSTART + 1, RLENGTH - 2)
		row = substr(row, RSTART + RLENGTH)
		gsub(/\\"/, "\"", text)
		gsub(/\\n/, " ", text)
		gsub(/\\/, "\\e", text)
		gsub(/-/, "\\-", text)
		gsub(/'/, "\\(aq", text)
		part[++n] = text
	}
	return n
}

# A line of roff must not begin with a dot or a quote.
function line(text) {
	sub(/^[.]/, "\\\\\\&.", text)
	print text
}

/^TITLE\(/ { cut($0); sub(/:$/, "", part[1]); print ".SS " part[1] }
/^FLAG\(/  { cut($0); print ".TP\n.B \\-" part[1]; line(part[2]) }
/^ARG\(/   { cut($0); print ".TP\n.BI \\-" part[1] " \" " part[2] "\""; line(part[3]) }
