# SPDX-License-Identifier: GPL-2.0-or-later
# GNU Unifont's .hex file (CODE:16 rows of 8 or 16 dots, in hexadecimal) as the tables that ui/font.h declares: the codes in
# ascending order, where each glyph begins (its lowest bit: it is wide), and the rows.

BEGIN {
	FS = ":"
	count = bytes = 0
	print "/* Made by font.awk from GNU Unifont, which is free under the GNU GPL, version 2 or later, with its font exception. */"
	print "#include \"ui/font.h\""
	print "const uint8_t font_rows[] ="
}

# Without the private area, and without what is beyond 16 bits.
length($1) == 4 && ($1 < "D800" || $1 > "F8FF") {
	text = ""
	for (i = 1; i <= length($2); i += 2)
		text = text "\\x" substr($2, i, 2)
	print "\"" text "\""
	codes[count] = $1
	starts[count++] = bytes * 2 + (length($2) == 64)
	bytes += length($2) / 2
}

END {
	print ";\nconst uint16_t font_codes[] = {"
	for (i = 0; i < count; i++)
		print "0x" codes[i] ","
	print "};\nconst uint32_t font_starts[] = {"
	for (i = 0; i < count; i++)
		print starts[i] ","
	print "};\nconst unsigned font_count = " count + 0 ";"
}
