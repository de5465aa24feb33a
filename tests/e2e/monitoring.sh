#!/usr/bin/env bash
#
# monitoring.sh - config/monitoring with the real thing: promtool judges rules and metrics, and a
# Prometheus scrapes a watcher. Every metric that rules and dashboard ask for is there.
#
#   E2E_BUILD=build/test tests/e2e/monitoring.sh

set -euo pipefail
# shellcheck source=tests/e2e/status.sh
. "$(dirname "${BASH_SOURCE[0]}")/status.sh"
need promtool prometheus curl jq sqlite3
monitoring=$source_dir/config/monitoring
dashboard=$monitoring/grafana-dashboard.json

promtool check rules "$monitoring/alerts.yml" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
(cd "$monitoring" && promtool test rules alerts_test.yml) >"$work/log" 2>&1 || fail "$(cat "$work/log")"
(cd "$monitoring" && promtool check config prometheus.yml) >"$work/log" 2>&1 || fail "$(cat "$work/log")"
ok "the rules and the scrape example are valid, and each alert fires when it should and not before"

while IFS= read -r alert; do
	grep -q "alertname: $alert\$" "$monitoring/alerts_test.yml" || fail "$alert has no test"
done < <(sed -n 's/^ *- alert: //p' "$monitoring/alerts.yml")
ok "each alert has a test"

# A recorder that has done something.
make_journal 60
start_sink
write_settings "$s3"
make_session s 20
finalize "$session"
[ "$code" = 0 ] || fail "$(cat "$work/finalize.log")"
start_watcher "$s3"
curl -sf "$url/metrics" >"$work/metrics" || fail "no metrics"
promtool check metrics <"$work/metrics" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
[ ! -s "$work/log" ] || fail "$(cat "$work/log")"
ok "promtool has nothing to say against the metrics"

# value METRIC{LABELS} - of a sample, as it stands in the text.
value() { sed -n "s/^$1 //p" "$work/metrics"; }
instance='instance_id="jibri-7"'
[ "$(value "jibri_upload_finalize_duration_seconds_count{$instance,result=\"safe\"}")" = 1 ] || fail "the run was not counted"
[ "$(value "jibri_upload_s3_requests_total{$instance,operation=\"UploadPart\",outcome=\"done\"}")" = 3 ] || fail "parts"
[ "$(value "jibri_upload_sent_bytes_total{$instance}")" -ge $((20 * 1048576)) ] || fail "bytes"
[ "$(value "jibri_upload_recordings{$instance,state=\"failed\"}")" = 2 ] || fail "failed recordings"
ok "what Jibri's call has done is in the watcher's metrics"

prometheus_port=$(free_port)
sed -e "s/scrape_interval: .*/scrape_interval: 1s/; s/evaluation_interval: .*/evaluation_interval: 1s/" \
	-e "s/jibri-1.example.org:9469/${url#http://}/; /jibri-2.example.org/d" "$monitoring/prometheus.yml" >"$work/prometheus.yml"
cp "$monitoring/alerts.yml" "$work/"
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/tsdb" --log.level=error \
	--web.listen-address="127.0.0.1:$prometheus_port" >"$work/prometheus.log" 2>&1 &
ask() { curl -sf --data-urlencode "query=$1" "http://127.0.0.1:$prometheus_port/api/v1/query"; }
scraped() { [ "$(ask 'count_over_time(jibri_upload_build_info[1m])' | jq -r '.data.result[0].value[1] // 0')" -ge 3 ]; }
wait_for 60 scraped || fail "Prometheus does not scrape it: $(cat "$work/prometheus.log")"
ok "Prometheus scrapes the watcher"

curl -sf "http://127.0.0.1:$prometheus_port/api/v1/label/__name__/values" | jq -r '.data[]' | sort >"$work/there"
{
	sed 's/#.*//' "$monitoring/alerts.yml"
	jq -r '.. | (.expr? // empty), (.definition? // empty)' "$dashboard"
} | grep -o 'jibri_upload_[a-z0-9_]*' | sort -u >"$work/asked"
[ "$(wc -l <"$work/asked")" -ge 15 ] || fail "only $(wc -l <"$work/asked") metrics are asked for"
missing=$(comm -23 "$work/asked" "$work/there")
[ -z "$missing" ] || fail "asked for, and not there: $missing"
ok "every metric that rules and dashboard ask for is there"

sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$work/metrics" | while IFS= read -r metric; do
	grep -qE "^$metric(_bucket|_count|_sum)?\$" "$work/asked" || echo "$metric"
done >"$work/unasked"
[ ! -s "$work/unasked" ] || fail "no rule or panel shows $(paste -sd ' ' "$work/unasked")"
ok "every metric is on the dashboard or in a rule"

# gives EXPRESSION - a value; after a scrape that took too long there is none until the next one.
gives() { ask "$1" | jq -e '.data.result | length > 0'; }

while IFS= read -r expression; do
	# shellcheck disable=SC2016  # Grafana's variable
	expression=${expression//'$instance_id'/.*}
	ask "${expression% > 0}" >/dev/null || fail "Prometheus refuses: $expression"
	wait_for 60 gives "${expression% > 0}" || fail "nothing comes of: $expression"
done < <(jq -r '.. | .expr? // empty' "$dashboard")
ok "every expression of the dashboard gives something"

fires() { curl -sf "http://127.0.0.1:$prometheus_port/api/v1/alerts" | jq -e --arg name "$1" '.data.alerts[] | select(.labels.alertname == $name)'; }
wait_for 60 fires JibriRecordingNeedsPerson || fail "the alert does not come up"
! fires JibriWatcherGone >/dev/null || fail "the watcher is not gone"
stop_watcher
wait_for 60 fires JibriWatcherGone || fail "no alert says that the watcher is gone"
ok "the alerts come up in it"
