#!/usr/bin/env bash
#
# ffmpeg.sh - the ffmpeg that stands before the real one: which calls it adds the fragments' arguments
# to, and whom it becomes.
#
#   tests/e2e/ffmpeg.sh BUILD/finalize/ffmpeg/ffmpeg

set -euo pipefail

wrapper=$(readlink -f "${1:?usage: ffmpeg.sh PROGRAM}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
mkdir "$work"/{first,again,real,empty}
ln -s "$wrapper" "$work/first/ffmpeg"
cp "$wrapper" "$work/again/ffmpeg"
printf '#!/bin/sh\nprintf "<%%s>" "$@"\nexit 42\n' >"$work/real/ffmpeg"
chmod +x "$work/real/ffmpeg"
added='<-flush_packets><1><-movflags><+empty_moov+default_base_moof><-frag_duration><1000000>'

# is SENTENCE EXPECTED ARG...: what the real one is called with.
is() {
	local sentence=$1 expected=$2 found code=0
	shift 2
	found=$(PATH=${path:-$work/first:$work/real:/usr/bin:/bin} "$work/first/ffmpeg" "$@" 2>&1) || code=$?
	if [ "$found" = "$expected" ] && [ "$code" = "${expected_code:-42}" ]; then
		echo "ok - $sentence"
	else
		printf 'not ok - %s\n    expected %s\n    got      %s (exit code %s)\n' "$sentence" "$expected" "$found" "$code"
		failures=$((failures + 1))
	fi
}

is "a recording is written in fragments" "<-y><-f><x11grab><-i><:0.0+0,0><-f><alsa><-i><plug:bsnoop><-c:v><libx264><-f><mp4>$added</r/1_a b.mp4>" \
	-y -f x11grab -i :0.0+0,0 -f alsa -i plug:bsnoop -c:v libx264 -f mp4 "/r/1_a b.mp4"
is "another format is not" "<-i><a><-f><flv><rtmp://x/y>" -i a -f flv rtmp://x/y
is "nor another file" "<-i><a><-f><mp4></r/1.mkv>" -i a -f mp4 /r/1.mkv
is "nor one whose format is not said" "<-f><mp4><-i><a></r/1.mp4>" -f mp4 -i a /r/1.mp4
is "flags that are given stay alone" "<-i><a><-f><mp4><-movflags><faststart></r/1.mp4>" -i a -f mp4 -movflags faststart /r/1.mp4
is "a call without arguments is passed on" "<>"
is "so is a question" "<-version>" -version
CONFOMEET_CRASH_SAFE=off is "it can be switched off" "<-i><a><-f><mp4></r/1.mp4>" -i a -f mp4 /r/1.mp4
path=$work/first:$work/again:$work/first:$work/real is "a second one in PATH adds nothing and comes to the real one" \
	"<-i><a><-f><mp4>$added</r/1.mp4>" -i a -f mp4 /r/1.mp4
path=$work/first:$work/again:$work/empty expected_code=127 is "where there is no real one it ends" \
	"ffmpeg: no other ffmpeg than jibri-finalize's is in PATH" -i a -f mp4 /r/1.mp4
[ "$failures" = 0 ]
