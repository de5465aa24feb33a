#!/usr/bin/env bash
#
# systemd.sh - jibri-watcher.service under a real systemd: in a bare Debian with systemd and the package, started in
# namespaces of its own, with the sandbox that the unit asks for. It uploads a recording, in the right
# order with Jibri's service, and is stopped and purged.
#
#   tests/image/systemd.sh bullseye|bookworm|trixie PACKAGE.deb     as root
#
# PACKAGE_TAR as for package.sh. E2E_BUILD: where tests/tools/sink is, the S3 server of this test.

set -euo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/image/own_root.sh
. "$(dirname "${BASH_SOURCE[0]}")/own_root.sh"

release=${1:?a release of Debian}
package=${2:?the package}
build=${E2E_BUILD:?the build directory}

skip() { echo "skipped: $*"; exit 77; }
fail() {
	echo "systemd.sh: $*" >&2
	tail -n 30 "$work/systemd.log" "$work/step.log" 2>/dev/null >&2
	within journalctl --no-pager -u jibri-watcher.service >&2 || true
	exit 1
}

[ "$(id -u)" = 0 ] || skip "needs root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/systemd.XXXXXX")
root=$work/root
init='' sink='' namespaces=''
leave() {
	[ -z "$init" ] || kill -KILL "$init" 2>/dev/null || true # and with it all of its namespace
	[ -z "$namespaces" ] || wait "$namespaces" 2>/dev/null || true
	[ -z "$sink" ] || kill "$sink" 2>/dev/null || true
	rm -rf --one-file-system "$work"
}
trap leave EXIT

step() { "$@" >"$work/step.log" 2>&1 || fail "failed: $*"; }

# ---- the system

tar=${PACKAGE_TAR:-$work/base.tar}
[ -s "$tar" ] || step mmdebstrap --variant=minbase --include=ca-certificates --format=tar "$release" "$tar" \
	"deb http://deb.debian.org/debian $release main" "deb http://deb.debian.org/debian-security $release-security main"
mkdir "$root"
tar -xpf "$tar" -C "$root"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
for file in /etc/apt/apt.conf.d/*proxy*; do [ ! -f "$file" ] || cp "$file" "$root/etc/apt/apt.conf.d/"; done
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp "$package" "$root/opt/jibri-finalize.deb"
# shellcheck disable=SC2016  # expanded by the other shell
step unshare --mount --pid --fork --kill-child sh -ec '
	mount -t proc proc "$1/proc"
	for d in null zero full random urandom; do [ -e "$1/dev/$d" ] || : >"$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done
	export DEBIAN_FRONTEND=noninteractive LC_ALL=C
	chroot "$1" apt-get -q update
	chroot "$1" apt-get -q -y --no-install-recommends install systemd systemd-sysv dbus /opt/jibri-finalize.deb
	chroot "$1" useradd -m jibri' inside "$root"

mkfifo "$work/ready"
"$build/tests/tools/sink" --address 127.0.0.1 --port 0 --journal "$work/sink" >"$work/ready" &
sink=$!
read -r -t 10 ready <"$work/ready" || fail "the sink does not start"
mkdir -p "$root/etc/jibri-finalize" "$root/srv/recordings"
chroot "$root" chown jibri:jibri /srv/recordings
cat >"$root/etc/jibri-finalize/finalize.env" <<END
CONFOMEET_S3_URL=http://127.0.0.1:${ready#port=}
CONFOMEET_S3_BUCKET=recordings
CONFOMEET_S3_CLIENT_ID=id
CONFOMEET_S3_CLIENT_SECRET=secret
CONFOMEET_NOTICE=off
CONFOMEET_RECORDINGS_DIR=/srv/recordings
CONFOMEET_ORPHAN_AFTER=2s
CONFOMEET_STATUS_LISTEN=off
END
chroot "$root" chown root:jibri /etc/jibri-finalize/finalize.env
chmod 640 "$root/etc/jibri-finalize/finalize.env"
# Jibri's service, as its package has it: it says what it sees when it starts and stops.
cat >"$root/etc/systemd/system/jibri.service" <<'END'
[Service]
User=jibri
ExecStart=/bin/sh -c 'systemctl is-active jibri-watcher >/srv/recordings/.at-start; exec sleep 1000'
ExecStop=/bin/sh -c 'systemctl is-active jibri-watcher >/srv/recordings/.at-stop'
[Install]
WantedBy=multi-user.target
END
ln -sf /dev/null "$root/etc/systemd/system/console-getty.service"

# ---- its systemd

# shellcheck disable=SC2016  # expanded by the other shell
unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh -c '
	mount --bind "$1" "$1"; mount -t proc proc "$1/proc"; mount --rbind -o ro /sys "$1/sys"
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
		mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
	else
		mount -t tmpfs tmpfs "$1/sys/fs/cgroup"
		mkdir "$1/sys/fs/cgroup/systemd" "$1/sys/fs/cgroup/unified"
		mount -t cgroup -o none,name=systemd cgroup "$1/sys/fs/cgroup/systemd"
		mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup/unified"
	fi
	mount -t tmpfs -o mode=755 tmpfs "$1/dev"; mkdir "$1/dev/shm" "$1/dev/pts"; ln -s /proc/self/fd "$1/dev/fd"
	mount -t devpts -o newinstance,ptmxmode=0666 pts "$1/dev/pts"; ln -s pts/ptmx "$1/dev/ptmx"
	for d in null zero full random urandom tty; do : >"$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done
	mount -t tmpfs -o mode=755 tmpfs "$1/run"; mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
	cd "$1"; mkdir .old; pivot_root . .old # a sandbox of mounts cannot be made within a mere chroot
	exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh -c "umount -l /.old; rmdir /.old
		exec /lib/systemd/systemd --system --show-status=no"' inside "$root" >"$work/systemd.log" 2>&1 </dev/null &
namespaces=$!

within() { nsenter -t "$init" -m -p -u -i -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
# wait_for SECONDS COMMAND...
wait_for() {
	local until=$((SECONDS + $1))
	while ! "${@:2}" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.2
	done
}
is_up() {
	init=$(cat "/proc/$namespaces/task/$namespaces/children") && init=${init%% *} && [ -n "$init" ] &&
		[ "$(cat "/proc/$init/comm")" = systemd ] && within systemctl is-system-running | grep -qE 'running|degraded'
}
wait_for 60 is_up || skip "systemd does not start in namespaces here: $(tail -n 1 "$work/systemd.log")"
echo "ok - systemd runs: $(within systemctl --version | head -n 1)"

# ---- the unit

# systemd 247 runs a command without a path, but verify finds only those with one.
# shellcheck disable=SC2016  # expanded by the other shell
within sh -ec 'mkdir /run/verify
	systemctl cat jibri-watcher | sed "s,^ExecStart=jibri-watcher\$,ExecStart=$(command -v jibri-watcher)," >/run/verify/jibri-watcher.service
	systemd-analyze verify --man=no /run/verify/jibri-watcher.service' >"$work/verified" 2>&1 || fail "verify: $(cat "$work/verified")"
! grep jibri-watcher "$work/verified" || fail "verify finds something"
echo "ok - the unit is without faults"

within systemctl enable jibri-watcher jibri >/dev/null 2>&1
within systemctl start jibri
within systemctl start jibri-watcher
within systemctl is-active jibri-watcher >/dev/null || fail "it does not run"
main=$(within systemctl show -P MainPID jibri-watcher)
status=$(within cat "/proc/$main/status")
grep -q "^Uid:.*$(within id -u jibri)" <<<"$status" || fail "not as jibri: $status"
for line in NoNewPrivs:.1 'CapBnd:.0*' Seccomp:.2; do
	grep -qx "$line" <<<"$status" || fail "without its sandbox ($line): $status"
done
echo "ok - it runs as jibri, without rights"

within su jibri -s /bin/sh -c 'mkdir /srv/recordings/session; head -c 20000000 /dev/zero >/srv/recordings/session/1_a.mp4'
wait_for 60 test ! -e "$root/srv/recordings/session" || fail "the recording is not uploaded"
grep -q '^D ' "$work/sink" || fail "nothing arrived: $(cat "$work/sink")"
echo "ok - a recording is uploaded from within the sandbox"

within systemctl stop jibri jibri-watcher # in one transaction, as at a shutdown
within systemctl start jibri-watcher jibri
wait_for 10 grep -q . "$root/srv/recordings/.at-start" || fail "Jibri did not start"
[ "$(tail -n 1 "$root/srv/recordings/.at-start")" = active ] || fail "Jibri started first"
[ "$(cat "$root/srv/recordings/.at-stop")" = active ] || fail "the watcher stopped first"
within systemctl show -P Result jibri-watcher | grep -qx success || fail "it did not stop in order"
echo "ok - it starts before Jibri and stops after it"

before=$(within systemctl show -P MainPID jibri-watcher)
step within dpkg -i /opt/jibri-finalize.deb # over itself: for the package's scripts, an upgrade
wait_for 10 within systemctl is-active jibri-watcher || fail "it does not run after an upgrade"
[ "$(within systemctl show -P MainPID jibri-watcher)" != "$before" ] || fail "the old program runs after an upgrade"
echo "ok - an upgrade starts it again"

step within env DEBIAN_FRONTEND=noninteractive apt-get -q -y purge jibri-finalize
! within systemctl is-active jibri-watcher >/dev/null || fail "it runs without its package"
[ ! -e "$root/etc/jibri-finalize" ] || fail "settings are left"
[ -d "$root/srv/recordings/.jibri-finalize" ] || fail "the journal is gone"
echo "ok - a purge stops it and leaves the journal"
