#!/usr/bin/env bash
#
# image.sh - builds Dockerfile.jibri on a stand-in of the base image, and starts the result.
#
#   E2E_BUILD=build/test tests/image/image.sh bullseye|trixie [PATTERN]
#
#   bullseye  as stable-9364-1: s6-overlay 1.22, root, Jibri as the user jibri
#   trixie    as the images of 2026: s6-overlay 3 with s6-rc, one user s6 and no root, a read-only
#             root file system
#
# The stand-in is a minimal Debian of that release with tests/image/ in it. What is real: the release's
# packages, the Dockerfile's build, s6's supervision, the containers (runc), the S3 server. What isn't:
# Chrome, Java and Jibri, and the overlays' own init. Needs root.
#
#   IMAGE_CACHE   where the Debians and the images are kept  (/var/tmp/jibri-finalize-image)
#   PATTERN       only the cases whose name matches

set -euo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/image/own_root.sh
. "$(dirname "${BASH_SOURCE[0]}")/own_root.sh"

tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/e2e/e2e.sh
. "$tests/e2e/e2e.sh"
top=$(dirname "$tests")
release=${1:?bullseye or trixie}
pattern=${2:-}
cache=${IMAGE_CACHE:-/var/tmp/jibri-finalize-image}
work=$(mktemp -d /var/tmp/jibri-finalize-image-test.XXXXXX)
image=localhost/jibri-finalize-test:$release
failures=0

case $release in
bullseye)
	base=docker.io/jitsi/jibri:stable-9364-1
	user=jibri conf=/etc/jitsi/jibri/jibri.conf volume=/config
	arguments=()
	;;
trixie)
	base=ghcr.io/jitsi/jibri:stand-in
	user=s6 conf=/run/jibri/config/jibri.conf volume=/storage
	arguments=(--build-arg JITSI_IMAGE=ghcr.io/jitsi/jibri --build-arg JITSI_IMAGE_VERSION=stand-in
		--build-arg JIBRI_USER=s6)
	;;
*) echo "image.sh: bullseye or trixie, not $release" >&2; exit 64 ;;
esac
recordings=$volume/recordings

missing=''
for tool in buildah podman runc mmdebstrap docker-compose go radosgw rclone jq; do
	command -v "$tool" >/dev/null || missing+=" $tool"
done
if [ -n "$missing" ] || [ "$(id -u)" != 0 ]; then
	echo "not root, or not installed:$missing; run scripts/install-deps image"
	[ -z "${CI:-}" ] || exit 1
	exit 77
fi

limits=(--ulimit nofile=4096:4096 --ulimit nproc=4096:4096)
store=(--root "$cache/store" --runroot "$cache/run" --storage-driver overlay)
pod() {
	podman "${store[@]}" --cgroup-manager cgroupfs --events-backend file --runtime runc "$@"
}

cleanup() {
	pod ps -a -q --filter "label=test=$release" | xargs -r podman "${store[@]}" --cgroup-manager cgroupfs \
		--events-backend file --runtime runc rm -f -t 0 >/dev/null 2>&1 || true
	stop_backend
	S3_STATE=$work/s3 "$top/scripts/s3-server" stop 2>/dev/null || true
	if [ "$failures" = 0 ]; then rm -rf "$work"; else echo "the files of this run are kept in $work"; fi
}
backend_pid=''
stop_backend() { [ -z "$backend_pid" ] || kill "$backend_pid" 2>/dev/null || true; }
trap cleanup EXIT

headline() { printf '\n== %s (after %d s)\n' "$*" "$SECONDS"; }

# step COMMAND...: whose output only a failure makes interesting.
step() {
	if ! "$@" >"$work/step.log" 2>&1; then
		tail -n 40 "$work/step.log"
		echo "FAILED: $*"
		failures=1
		exit 1
	fi
}

# ---- the stand-in of the base image --------------------------------------------------------------

# This machine's own.
# shellcheck disable=SC2016  # expanded by apt-get
mirror=$(apt-get indextargets --format '$(SITE)' | grep '/debian$' | head -n 1)

make_debian() {
	local tar=$cache/$release.tar
	[ ! -s "$tar" ] || return 0
	step mmdebstrap --variant=minbase --include=ca-certificates,s6,execline,procps --format=tar "$release" \
		"$tar.part" "deb $mirror $release main" "deb $mirror $release-updates main" \
		"deb $mirror-security $release-security main"
	mv "$tar.part" "$tar"
}

make_tpl() {
	(cd "$tests/image" && GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$cache/go CGO_ENABLED=0 \
		go build -o "$cache/tpl" tpl.go)
}

# fill NAME DESTINATION MODE: a file of tests/image, with what differs between the two filled in.
fill() {
	sed -e "s,@CONF@,$conf,g" -e "s,@DEFAULT@,$recordings,g" -e "s,@USER@,$user,g" \
		-e "1s,/usr/bin/with-contenv,$contenv," "$tests/image/$1" >"$tree$2"
	chmod "$3" "$tree$2"
}

# The tree that lies over the Debian; changes with every run, and is small.
make_tree() {
	local tree=$work/tree contenv=/usr/bin/with-contenv
	[ "$release" = bullseye ] || contenv=/command/with-contenv
	mkdir -p "$tree"/{usr/bin,defaults,etc/cont-init.d,usr/local/bin,etc/apt/sources.list.d}
	cp "$cache/tpl" "$tree/usr/bin/tpl"
	fill jibri.conf /defaults/jibri.conf 0644
	fill jibri /usr/local/bin/jibri-stand-in 0755
	# Lists of others, one of a suite that is gone: an apt-get update with them fails.
	echo "deb $mirror $release-gone main" >"$tree/etc/apt/sources.list.d/backports.list"
	echo "deb https://127.0.0.1:9/jitsi stable/" >"$tree/etc/apt/sources.list.d/jitsi.list"
	if [ "$release" = bullseye ]; then
		mkdir -p "$tree"/etc/{services.d/40-jibri,jitsi/jibri}
		install -m 0755 "$tests/image/init-s6-overlay-1.22" "$tree/init"
		install -m 0755 "$tests/image/with-contenv" "$tree/usr/bin/with-contenv"
		fill config /etc/cont-init.d/10-config 0644
		printf '#!%s bash\nexec s6-setuidgid jibri jibri-stand-in\n' "$contenv" >"$tree/etc/services.d/40-jibri/run"
	else
		local rc=$tree/etc/s6-overlay/s6-rc.d
		mkdir -p "$tree"/{command,storage,config} "$rc"/{01-config,40-jibri/dependencies.d,user/contents.d} \
			"$tree/etc/s6-overlay/scripts"
		install -m 0755 "$tests/image/init-s6-overlay-3" "$tree/init"
		install -m 0755 "$tests/image/with-contenv" "$tree/command/with-contenv"
		fill config /etc/s6-overlay/scripts/config 0755
		echo oneshot >"$rc/01-config/type"
		echo /etc/s6-overlay/scripts/config >"$rc/01-config/up"
		echo longrun >"$rc/40-jibri/type"
		printf '#!%s bash\nexec jibri-stand-in\n' "$contenv" >"$rc/40-jibri/run"
		chmod 755 "$rc/40-jibri/run"
		: >"$rc/40-jibri/dependencies.d/01-config"
		: >"$rc/user/contents.d/01-config"
		: >"$rc/user/contents.d/40-jibri"
	fi
	tar -C "$tree" --owner=0 --group=0 --sort=name --mtime=@0 -cf "$work/tree.tar" .
}

# Kept as long as nothing of it changes, so that the layers above can be kept too.
make_base() {
	local container sum
	make_tree
	sum=$(cat "$cache/$release.tar" "$work/tree.tar" | sha256sum | cut -c 1-16)
	if [ "$(buildah "${store[@]}" inspect --format '{{ index .OCIv1.Config.Labels "stand-in" }}' "$base" 2>/dev/null)" = "$sum" ]; then
		return
	fi
	container=$(buildah "${store[@]}" from scratch)
	step buildah "${store[@]}" add "$container" "$cache/$release.tar" /
	step buildah "${store[@]}" add "$container" "$work/tree.tar" /
	step buildah "${store[@]}" run --isolation chroot "$container" -- \
		sh -c "useradd -m -u 1000 $user && chown $user /etc/jitsi /storage /config 2>/dev/null; true"
	[ "$release" = bullseye ] || step buildah "${store[@]}" config --user s6 "$container"
	step buildah "${store[@]}" config --label "stand-in=$sum" --entrypoint '["/init"]' \
		--env S6_BEHAVIOUR_IF_STAGE2_FAILS=2 \
		--env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
	step buildah "${store[@]}" commit --format docker --rm "$container" "$base"
}

build_image() {
	step buildah "${store[@]}" bud --isolation chroot --network host --pull=never --format docker --layers \
		-f "$top/Dockerfile.jibri" "${arguments[@]}" "$@" "$top"
}

# ---- containers ----------------------------------------------------------------------------------

# start NAME ARGUMENT...: a container of the image, as compose would start it. What the cases below
# need to know: its log, its recordings and its /run (where that is a directory of ours).
start() {
	local name=$1 mounts=() directory=$work/$1
	shift
	pod rm -f -t 0 "$name" >/dev/null 2>&1 || true # of a run that was killed
	mkdir -p "$directory/volume"
	if [ "$release" = trixie ]; then
		# podman makes its own tmpfs for root; the image's user has to be able to write.
		mkdir -p "$directory/run" "$directory/tmp"
		chown 1000 "$directory"/{volume,run,tmp}
		mounts=(--read-only --read-only-tmpfs=false -v "$directory/run:/run" -v "$directory/tmp:/tmp:noexec")
	fi
	# podman's own health checks need systemd.
	pod run -d --name "$name" --label "test=$release" --log-driver k8s-file --no-healthcheck "${limits[@]}" \
		-v "$directory/volume:$volume" "${mounts[@]}" -e JIBRI_XMPP_PASSWORD=x "$@" "$image" >/dev/null
}

log_of() { pod logs "$1" 2>&1; }
in_container() { pod exec "$@"; }

# wait_for NAME TEXT [SECONDS]: until the container's log has a line with the text.
wait_for() {
	local end=$((SECONDS + ${3:-20}))
	until log_of "$1" | grep -qF -- "$2"; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "the log of $1 has no line with: $2"
			log_of "$1" | tail -n 60
			return 1
		fi
		sleep 0.1
	done
}

same() { [ "$2" = "$3" ] || { printf '%s: expected "%s", got "%s"\n' "$1" "$2" "$3"; return 1; }; }
has() { grep -qE -- "$2" <<<"$1" || { printf 'no line matches %s in:\n%s\n' "$2" "$1"; return 1; }; }
fails() { ! "$@" || { printf 'it succeeded: %s\n' "$*"; return 1; }; }
has_not() { ! grep -E -- "$2" <<<"$1" || { printf 'that line matches %s\n' "$2"; return 1; }; }

# What Jibri's process got: env NAME CONTAINER.
seen_by_jibri() { log_of "$2" | sed -n "s/^.*jibri: env $1=//p" | tail -n 1; }

# the process of that name, in the container: its pid, and its user
pid_in() { in_container "$1" pgrep -xo "$2"; }

run() {
	local code
	[[ $1 =~ $pattern ]] || return 0
	# Behind || or in an if, set -e would mean nothing in there.
	set +e
	(set -eE; trap 'echo "line $LINENO failed: $BASH_COMMAND" >&2' ERR; "$@") >"$work/case.log" 2>&1
	code=$?
	set -e
	if [ "$code" = 0 ]; then
		echo "ok    ${1//_/ }"
	else
		echo "FAIL  ${1//_/ }"
		sed 's/^/      /' "$work/case.log"
		failures=$((failures + 1))
	fi
}

# ---- the image itself ----------------------------------------------------------------------------

the_image_says_what_it_is() {
	local config version
	config=$(pod image inspect "$image" | jq '.[0]')
	version=$(sed -n 's/^ *VERSION \([0-9.]*\)$/\1/p' "$top/CMakeLists.txt")
	same version "$version" "$(jq -r '.Labels["org.opencontainers.image.version"]' <<<"$config")"
	same base "${base#docker.io/}" "$(jq -r '.Labels["org.opencontainers.image.base.name"]' <<<"$config")"
	same health '["CMD","jibri-watcher","--health"]' "$(jq -c '.Healthcheck.Test // .HealthCheck.Test' <<<"$config")"
	if [ "$release" = trixie ]; then same user s6 "$(jq -r .User <<<"$config")"; fi
	same entrypoint '["/init"]' "$(jq -c .Config.Entrypoint <<<"$config")"
}

# look COMMAND: in the image, without its init.
look() { look_into "$image" "$1"; }
look_into() { pod run --rm --no-healthcheck "${limits[@]}" --network none --user 0 --entrypoint sh "$1" -c "$2"; }

nothing_of_the_build_is_left() {
	local found
	# shellcheck disable=SC2016  # expanded in the container
	found=$(look 'ls /var/lib/apt/lists /var/cache/apt/archives /tmp /usr/include 2>/dev/null; ls -d /source /build /layer 2>/dev/null
		for program in gcc cc cmake ninja make git; do command -v $program; done; ls /usr/lib/jibri-finalize; true')
	has "$found" '^start.sh$'
	has_not "$found" '_(In|)Release$|_Packages|\.deb$|^/(source|build|layer)|bin/(gcc|cc|cmake|ninja|make|git)|\.h$|finalize-apt'
	has_not "$found" '^(base-user|apt-conf|lay-over|05-.*)$'
}

the_base_images_files_are_as_they_were() {
	local below above
	# What apt writes, and what podman puts there.
	local sums='cd / && find defaults init etc usr/bin -xdev -type f ! -name ld.so.cache ! -name resolv.conf ! -name hosts \
		! -name hostname ! -name .containerenv -exec sha256sum {} +'
	below=$(look_into "$base" "$sums")
	above=$(look "$sums")
	has "$below" ' etc/apt/sources.list.d/backports.list$'
	while IFS= read -r line; do
		grep -qxF "$line" <<<"$above" || { echo "changed: $line"; return 1; }
	done <<<"$below"
}

the_programs_and_their_manual_pages_are_there() {
	local found
	found=$(look 'readlink /usr/bin/finalize-s3.sh; jibri-finalize --version; jibri-watcher --version
		ls /usr/share/man/man1 /usr/share/doc/jibri-finalize; ldd /usr/bin/jibri-finalize /usr/bin/jibri-watcher')
	has "$found" '^jibri-finalize$'
	has "$found" '^jibri-finalize.1'
	has "$found" '^copyright$'
	has_not "$found" 'not found'
}

the_compose_file_is_one() {
	local found
	found=$(CONFIG=/config JIBRI_FINALIZE_CHECKOUT=$top CONFOMEET_S3_BUCKET=b docker-compose -f "$top/config/jibri.yml" config)
	has "$found" '^ *CONFOMEET_S3_BUCKET: b$'
	has "$found" '^ *DISPLAY: :0$'
	has "$found" '^ *dockerfile: Dockerfile.jibri$'
}

the_build_refuses_a_wrong_user() {
	local wrong=root
	[ "$release" = trixie ] || wrong=s6
	fails buildah "${store[@]}" bud --isolation chroot --network host --pull=never --format docker --layers \
		-f "$top/Dockerfile.jibri" "${arguments[@]}" --build-arg "JIBRI_USER=$wrong" "$top" >"$work/refused.log" 2>&1
	has "$(cat "$work/refused.log")" "^This base image runs as .*: build with --build-arg JIBRI_USER="
}

# ---- one container with everything ---------------------------------------------------------------

# shellcheck disable=SC2016  # a value with a dollar sign
hard_value='said=a \"b\" $c'

# As ConfOMeet starts it; the secret in a file, as Docker's secrets are. The host's network, for the
# S3 server and the backend; an own name, as containers have.
start_whole() {
	printf '%s\n' "$CONFOMEET_S3_CLIENT_SECRET" >"$work/secret"
	chmod 444 "$work/secret"
	start whole --network host --uts private --hostname 0123456789ab -v "$work/secret:/run/secrets/s3" \
		-e JIBRI_INSTANCE_ID= -e JIBRI_FINALIZE_RECORDING_SCRIPT_PATH=finalize-s3.sh \
		-e CONFOMEET_S3_URL="$CONFOMEET_S3_URL" -e CONFOMEET_S3_BUCKET="$CONFOMEET_S3_BUCKET" \
		-e CONFOMEET_S3_REGION="$CONFOMEET_S3_REGION" -e CONFOMEET_S3_CLIENT_ID="$CONFOMEET_S3_CLIENT_ID" \
		-e CONFOMEET_S3_CLIENT_SECRET= -e CONFOMEET_S3_CLIENT_SECRET_FILE=/run/secrets/s3 \
		-e CONFOMEET_BASE_URL="$base_url" -e "CONFOMEET_S3_METADATA=$hard_value" \
		-e 'JIBRI_NO_MEDIA_TIMEOUT=60 seconds' -e 'JIBRI_ALL_MUTED_TIMEOUT=30 minutes' \
		-e 'JIBRI_DEFAULT_CALL_EMPTY_TIMEOUT='
	wait_for whole 'jibri: started'
	wait_for whole 'jibri-finalize: check: '
}

an_id_is_made_that_every_process_sees() {
	local id=jibri-0123456789ab
	has "$(log_of whole)" "jibri: started as $user, .* id=$id nickname=$id\$"
	same 'the environment' "$id" "$(seen_by_jibri JIBRI_INSTANCE_ID whole)"
	has "$(in_container whole cat /run/jibri-finalize/finalize.env)" "^JIBRI_INSTANCE_ID=\"$id\"\$"
	same 'without a newline' "$id" "$(in_container whole cat /run/s6/container_environment/JIBRI_INSTANCE_ID; echo)"
}

the_settings_are_for_jibris_user_alone() {
	local owner=$user:$user
	same file "640 $owner" "$(in_container whole stat -c '%a %U:%G' /run/jibri-finalize/finalize.env)"
	same directory "750 $owner" "$(in_container whole stat -c '%a %U:%G' /run/jibri-finalize)"
	same journal "700 $user" "$(in_container whole stat -c '%a %U' "$recordings/.jibri-finalize")"
	has_not "$(in_container whole cat /run/jibri-finalize/finalize.env)" "$CONFOMEET_S3_CLIENT_SECRET"
	has_not "$(log_of whole)" "$CONFOMEET_S3_CLIENT_SECRET"
}

# docker exec has what the container was created with, and not what its start made of it.
a_command_in_the_container_sees_what_jibri_sees() {
	local found
	found=$(in_container whole jibri-finalize check)
	has "$found" '^JIBRI_INSTANCE_ID=jibri-0123456789ab \(from /run/jibri-finalize/finalize.env\)$'
	has "$found" "^CONFOMEET_RECORDINGS_DIR=$recordings \(from JIBRI_RECORDING_DIR in /run/jibri-finalize/finalize.env\)\$"
	has "$found" '^CONFOMEET_S3_CLIENT_SECRET=set \(from CONFOMEET_S3_CLIENT_SECRET_FILE in the environment\)$'
	has "$found" '^ok    writing'
	# Without any environment, the file alone has to do.
	found=$(in_container whole env -i PATH=/usr/bin:/bin jibri-finalize check)
	grep -qxF "CONFOMEET_S3_METADATA=$hard_value (from /run/jibri-finalize/finalize.env)" <<<"$found"
	has "$found" '^ok    writing'
	has "$(log_of whole)" '^jibri-finalize: check: recordings will reach the bucket|F jibri-finalize: check: recordings will'
}

the_time_outs_are_in_jibris_configuration() {
	local text
	text=$(in_container whole cat "$conf")
	same 'the template is all there' 1 "$(grep -c 'call-status-checks.no-media-timeout = 30 seconds' <<<"$text")"
	same 'the last one counts' 'jibri.call-status-checks.no-media-timeout = "60 seconds"' "$(grep no-media-timeout <<<"$text" | tail -n 1)"
	has "$text" '^jibri.call-status-checks.all-muted-timeout = "30 minutes"$'
	has_not "$text" 'default-call-empty-timeout'
}

the_watcher_is_there_before_jibri_as_jibris_user() {
	has "$(log_of whole)" "jibri: started as $user, watcher up"
	same user "$user" "$(in_container whole stat -c %U "/proc/$(pid_in whole jibri-watcher)")"
}

the_watcher_is_started_again_when_it_dies() {
	local before after tries
	before=$(pid_in whole jibri-watcher)
	in_container --user 0 whole kill -KILL "$before"
	for ((tries = 0; tries < 50; tries++)); do
		after=$(pid_in whole jibri-watcher || true)
		[ -z "$after" ] || [ "$after" = "$before" ] || return 0
		sleep 0.1
	done
	echo "no new one after 5 s"
	return 1
}

it_is_healthy_while_the_watcher_runs() {
	local tries
	for ((tries = 0; tries < 50; tries++)); do
		in_container whole jibri-watcher --health && return
		sleep 0.1
	done
	return 1
}

# call NAME SESSION MEETING: a session as Jibri leaves it, and the call.
call() {
	local directory=$work/$1/volume/recordings/$2
	mkdir -p "$directory"
	cp "$work/meeting.mp4" "$directory/$3_2024-04-23-15-04-05.mp4"
	printf '{"meeting_url":"https://meet.example.org/%s","participants":[],"share":true}' "$3" >"$directory/metadata.json"
	chown -R 1000 "$directory"
	in_container --user 0 "$1" sh -c "mkdir -p /run/jibri-calls; : >/run/jibri-calls/$2; chown -R $user /run/jibri-calls"
}

the_finalizer_is_called_as_java_calls_it() {
	local found
	call whole aaaabbbbccccdddd 12345
	wait_for whole 'jibri: the finalize script returned 0'
	has "$(log_of whole)" 'jibri: INFO: .*uploaded, and confirmed in the bucket'
	[ ! -e "$work/whole/volume/recordings/aaaabbbbccccdddd" ] || { echo "the disk is not freed"; return 1; }
	rclone_of cat "bucket:$CONFOMEET_S3_BUCKET/12345_2024-04-23-15-04-05.mp4" | cmp - "$work/meeting.mp4"
	found=$(rclone_of lsjson -M --stat "bucket:$CONFOMEET_S3_BUCKET/12345_2024-04-23-15-04-05.mp4")
	same 'the id in the metadata' jibri-0123456789ab "$(jq -r '.Metadata["jibri-instance"]' <<<"$found")"
	same 'notices' 1 "$(jq -s 'map(select(.accepted)) | length' "$work/backend.log")"
}

it_stops_within_ten_seconds_and_the_watcher_after_jibri() {
	local begin=$SECONDS found
	pod stop -t 10 whole >/dev/null
	[ $((SECONDS - begin)) -lt 9 ] || { echo "it took $((SECONDS - begin)) s"; return 1; }
	found=$(log_of whole)
	has "$found" 'jibri: told to stop, watcher up'
	has "$found" 'jibri: ended, watcher up'
	same 'killed' false "$(pod inspect whole | jq '.[0].State.ExitCode == 137')"
}

its_id_is_the_same_after_a_restart() {
	local lines
	lines=$(log_of whole | grep -c 'jibri: started')
	# What Docker's tmpfs does.
	if [ "$release" = trixie ]; then find "$work/whole/run" -mindepth 1 -delete 2>/dev/null || true; fi
	pod start whole >/dev/null
	until [ "$(log_of whole | grep -c 'jibri: started')" -gt "$lines" ]; do sleep 0.1; done
	has "$(log_of whole | grep 'jibri: started' | tail -n 1)" 'id=jibri-0123456789ab '
	same 'once in the configuration' 1 "$(in_container whole grep -c '^jibri.call-status-checks.no-media-timeout' "$conf")"
	pod stop -t 10 whole >/dev/null
}

# ---- others --------------------------------------------------------------------------------------

ids_of_containers_with_one_host_name_differ() {
	local name ids=()
	echo token >"$work/closed"
	chmod 600 "$work/closed"
	for name in first second; do
		start "$name" --network none --hostname recorder -v "$work/closed:/run/secrets/token" \
			-e CONFOMEET_BACKEND_TOKEN_FILE=/run/secrets/token
		wait_for "$name" 'jibri: started'
		ids+=("$(seen_by_jibri JIBRI_INSTANCE_ID "$name")")
		has "${ids[-1]}" '^jibri-recorder-[0-9a-f]{8}$'
	done
	[ "${ids[0]}" != "${ids[1]}" ] || { echo "both are ${ids[0]}"; return 1; }
	pod stop -t 10 first >/dev/null
	if [ "$release" = trixie ]; then find "$work/first/run" -mindepth 1 -delete 2>/dev/null || true; fi
	pod start first >/dev/null
	wait_for first 'jibri: started'
	sleep 1
	same 'after a restart' "${ids[0]}" "$(seen_by_jibri JIBRI_INSTANCE_ID first)"
}

without_settings_it_records_and_says_so_loudly() {
	local found
	wait_for second 'jibri-finalize: RECORDINGS WILL NOT REACH THE BUCKET'
	wait_for second 'recordings stay on disk; what to do: correct them'
	wait_for second 'To check again'
	found=$(log_of second)
	has "$found" 'jibri-finalize: WRONG settings    CONFOMEET_S3_URL is not set'
	has "$found" 'CONFOMEET_BACKEND_TOKEN_FILE \(from the environment\) names /run/secrets/token, which cannot be read: Permission denied'
	has "$found" "what it records waits in $recordings"
	same 'the default script' finalize-s3.sh "$(seen_by_jibri JIBRI_FINALIZE_RECORDING_SCRIPT_PATH second)"
	fails in_container second jibri-watcher --health
	call second eeeeffffgggghhhh 77
	wait_for second 'jibri: the finalize script returned 78'
	[ -e "$work/second/volume/recordings/eeeeffffgggghhhh/77_2024-04-23-15-04-05.mp4" ]
}

an_id_of_ones_own_is_kept_and_wrong_values_are_said() {
	local found
	start wrong --network host -e JIBRI_INSTANCE_ID=01 -e JIBRI_RECORDING_DIR="$volume/elsewhere" \
		-e CONFOMEET_S3_URL="$CONFOMEET_S3_URL" -e CONFOMEET_S3_BUCKET="$CONFOMEET_S3_BUCKET" \
		-e CONFOMEET_S3_REGION="$CONFOMEET_S3_REGION" -e CONFOMEET_S3_CLIENT_ID="$CONFOMEET_S3_CLIENT_ID" \
		-e CONFOMEET_S3_CLIENT_SECRET=not-the-secret -e CONFOMEET_BASE_URL="$base_url" \
		-e JIBRI_NO_MEDIA_TIMEOUT=60 -e $'JIBRI_ALL_MUTED_TIMEOUT=1 s\n"; x = "' -e 'JIBRI_DEFAULT_CALL_EMPTY_TIMEOUT=90s' \
		-e "CONFOMEET_JOURNAL=$volume/journals/journal.db"
	wait_for wrong 'jibri: started'
	wait_for wrong 'To check again'
	found=$(log_of wrong)
	has "$found" 'jibri: started as .* id=01 nickname=01$'
	has "$found" 'jibri-finalize: WRONG reading .*SignatureDoesNotMatch'
	has "$found" 'WRONG: JIBRI_NO_MEDIA_TIMEOUT is left out'
	has "$found" 'WRONG: JIBRI_ALL_MUTED_TIMEOUT is left out'
	has "$(in_container wrong tail -n 2 "$conf")" '^jibri.call-status-checks.default-call-empty-timeout = "90s"$'
	has_not "$(in_container wrong cat "$conf")" '^jibri.call-status-checks.(no-media|all-muted)'
	same 'the journal is written by Jibri alone' "$user" "$(in_container wrong stat -c %U "$volume/journals")"
	has "$(in_container wrong jibri-finalize check || true)" "^CONFOMEET_RECORDINGS_DIR=$volume/elsewhere "
	has "$(in_container wrong jibri-watcher --version)" jibri-watcher
}

# With a root file system that can be written, Jibri records there.
a_recordings_directory_in_no_volume_is_noted() {
	[ "$release" = bullseye ] || return 0
	start lost --network none -e JIBRI_RECORDING_DIR=/recordings
	wait_for lost 'NOTE: /recordings is in no volume'
	wait_for lost 'jibri: started'
	has_not "$(log_of whole)" 'in no volume'
	pod stop -t 10 lost >/dev/null
}

an_id_that_cannot_be_one_ends_the_start() {
	local code
	start refused --network none -e 'JIBRI_INSTANCE_ID=a b'
	code=$(timeout 20 podman "${store[@]}" --events-backend file wait refused)
	[ "$code" != 0 ]
	has "$(log_of refused)" 'FATAL ERROR: JIBRI_INSTANCE_ID cannot be used: expected'
	has_not "$(log_of refused)" 'jibri: started'
}

rclone_of() (
	unset AWS_CA_BUNDLE # rclone can't do with it
	RCLONE_CONFIG=/notfound RCLONE_CONFIG_BUCKET_TYPE=s3 RCLONE_CONFIG_BUCKET_PROVIDER=Other \
		RCLONE_CONFIG_BUCKET_ENDPOINT=$CONFOMEET_S3_URL RCLONE_CONFIG_BUCKET_REGION=us-east-1 \
		RCLONE_CONFIG_BUCKET_ACCESS_KEY_ID=$CONFOMEET_S3_CLIENT_ID \
		RCLONE_CONFIG_BUCKET_SECRET_ACCESS_KEY=$CONFOMEET_S3_CLIENT_SECRET rclone --quiet "$@"
)

start_servers() {
	local ready output
	state=$work server_env=$work/server.env
	export S3_STATE=$work/s3 S3_STORE=memstore
	start_server >"$work/server.log" 2>&1 || { cat "$work/server.log"; exit 1; }
	set -a
	eval "$("$top/scripts/s3-server" env --confomeet)"
	set +a
	exec {output}< <(exec "$stand_in" --log "$work/backend.log")
	backend_pid=$!
	read -r -t 10 ready <&"$output"
	base_url=http://127.0.0.1:${ready#port=}/meet
	head -c 3000000 /dev/urandom >"$work/meeting.mp4"
}

mkdir -p "$cache"
headline "a stand-in of $base"
make_debian
make_tpl
make_base
# Layers of earlier builds, some gigabytes a day; those of the last days are what makes a build quick.
pod image prune -f --filter until=72h >/dev/null 2>&1 || true
headline "building Dockerfile.jibri on it"
build_image -t "$image"
headline "the image"
run the_image_says_what_it_is
run nothing_of_the_build_is_left
run the_base_images_files_are_as_they_were
run the_programs_and_their_manual_pages_are_there
run the_compose_file_is_one
run the_build_refuses_a_wrong_user
start_servers
headline "a container with everything"
run start_whole
run an_id_is_made_that_every_process_sees
run the_settings_are_for_jibris_user_alone
run a_command_in_the_container_sees_what_jibri_sees
run the_time_outs_are_in_jibris_configuration
run the_watcher_is_there_before_jibri_as_jibris_user
run the_watcher_is_started_again_when_it_dies
run it_is_healthy_while_the_watcher_runs
run the_finalizer_is_called_as_java_calls_it
run it_stops_within_ten_seconds_and_the_watcher_after_jibri
run its_id_is_the_same_after_a_restart
headline "other containers"
run ids_of_containers_with_one_host_name_differ
run without_settings_it_records_and_says_so_loudly
run an_id_of_ones_own_is_kept_and_wrong_values_are_said
run a_recordings_directory_in_no_volume_is_noted
run an_id_that_cannot_be_one_ends_the_start
headline "$failures failed"
[ "$failures" = 0 ]
