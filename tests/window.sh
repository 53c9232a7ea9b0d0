#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The window, on an X server of its own without a screen (Xvfb), driven by xdotool: keys and mouse arrive in the guest, the
# window's own keys do what they say, text consoles are written, read and selected, and the ends are clean.
calque=${CALQUE:-./calque}
sources=${srcdir:-.}/tests/guest
failed=0

skip()
{
	echo "SKIP: $*"
	exit 77
}

for program in Xvfb xdotool as ld; do
	command -v $program >/dev/null 2>&1 || skip "$program is not installed"
done
"$calque" -display help | grep -q '^sdl' || skip "this build has no window"

dir=$(mktemp -d) || exit 1
calque_pid=
server=
end()
{
	[ -z "$calque_pid" ] || kill "$calque_pid" 2>/dev/null
	[ -z "$server" ] || kill "$server" 2>/dev/null
	wait
	rm -rf "$dir"
}
trap end EXIT
# A test that hangs ends all the same.
trap 'exit 1' TERM INT

fail()
{
	echo "FAIL: $*"
	failed=1
}

# within SECONDS COMMAND...: until it succeeds.
within()
{
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# ---- the X server ----

unset WAYLAND_DISPLAY SDL_VIDEODRIVER
export XDG_STATE_HOME="$dir/state" HOME="$dir"
Xvfb -displayfd 3 -screen 0 1600x1200x24 -noreset -nolisten tcp 3>"$dir/display" >/dev/null 2>&1 &
server=$!
within 20 [ -s "$dir/display" ] || skip "Xvfb doesn't start"
DISPLAY=:$(cat "$dir/display")
export DISPLAY

window=
find_window()
{
	window=$(xdotool search --name 'calque' 2>/dev/null | head -n 1)
	[ -n "$window" ]
}

title_has()
{
	xdotool getwindowname "$window" 2>/dev/null | grep -qF -- "$1"
}

expect_title()
{
	within 10 title_has "$1" || fail "the title is '$(xdotool getwindowname "$window")', without '$1' ($2)"
}

is_running()
{
	kill -0 "$calque_pid" 2>/dev/null
}

is_gone()
{
	! is_running
}

# start ARGUMENT...: the window has the keyboard when this returns.
start()
{
	: >"$dir/serial"
	(cd "$dir" && exec timeout -k 5 300 "$calque" "$@" </dev/null >"$dir/out" 2>"$dir/err") &
	calque_pid=$!
	within 20 find_window || { fail "no window for $*: $(cat "$dir/err")"; exit 1; }
	xdotool windowfocus --sync "$window"
}

# The window manager's message, that this server has none to send.
cat >"$dir/close.c" <<'END'
#include <X11/Xlib.h>
#include <stdlib.h>
int
main(int argc, char **argv)
{
	Display *d = XOpenDisplay(NULL);
	XEvent e = { .xclient = { .type = ClientMessage, .format = 32 } };
	if (d == NULL || argc != 2)
		return 1;
	e.xclient.window = strtoul(argv[1], NULL, 0);
	e.xclient.message_type = XInternAtom(d, "WM_PROTOCOLS", False);
	e.xclient.data.l[0] = (long)XInternAtom(d, "WM_DELETE_WINDOW", False);
	XSendEvent(d, e.xclient.window, False, NoEventMask, &e);
	XCloseDisplay(d);
	return 0;
}
END
if xdotool help 2>&1 | grep -q windowquit; then
	close_window() { xdotool windowquit "$window"; }
elif ${CC:-cc} -o "$dir/close" "$dir/close.c" -lX11 2>/dev/null; then
	close_window() { "$dir/close" "$window"; }
else
	close_window() { false; }
fi

# ---- the guest: what it says of its keyboard and mouse ----

as --32 -o "$dir/keys.o" "$sources/keys.S" && ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$dir/keys.img" "$dir/keys.o" ||
	skip "no boot sector can be made"
truncate -s 1440K "$dir/keys.img"

serial_has()
{
	grep -qF -- "$1" "$dir/serial"
}

# expect BYTES WHAT: the guest gets them after the last forget.
expect()
{
	within 10 serial_tail_has "$1" || fail "$2: '$(tail -c +$((seen + 1)) "$dir/serial")' is not '$1'"
}

serial_tail_has()
{
	tail -c +$((seen + 1)) "$dir/serial" | grep -qF -- "$1"
}

forget()
{
	seen=$(wc -c <"$dir/serial")
}

start -m 32 "$dir/keys.img" -serial "file:$dir/serial" -nic none -name window-test
within 60 serial_has ready || fail "the guest doesn't begin: $(cat "$dir/err")"
expect_title "window-test - calque - running" "running"

# X's key codes are those of Linux plus 8.  Each with its make and break codes.
while read -r keycode codes; do
	forget
	xdotool key --clearmodifiers "$keycode"
	expect "$codes" "key code $keycode"
done <<'END'
Escape k01 k81
10 k02 k82
19 k0b k8b
20 k0c k8c
21 k0d k8d
22 k0e k8e
23 k0f k8f
24 k10 k90
34 k1a k9a
35 k1b k9b
36 k1c k9c
37 k1d k9d
38 k1e k9e
47 k27 ka7
48 k28 ka8
49 k29 ka9
50 k2a kaa
51 k2b kab
52 k2c kac
61 k35 kb5
62 k36 kb6
63 k37 kb7
64 k38 kb8
65 k39 kb9
66 k3a kba
66 k3a kba
67 k3b kbb
76 k44 kc4
77 k45 kc5
77 k45 kc5
78 k46 kc6
79 k47 kc7
83 k4b kcb
87 k4f kcf
90 k52 kd2
91 k53 kd3
94 k56 kd6
95 k57 kd7
96 k58 kd8
104 ke0 k1c ke0 k9c
105 ke0 k1d ke0 k9d
106 ke0 k35 ke0 kb5
108 ke0 k38 ke0 kb8
110 ke0 k47 ke0 kc7
111 ke0 k48 ke0 kc8
112 ke0 k49 ke0 kc9
113 ke0 k4b ke0 kcb
114 ke0 k4d ke0 kcd
115 ke0 k4f ke0 kcf
116 ke0 k50 ke0 kd0
117 ke0 k51 ke0 kd1
118 ke0 k52 ke0 kd2
119 ke0 k53 ke0 kd3
121 ke0 k20 ke0 ka0
122 ke0 k2e ke0 kae
123 ke0 k30 ke0 kb0
127 ke1 k1d k45 ke1 k9d kc5
133 ke0 k5b ke0 kdb
134 ke0 k5c ke0 kdc
135 ke0 k5d ke0 kdd
97 k73 kf3
100 k79 kf9
101 k70 kf0
102 k7b kfb
132 k7d kfd
148 ke0 k21 ke0 ka1
163 ke0 k6c ke0 kec
166 ke0 k6a ke0 kea
167 ke0 k69 ke0 ke9
171 ke0 k19 ke0 k99
172 ke0 k22 ke0 ka2
173 ke0 k10 ke0 k90
174 ke0 k24 ke0 ka4
180 ke0 k32 ke0 kb2
191 k64 ke4
END

# Nothing stays pressed when the focus goes.
forget
xdotool keydown shift keydown a
expect "k2a k1e " "keys that are held"
xdotool windowfocus "$(xdotool search --maxdepth 0 '' 2>/dev/null | head -n 1)" 2>/dev/null ||
	xdotool windowunmap "$window"
expect "k9e " "the focus is gone"
expect "kaa " "the focus is gone"
xdotool keyup a keyup shift
xdotool windowmap --sync "$window" windowfocus --sync "$window"

# The mouse: a click grabs, Ctrl-Alt-G releases.
xdotool mousemove --window "$window" 300 200 click 1
expect_title "press Ctrl-Alt-G to release" "grabbed"
forget
xdotool mousemove_relative --sync 10 5
expect "m28 m0a mfb " "a movement"
forget
xdotool click 3
expect "m0a m00 m00 m08 m00 m00 " "the right button"
xdotool key ctrl+alt+g
sleep 0.5
! title_has "release" || fail "Ctrl-Alt-G: still grabbed"

# The monitor; what stands there is selected with the mouse, and pasted into the guest.
xdotool key ctrl+alt+2
expect_title "monitor" "Ctrl-Alt-2"
xdotool type --delay 30 "info status"
xdotool key Return
xdotool type --delay 30 "info name"
xdotool key Return
sleep 0.5
xdotool key ctrl+alt+p
expect_title "paused" "Ctrl-Alt-P"
xdotool key ctrl+alt+p
expect_title "running" "Ctrl-Alt-P again"
# The third line: "VM status: running".
xdotool mousemove --window "$window" 4 40 mousedown 1 mousemove --window "$window" 70 40 mouseup 1
sleep 0.3
xdotool key ctrl+shift+c
sleep 0.3
xdotool key ctrl+alt+1
forget
xdotool key ctrl+alt+v
expect "k2a k2f kaf kaa k2a k32 kb2 kaa k39 kb9 k1f k9f k14 k94 " "paste of 'VM st...'"

sleep 1
forget
xdotool key ctrl+alt+d
expect "k1d k38 ke0 k53 ke0 kd3 kb8 k9d " "Ctrl-Alt-D"

# A picture of the screen.
xdotool key ctrl+alt+s
expect_title "saved as calque-" "Ctrl-Alt-S"
[ "$(head -c 4 "$dir"/calque-*.png | tail -c 3)" = PNG ] || fail "Ctrl-Alt-S: no picture"

# The window's size.
size()
{
	xdotool getwindowgeometry "$window" | sed -n 's/ *Geometry: //p'
}
has_size()
{
	[ "$(size)" = "$1" ]
}
normal=$(size)
doubled=$((${normal%x*} * 2))x$((${normal#*x} * 2))
xdotool key ctrl+alt+equal
within 10 has_size "$doubled" || fail "Ctrl-Alt-+: $(size) is not $doubled"
xdotool key ctrl+alt+u
within 10 has_size "$normal" || fail "Ctrl-Alt-U: $(size) is not $normal"
xdotool windowsize --sync "$window" 1000 700
forget
xdotool key a
expect "k1e k9e " "a key after a change of the size"

# Nothing changes: nothing is to be done.  The guest's own processor is the thread that takes the most.
ticks()
{
	cat /proc/"$child"/task/*/stat 2>/dev/null | awk '{ n = $14 + $15; all += n; if (n > most) most = n } END { print all - most }'
}
child=$(pgrep -P "$calque_pid" 2>/dev/null | head -n 1)
if [ -n "$child" ]; then
	sleep 3
	before=$(ticks)
	sleep 5
	spent=$(($(ticks) - before))
	[ $spent -le 10 ] || fail "an unchanged window takes $spent hundredths of a second in 5"
fi

# Closing asks first, and ends then.
if close_window; then
	expect_title "close again" "closed once"
	is_running || fail "closed once: ended at once"
	close_window
	within 10 is_gone || fail "closed twice: still running"
	wait "$calque_pid"
	status=$?
	[ $status -eq 0 ] || fail "closed twice: exit status $status: $(cat "$dir/err")"
else
	kill "$calque_pid"
fi
calque_pid=
[ ! -s "$dir/err" ] || fail "on standard error: $(cat "$dir/err")"

# ---- the start window ----

mkdir "$dir/images"
cp "$dir/keys.img" "$dir/images/keys.img"
start
xdotool key Escape
within 10 is_gone || fail "the start window: Esc doesn't close it"
wait "$calque_pid" || fail "the start window: exit status $?"
start
xdotool type --delay 30 "images"
sleep 0.3
xdotool key Return
sleep 0.3
xdotool key Return
calque_title()
{
	find_window && title_has "calque - running"
}
within 20 calque_title || fail "the start window doesn't start an image: $(cat "$dir/err")"
grep -q "images/keys.img\$" "$dir/state/calque/recent" || fail "what was started is not remembered"
kill "$calque_pid"
wait "$calque_pid"
calque_pid=

# An image that can't be started brings the start window.
: >"$dir/empty.img"
start -start-window "$dir/empty.img"
kill "$calque_pid"
within 10 is_gone || fail "-start-window: a signal doesn't end it"
wait "$calque_pid"
start -start-window "$dir/empty.img"
xdotool key Escape
within 10 is_gone || fail "-start-window: Esc doesn't close it"
wait "$calque_pid"
status=$?
[ $status -eq 1 ] && grep -q "is empty" "$dir/err" || fail "-start-window: exit status $status: $(cat "$dir/err")"
calque_pid=

# ---- full screen, by a window manager ----

if command -v openbox >/dev/null 2>&1; then
	openbox >/dev/null 2>&1 &
	manager=$!
	sleep 2
	start -m 32 -full-screen "$dir/keys.img" -serial "file:$dir/serial" -nic none
	has_size_of_screen() { [ "$(size)" = 1600x1200 ]; }
	within 10 has_size_of_screen || fail "-full-screen: $(size)"
	expect_title "press Ctrl-Alt-G to release" "-full-screen"
	xdotool key ctrl+alt+f
	has_left() { ! has_size_of_screen; }
	within 10 has_left || fail "Ctrl-Alt-F: still full screen"
	xdotool key ctrl+alt+f
	within 10 has_size_of_screen || fail "Ctrl-Alt-F again: $(size)"
	kill "$calque_pid"
	wait "$calque_pid"
	calque_pid=
	kill $manager
	wait $manager 2>/dev/null
fi

# ---- without a display ----

unset DISPLAY
timeout 20 "$calque" -m 16 </dev/null >"$dir/out" 2>"$dir/err"
status=$?
[ $status -eq 1 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -q -- "-nographic" "$dir/err" ||
	fail "without a display: exit status $status: $(cat "$dir/err")"
DISPLAY=:9999 timeout 20 "$calque" -m 16 </dev/null >"$dir/out" 2>"$dir/err"
status=$?
[ $status -eq 1 ] && [ "$(wc -l <"$dir/err")" -eq 1 ] && grep -q "window" "$dir/err" ||
	fail "with a display that isn't there: exit status $status: $(cat "$dir/err")"
timeout 20 "$calque" </dev/null >"$dir/out" 2>"$dir/err"
status=$?
[ $status -eq 0 ] && grep -q "usage: calque IMAGE" "$dir/out" || fail "short help: exit status $status"
exit $failed
