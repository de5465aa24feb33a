#!/usr/bin/env bash
#
# e2e_names.sh - end to end: whatever a Linux file system allows in a name arrives, under the key of
# the rule in finalize/upload/key.h, and the backend is told the true name and the true key.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# Name and key, in turn. The names are those of media files: their keys are the names, mapped.
long_name=12345_$(printf '%0245d' 0).mp4
# shellcheck disable=SC2016  # $ and ` are meant
names=(
	'12345_Совещание по понедельникам.mp4' '12345_Совещание по понедельникам.mp4'
	'12345_会議😀.mp4' '12345_会議😀.mp4'
	'12345_with  spaces .mp4' '12345_with  spaces .mp4'
	'12345_plus+percent%tilde~equals=.mp4' '12345_plus+percent%tilde~equals=.mp4'
	'12345_100%41 and %zz and %2f.mp4' '12345_100%2541 and %zz and %2f.mp4'
	'12345_hash#and&.mp4' '12345_hash#and&.mp4'
	"12345_it's.mp4" "12345_it's.mp4"
	'12345_what?.mp4' '12345_what%3F.mp4'
	'12345_"quoted".mp4' '12345_%22quoted%22.mp4'
	'12345_a:b*c<d>e|f!g\h.mp4' '12345_a%3Ab%2Ac%3Cd%3Ee%7Cf%21g%5Ch.mp4'
	'12345_$(id) `id` $HOME;{a,b}[x]^@.mp4' '12345_$(id) `id` $HOME;{a,b}[x]^@.mp4'
	$'12345_two\nlines.mp4' '12345_two%0Alines.mp4'
	$'12345_\t\e[31mred\x7f.mp4' '12345_%09%1B[31mred%7F.mp4'
	$'12345_not \xff utf-8 \xc3.mp4' '12345_not %FF utf-8 %C3.mp4'
	"$long_name" "$long_name"
)

# The reverse of the rule: each %XX of upper-case digits is its byte.
unmap() { perl -pe 's/%([0-9A-F]{2})/chr(hex($1))/ge' <<<"$1"; }

# No JSON holds a byte that isn't UTF-8.
in_json() { perl -pe 's/\xff|\xc3(?=\.)/\xef\xbf\xbd/g' <<<"$1"; }

make_all() {
	local i
	for ((i = 0; i < ${#names[@]}; i += 2)); do
		printf 'content of %d' "$i" >"$session/${names[i]}"
		cp "$session/${names[i]}" "$copies/$i"
	done
}

# expect_all DIRECTORY: it holds what was downloaded, named as the keys.
expect_all() {
	local i
	for ((i = 0; i < ${#names[@]}; i += 2)); do
		cmp "$1/${names[i + 1]}" "$copies/$i" || fail "not the bytes of ${names[i]@Q}"
	done
	expect "number of objects" $((${#names[@]} / 2)) "$(find "$1" -type f | wc -l)"
}

every_name_arrives() {
	local i
	make_all
	finalize "$session"
	expect_code 0
	expect_all_gone
	rclone_ copy ":s3:$bucket" "$case_dir/rclone"
	expect_all "$case_dir/rclone"
	aws_ s3 sync --only-show-errors "s3://$bucket" "$case_dir/aws"
	expect_all "$case_dir/aws"
	expect "accepted notices" $((${#names[@]} / 2)) "$(accepted_notices)"
	for ((i = 0; i < ${#names[@]}; i += 2)); do
		expect "key in the notice of ${names[i]@Q}" "${names[i + 1]}" \
			"$(jq -r --arg name "$(in_json "${names[i]}")" \
				'select(.body.fileName == $name)|.body.key' "$case_dir/backend.log")"
		expect "the key, reversed" "${names[i]}" "$(unmap "${names[i + 1]}")"
	done
}

every_name_arrives_below_a_session_of_any_name() {
	local i nested
	session=$recordings/$'-сессия? №1\n&+%41'
	nested=$session/$'a:b/\xfe c'
	mkdir -p "$nested"
	for ((i = 0; i < ${#names[@]}; i += 2)); do
		printf 'log %d' "$i" | tee "$copies/$i" >"$nested/${names[i]%.mp4}"
	done
	finalize CONFOMEET_NOTICE=off "$session"
	expect_code 0
	expect_all_gone
	rclone_ copy ":s3:$bucket" "$case_dir/rclone"
	for ((i = 0; i < ${#names[@]}; i += 2)); do
		cmp "$case_dir/rclone/-сессия%3F №1%0A&+%2541/a%3Ab/%FE c/${names[i + 1]%.mp4}" "$copies/$i" ||
			fail "not the bytes of ${names[i]@Q}"
	done
	expect "number of objects" $((${#names[@]} / 2)) "$(keys | wc -l)"
}

a_name_with_a_leading_dash_arrives() {
	printf abc | tee "$copies/a" >"$session/-rf.mp4"
	printf def >"$session/--version"
	(cd "$session" && finalize CONFOMEET_NOTICE=off "$session" && expect_code 0)
	expect keys "-rf.mp4 nzqxnaoiugxqlhbp/--version" "$(keys | paste -s -d ' ')"
	expect_object -rf.mp4 "$copies/a"
}

a_session_that_looks_like_an_option_can_be_named() {
	mkdir "$recordings/--help"
	printf abc >"$recordings/--help/1_a.mp4"
	cd "$recordings"
	finalize -- --help
	expect_code 0
	expect keys 1_a.mp4 "$(keys)"
	mkdir check
	printf abc >check/1_b.mp4
	finalize ./check/
	expect_code 0
	expect keys "1_a.mp4 1_b.mp4" "$(keys | paste -s -d ' ')"
	expect "sessions left" "${session##*/}" "$(ls)"
}

run every_name_arrives
run every_name_arrives_below_a_session_of_any_name
run a_name_with_a_leading_dash_arrives
run a_session_that_looks_like_an_option_can_be_named
end_of_cases
