#!/usr/bin/env bash
#
# webhook.sh - events of recordings, delivered to a receiver that checks them, by Jibri's call and by
# the watcher.
#
#   E2E_BUILD=build/test tests/e2e/webhook.sh

set -euo pipefail
# shellcheck source=tests/e2e/status.sh
. "$(dirname "${BASH_SOURCE[0]}")/status.sh"
need python3 curl jq sqlite3

log=$work/events
: >"$log"
echo 200 >"$work/answer"
start_sink
start_ready receiver python3 -B "$source_dir/tests/tools/webhook_receiver.py" "$log" "$work/answer" s3cr3t
settings=("$s3" "CONFOMEET_WEBHOOK_URL=http://127.0.0.1:$port/hook" CONFOMEET_WEBHOOK_SECRET=s3cr3t)

# events FILTER - of all requests that came, by jq.
events() { jq -c "$@" "$log"; }
names() { events -r 'select(.answer == "200") | .event.event' | tr '\n' ' '; }
waiting() { [ "$(sql 'SELECT count(*) FROM webhook')" = "$1" ]; }

write_settings "${settings[@]}"
make_session one 21
finalize "$session"
[ "$code" = 0 ] || fail "$(cat "$work/finalize.log")"
[ "$(names)" = "recording.uploaded " ] || fail "events: $(names)"
[ "$(events '[.genuine, .type, .key == .event.id]')" = '[true,"application/json",true]' ] || fail "$(cat "$log")"
[ "$(events '.event | [.version, .instance, .session, .meeting, .complete, .bucket, .error]')" = \
	'[2,"jibri-7","one","12345",true,"recordings",null]' ] || fail "$(cat "$log")"
[ "$(events -r '.event.files[] | [.path, .key, .size_bytes, .media] | @tsv' | LC_ALL=C sort)" = "$(
	printf '%s\t%s\t%s\t%s\n' 12345_2026-11-24-10-00-03.mp4 12345_2026-11-24-10-00-03.mp4 $((21 * 1048576)) true \
		metadata.json one/metadata.json "$(events '.event.files[] | select(.media | not).size_bytes')" false
)" ] || fail "files: $(events '.event.files')"
! grep -q do-not-show-this "$log" || fail "a secret in an event"
waiting 0 || fail "it is still in the journal"
ok "Jibri's call tells of a recording, signed, with size and key of each object"

finalize "$session"
[ "$(names)" = "recording.uploaded " ] || fail "it was told twice: $(names)"
ok "what is told is not told again"

echo hang >"$work/answer"
make_session two 1
SECONDS=0
finalize "$session"
[ "$code" = 0 ] || fail "$(cat "$work/finalize.log")"
[ "$SECONDS" -lt 20 ] || fail "it held Jibri for $SECONDS s"
[ ! -e "$session" ] || fail "the disk isn't freed"
waiting 1 || fail "the event is lost"
ok "a receiver that does not answer neither holds Jibri for long nor fails the recording"

# A name without a meeting's number: the backend can't be told of it until a person helps.
echo 200 >"$work/answer"
write_settings "${settings[@]}" CONFOMEET_NOTICE=on CONFOMEET_BASE_URL=http://127.0.0.1:9
make_session three 1
mv "$session"/*.mp4 "$session/nameless.mp4"
finalize "$session"
[ "$code" = 1 ] || fail "$(cat "$work/finalize.log")"
[ "$(names)" = "recording.uploaded recording.failed " ] || fail "events: $(names)"
[[ $(events -r 'select(.event.event == "recording.failed").event.error') == *'meeting id'* ]] || fail "no reason"
finalize "$session"
[ "$(names)" = "recording.uploaded recording.failed " ] || fail "failed twice: $(names)"
write_settings "${settings[@]}"
finalize "$session"
[ "$code" = 0 ] || fail "$(cat "$work/finalize.log")"
[ "$(names)" = "recording.uploaded recording.failed recording.recovered recording.uploaded " ] || fail "events: $(names)"
ok "a failure is told once, and so is its end"

echo 500 >"$work/answer"
sql "UPDATE webhook SET next_try_at = 1"
start_watcher "${settings[@]}"
answered_500() { [ "$(events 'select(.answer == "500")' | wc -l)" -ge 1 ]; }
wait_for 20 answered_500 || fail "the watcher does not try: $(cat "$work/watcher.log")"
# The request is logged before it is answered, and the row changed after that.
later() { [ "$(sql "SELECT next_try_at > unixepoch() + 5 AND last_error <> '' FROM webhook")" = 1 ]; }
wait_for 10 later || fail "it is not put off: $(sql 'SELECT id, tries, next_try_at, last_error FROM webhook')"
echo 200 >"$work/answer"
sql "UPDATE webhook SET next_try_at = 1"
wait_for 30 waiting 0 || fail "the watcher does not deliver: $(cat "$work/watcher.log")"
[ "$(events -r 'select(.answer == "200").event.session' | tail -1)" = two ] || fail "$(cat "$log")"
[ "$(events -r 'select(.event.session == "two").event.id' | sort -u | wc -l)" = 1 ] || fail "its id is another each time"
[ "$(events 'select(.genuine | not)' | wc -l)" = 0 ] || fail "a signature is wrong"
curl -sf "$url/metrics" >"$work/metrics"
grep -q '^jibri_upload_webhook_events_total{instance_id="jibri-7",outcome="delivered"} 5$' "$work/metrics" ||
	fail "$(grep webhook "$work/metrics")"
ok "the watcher delivers what waits, later and later, with the same id"

stop_watcher
! grep -q s3cr3t "$work/watcher.log" "$work/finalize.log" "$journal" || fail "the secret is in a log or in the journal"
ok "the secret is nowhere"
