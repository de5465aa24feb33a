#!/usr/bin/env bash
#
# status_http.sh - the watcher over HTTP, as curl and less polite peers see it: headers, limits, who
# may read, a port that is taken, memory and processor time.
#
#   E2E_BUILD=build/test tests/e2e/status_http.sh

set -euo pipefail
# shellcheck source=tests/e2e/status.sh
. "$(dirname "${BASH_SOURCE[0]}")/status.sh"
need curl jq sqlite3 python3

status() { curl -s -o /dev/null -w '%{http_code}' --max-time 20 "$@"; }
expect() { [ "$2" = "$3" ] || fail "$1: expected $2, got $3"; }

# raw TEXT - what comes back when exactly this is sent.
raw() {
	local host=${url#http://}
	exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
	printf "%b" "$1" >&3
	timeout 3 cat <&3 || true
	exec 3>&-
}

make_journal 1000
start_watcher CONFOMEET_STATUS_TOKEN=let-me-see
auth='Authorization: Bearer let-me-see'

curl -s -i "$url/" >"$work/reply"
for header in "Content-Security-Policy: default-src 'none'; script-src 'self';" 'X-Content-Type-Options: nosniff' \
	'Referrer-Policy: no-referrer' 'Cache-Control: no-store' 'X-Frame-Options: DENY'; do
	grep -qiF "$header" "$work/reply" || fail "no $header"
done
for path in / /page.js /metrics /nothing; do
	expect "HEAD $path" "$(status "$url$path")" "$(status -I "$url$path")"
done
expect "length of HEAD" "$(curl -s "$url/page.js" | wc -c)" "$(curl -sI "$url/page.js" | tr -d '\r' | sed -n 's/^Content-Length: //p')"
expect "a connection for two" 1 "$(curl -s -o /dev/null -o /dev/null -w '%{num_connects}\n' "$url/healthz" "$url/healthz" | awk '{ sum += $1 } END { print sum }')"
ok "answers carry the headers that protect a browser, and connections are kept"

expect POST 405 "$(status -X POST -d x "$url/")"
expect DELETE 405 "$(status -X DELETE "$url/api/v1/recordings/1")"
grep -qi '^Allow: GET, HEAD' <(curl -s -i -X PUT "$url/metrics") || fail "no Allow"
expect "GET with a body" 400 "$(status -X GET -d x "$url/healthz")"
for path in '/..%2f..%2fetc/passwd' '/../../etc/passwd' '/page.js%00' '/%2e%2e/page.js' '//page.js' '/api/v1/recordings/1/../2'; do
	expect "$path" 404 "$(status --path-as-is -H "$auth" "$url$path")"
done
expect "a wrong parameter" 400 "$(status -H "$auth" "$url/api/v1/recordings?limit=all")"
ok "nothing but GET and HEAD is taken, and no path leads elsewhere"

expect "metrics without the token" 401 "$(status "$url/metrics")"
expect "with a wrong one" 401 "$(status -H 'Authorization: Bearer let-me-sea' "$url/metrics")"
expect "with it" 200 "$(status -H "$auth" "$url/metrics")"
expect "health without it" 200 "$(status "$url/healthz")"
grep -qi '^WWW-Authenticate: Bearer' <(curl -s -i "$url/api/v1/recordings") || fail "no WWW-Authenticate"
for path in / /page.js /metrics /readyz /api/v1/recordings /api/v1/recordings/1; do
	! curl -s -i -H "$auth" "$url$path" | grep -qE 'let-me-see|do-not-show-this' || fail "a secret in $path"
done
ok "where a token is set, recordings and metrics need it, and no answer holds a secret"

expect "of 1,000" '[1000,100,"s1000"]' "$(curl -s -H "$auth" "$url/api/v1/recordings" |
	jq -c '[([.summary.recordings[]] | add), (.recordings | length), .recordings[0].session]')"
expect "the last page" 50 "$(curl -s -H "$auth" "$url/api/v1/recordings?limit=200&offset=950" | jq '.recordings | length')"
expect "one" '["s17","safe",2]' "$(curl -s -H "$auth" "$url/api/v1/recordings/17" | jq -c '[.recording.session, .recording.state, (.events | length)]')"
env -i PATH="$PATH" "$program" --config "$work/finalize.env" status --json >"$work/cli.json" || true
expect "the same as status --json" "$(jq -c '[.recordings[] | select(.id == 17)] | map(del(.worker))' "$work/cli.json")" \
	"$(curl -s -H "$auth" "$url/api/v1/recordings/17" | jq -c '[.recording] | map(del(.worker))')"
ok "recordings come in pages, and as status --json has them"

long=$(printf 'a%.0s' {1..20000})
expect "a long head" 431 "$(status -H "X: $long" "$url/healthz")"
expect "a long path" 414 "$(status "$url/$long")"
raw 'nonsense\r\n\r\n' >/dev/null
raw 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n' >/dev/null
raw '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' >/dev/null
expect "after that" 200 "$(status "$url/healthz")"
ok "heads that are too long or no HTTP are refused"

# 60 peers that say nothing more, from one address: others are served nevertheless.
python3 -B - "${url#http://}" <<'P' || fail "idle peers"
import socket, sys, time, urllib.request
host, port = sys.argv[1].split(":")
idle = []
for _ in range(60):
    peer = socket.create_connection((host, int(port)))
    peer.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
    idle.append(peer)
elsewhere = socket.create_connection((host, int(port)), source_address=("127.0.0.5", 0))
elsewhere.settimeout(10)
elsewhere.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
assert b"alive" in elsewhere.recv(4096), "another address isn't served"
closed = 0
until = time.time() + 25
for peer in idle:
    peer.settimeout(max(0.1, until - time.time()))
    try:
        closed += not peer.recv(4096) or 1
    except ConnectionResetError:
        closed += 1
assert closed >= 60, "only %d of 60 were closed" % closed
# The server counts a peer's connections for a moment after it has closed them.
until = time.time() + 25
while True:
    try:
        assert urllib.request.urlopen("http://%s:%s/healthz" % (host, port), timeout=10).read() == b"alive\n"
        break
    except OSError: # URLError, a reset
        assert time.time() < until, "the address isn't served any more"
        time.sleep(0.1)
P
ok "peers that say nothing are sent away, and keep nobody else out"

for _ in {1..100}; do
	curl -s -H "$auth" "$url/api/v1/recordings?limit=200" "$url/metrics" >/dev/null
done
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$watcher_pid/status")
if [ -z "${SANITIZED:-}" ]; then
	[ "$peak" -lt 24576 ] || fail "$peak KiB of memory"
	ticks() { awk '{ print $14 + $15 }' "/proc/$watcher_pid/stat"; }
	before=$(ticks)
	sleep 5
	used=$(($(ticks) - before))
	[ "$used" -le $(($(getconf CLK_TCK) * 25 / 100)) ] || fail "$used ticks in 5 idle seconds"
	ok "with 1,000 recordings it takes $((peak / 1024)) MiB at most, and is idle when nobody asks"
fi
stop_watcher

# A port that is taken.
port=$(free_port)
python3 -B -c 'import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print(flush=True); time.sleep(600)' "$port" >"$work/taken" &
taker=$!
wait_for 10 test -s "$work/taken" || fail "the port is not taken"
write_settings "CONFOMEET_STATUS_LISTEN=127.0.0.1:$port"
launch_watcher
wait_for 10 grep -q "cannot listen on 127.0.0.1:$port .*in use" "$work/watcher.log" || fail "$(cat "$work/watcher.log")"
wait_for 10 grep -q watching "$work/watcher.log" || fail "it does not go on: $(cat "$work/watcher.log")"
kill "$taker"
wait "$taker" || true
sleep 1
kill -0 "$watcher_pid" || fail "the watcher has ended"
stop_watcher
ok "a port that is taken is said, and the watcher goes on without it"

start_watcher
expect "another's name" 421 "$(status -H 'Host: evil.example' "$url/metrics")"
for host in "localhost:${url##*:}" jibri:9469 "$(hostname)" 192.0.2.7:9469 '[2001:db8::1]:9469'; do
	expect "$host" 200 "$(status -H "Host: $host" "$url/metrics")"
done
stop_watcher
ok "a page whose name resolves to this machine reads nothing, and Prometheus reads by address and name"

write_settings CONFOMEET_STATUS_LISTEN=off
launch_watcher
wait_for 10 grep -q watching "$work/watcher.log" || fail "$(cat "$work/watcher.log")"
! grep -q 'status page' "$work/watcher.log" || fail "it is not off"
stop_watcher
write_settings "CONFOMEET_STATUS_LISTEN=[::]:$port"
launch_watcher
wait_for 10 grep -q 'warning: .*CONFOMEET_STATUS_TOKEN' "$work/watcher.log" || fail "no warning: $(cat "$work/watcher.log")"
if wait_for 5 grep -q 'status page and metrics at' "$work/watcher.log"; then # else: no IPv6 here
	expect "IPv6" 200 "$(status "http://[::1]:$port/healthz")"
fi
# Settings that are read again: another port.
other=$(free_port)
write_settings "CONFOMEET_STATUS_LISTEN=127.0.0.1:$other"
kill -HUP "$watcher_pid"
wait_for 10 curl -sf "http://127.0.0.1:$other/healthz" || fail "it does not listen there: $(cat "$work/watcher.log")"
echo CONFOMEET_RETRY_MIN=nonsense >>"$work/finalize.env"
kill -HUP "$watcher_pid"
not_ready() { [ "$(status "http://127.0.0.1:$other/readyz")" = 503 ]; }
wait_for 10 not_ready || fail "wrong settings, and it is ready"
stop_watcher
ok "it can be off, on IPv6 and elsewhere, and says when it cannot use its settings"
