#!/usr/bin/env bash
#
# backend.sh - the stand-in for the backend keeps the contract, and fails as it is told to.
#
#   tests/e2e/backend.sh PATH-OF-backend-stand-in

set -euo pipefail

program=$1
work=$(mktemp -d)
log=$work/log
pid=''
failures=0
api=api/v1/Recording/AddS3VideoRecording
valid='{"meetingId":12345,"fileName":"12345_x.mp4","fileSize":5000000000,"bucket":"b","key":"k"}'

stop() {
	[ -n "$pid" ] || return 0
	local code=0
	kill "$pid"
	wait "$pid" || code=$?
	pid=''
	expect 'SIGTERM ends it in order' 0 "$code"
}
trap 'stop >/dev/null 2>&1; rm -rf "$work"' EXIT

# start ARGUMENTS: a new stand-in with an empty log.
start() {
	stop
	rm -f "$log"
	mkfifo "$work/ready"
	"$program" --log "$log" "$@" >"$work/ready" &
	pid=$!
	read -r ready <"$work/ready"
	rm "$work/ready"
	base=http://127.0.0.1:${ready#port=}/meet
}

# post [BODY [CURL-ARGUMENTS]]: sends a notice; its status and curl's exit code go to `got`.
post() {
	local code=0
	got=$(curl -s --noproxy '*' --max-time "${limit:-5}" -o "$work/reply" -D "$work/headers" -w '%{http_code}' \
		-H "Content-Type: ${type:-application/json}" --data-binary "${1-$valid}" "${@:2}" "$base/$api") || code=$?
	got+=" $code"
}

expect() {
	[ "$2" = "$3" ] && return
	echo "FAILED: $1: expected '$2', got '$3'"
	failures=$((failures + 1))
}

reply() { jq -c "$1" <"$work/reply"; }
logged() { jq -c "$1" <"$log" | tail -n 1; }

start
post "$valid" -H 'Idempotency-Key: abc' -H 'Authorization: Bearer secret'
expect 'a valid notice is accepted' '200 0' "$got"
expect 'the answer has the real shape' '{"id":1,"result":true,"code":0,"message":[]}' "$(reply .)"
expect 'the request is logged' \
	"[\"POST\",\"/meet/$api\",200,true,1,\"abc\",true,\"application/json\",5000000000]" \
	"$(logged '[.method,.path,.status,.accepted,.id,.headers["idempotency-key"],.headers.authorization,.headers["content-type"],.body.fileSize]')"
expect 'no secret is logged' '' "$(grep secret "$log" || true)"
post
expect 'a notice that is sent again gets another row' '2' "$(reply .id)"

# body | the members of "errors", sorted
while IFS='|' read -r change errors; do
	post "$(jq -c "$change" <<<"$valid")"
	expect "$change" "400 0 $errors" "$got $(reply '.errors|keys' | tr -d '[]"')"
	expect "$change is not accepted" '[400,false,null]' "$(logged '[.status,.accepted,.id]')"
done <<'END'
del(.meetingId)|meetingId
.meetingId = "12345"|meetingId
.meetingId = 1.5|meetingId
.meetingId = 2147483648|meetingId
del(.fileName)|fileName
.fileName = ""|fileName
.fileName = 5|fileName
.fileSize = "5"|fileSize
.fileSize = -1|fileSize
.fileSize = null|fileSize
del(.bucket)|bucket
del(.key)|key
{}|bucket,fileName,fileSize,key,meetingId
[]|$
END
post '{"meetingId":12a45}'
expect 'broken JSON is refused' '400 0 ["$"]' "$got $(reply '.errors|keys')"
expect 'broken JSON is logged as it came' '"{\"meetingId\":12a45}"' "$(logged .body)"
post ''
expect 'an empty body is refused' '400 0' "$got"
post $'{"meetingId":1,"key":"\xff"}'
expect 'bytes that are not UTF-8 are refused' '400 0' "$got"
post "{\"meetingId\":1,${valid#\{}"
expect 'a member that is there twice is refused' '400 0' "$got"
post "$(head -c 70000 /dev/zero | tr '\0' x)"
expect 'a huge body is refused' '413 0' "$got"
type=text/plain
post
expect 'another content type is refused' '415 0' "$got"
type='application/json; charset=utf-8'
post
expect 'a content type with a character set is fine' '200 0' "$got"
type=''
post "$valid" -X PUT
expect 'another method is refused' '405 0' "$got"
base="$base/elsewhere?"
post
expect 'another path is not found' '404 0' "$got"

# fault | status and curl's exit code | status, accepted and row in the log | a header of the reply
limit=0.5
while IFS='|' read -r fault expected_got expected_log header; do
	start --fail "$fault:1"
	post '{}'
	expect "$fault: an invalid notice is refused as ever" '400 0' "$got"
	post
	expect "$fault" "$expected_got" "$got"
	expect "$fault: log" "$expected_log" "$(logged '[.status,.accepted,.id]')"
	[ -z "$header" ] || expect "$fault: $header" 0 "$(grep -q "^$header" "$work/headers"; echo $?)"
	post
	expect "$fault: the next one is accepted" '200 0' "$got"
done <<'END'
500|500 0|[500,false,null]|Content-Type: application/problem+json
400|400 0|[400,false,null]|Content-Type: application/problem+json
301|301 0|[301,false,null]|Location: https://127.0.0.1:.*/meet/api/v1/Recording/AddS3VideoRecording
401|401 0|[401,false,null]|WWW-Authenticate: Bearer
404|404 0|[404,false,null]|Content-Type: application/problem+json
503|503 0|[503,false,null]|Retry-After: 1
hang|000 28|[0,false,null]|
hang-after-accept|000 28|[0,true,1]|
reset|000 56|[0,false,null]|
reset-after-accept|000 56|[0,true,1]|
garbage|200 0|[200,false,null]|Content-Type: text/html
id0|200 0|[200,false,null]|Content-Type: application/json
END

start --fail 503:1 --fail 500:2 --fail id0
statuses=''
for _ in 1 2 3 4 5; do
	post
	statuses+="${got% *} "
done
expect 'faults are worked off in turn' '503 500 500 200 200 ' "$statuses"
expect 'a fault without a count goes on' 0 "$(reply .id)"

port=${base#http://127.0.0.1:}
port=${port%/meet}
start --port "$port"
post
expect 'a port can be used again at once' "port=$port 200 0" "$ready $got"
expect 'a fault that does not exist is an error' 1 "$("$program" --fail 599 2>/dev/null; echo $?)"
stop

[ "$failures" = 0 ] || exit 1
echo "the stand-in keeps the contract"
