#!/usr/bin/env bash
#
# package.sh - the package for Debian: built on a bare system of a release, looked at by lintian, and on
# another one, which has nothing of the build, installed, upgraded and purged.
#
#   tests/image/package.sh bullseye|bookworm|trixie     as root
#
# PACKAGE_TAR names a tar file of a minimal system (mmdebstrap --variant=minbase --include=ca-certificates);
# without it, one is made.

set -euo pipefail
shopt -s inherit_errexit
# shellcheck source=tests/image/own_root.sh
. "$(dirname "${BASH_SOURCE[0]}")/own_root.sh"

release=${1:?a release of Debian}
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

skip() { echo "skipped: $*"; exit 77; }
fail() { echo "package.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root"
command -v mmdebstrap >/dev/null || skip "mmdebstrap is not installed"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/package.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# step COMMAND...: what it says is of interest only when it fails.
step() {
	"$@" >"$work/step.log" 2>&1 && return
	tail -n 40 "$work/step.log" >&2
	fail "failed: $*"
}

# inside ROOT SCRIPT: in that system, which starts no services.
# shellcheck disable=SC2016  # expanded by the other shells
inside() {
	unshare --mount --pid --fork --kill-child sh -ec '
		mount -t proc proc "$1/proc"; mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
		for d in null zero full random urandom; do [ -e "$1/dev/$d" ] || : >"$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done
		exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive \
			${https_proxy:+https_proxy="$https_proxy"} ${http_proxy:+http_proxy="$http_proxy"} chroot "$1" sh -ec "$2"' inside "$@"
}

tar=${PACKAGE_TAR:-$work/base.tar}
[ -s "$tar" ] || step mmdebstrap --variant=minbase --include=ca-certificates --format=tar "$release" "$tar" \
	"deb http://deb.debian.org/debian $release main" "deb http://deb.debian.org/debian-security $release-security main"
for root in build bare; do
	mkdir "$work/$root"
	tar -xpf "$tar" -C "$work/$root"
	cp -L /etc/resolv.conf "$work/$root/etc/resolv.conf"
	for file in /etc/apt/apt.conf.d/*proxy*; do [ ! -f "$file" ] || cp "$file" "$work/$root/etc/apt/apt.conf.d/"; done
	printf '#!/bin/sh\nexit 101\n' >"$work/$root/usr/sbin/policy-rc.d"
	chmod 755 "$work/$root/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$work/$root/etc/dpkg/dpkg.cfg.d/fast"
done
# man-db, which lintian needs, would make an index of them, for minutes.
echo 'path-exclude=/usr/share/man/*' >>"$work/build/etc/dpkg/dpkg.cfg.d/fast"

# ---- build

mkdir "$work/build/source"
git -C "$top" ls-files -z | tar -C "$top" --null -T - -cf - | tar -C "$work/build/source" -xf -
step inside "$work/build" 'cd /source
	apt-get -q update
	scripts/install-deps build
	apt-get -q -y --no-install-recommends install dpkg-dev file lintian
	cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF
	cmake --build build
	cd build && cpack -G DEB'
package=$(echo "$work"/build/source/build/*.deb)
[ -f "$package" ] || fail "there is not one package: $package"
echo "ok - ${package##*/} is built"
# Two errors of bullseye's lintian are left out; those of later releases no longer find them. OpenSSL and the GPL: Debian
# counts OpenSSL among a system's own libraries, which the GPL excepts, since 2020. The unit is not in /lib: where it is, in
# /usr/lib, later releases want it, and bullseye's systemd looks there, too (tests/image/systemd.sh starts it).
known=''
[ "$release" != bullseye ] ||
	known='--suppress-tags possible-gpl-code-linked-with-openssl,systemd-service-file-outside-lib'
step inside "$work/build" "lintian --allow-root --fail-on error $known /source/build/*.deb"
cat "$work/step.log"
echo "ok - lintian finds no error in it"

# ---- install, upgrade, purge

mkdir "$work/newer"
dpkg-deb -R "$package" "$work/newer"
sed -i 's/^Version: .*/&.1/' "$work/newer/DEBIAN/control"
cp "$package" "$work/bare/opt/one.deb"
step dpkg-deb -b --root-owner-group "$work/newer" "$work/bare/opt/two.deb"

# What a package leaves: apt's and dpkg's own files, and caches of the system's, aside.
list() {
	(cd "$work/bare" && find . -xdev \( -path ./var/lib/apt -o -path ./var/cache -o -path ./var/lib/dpkg -o -path ./var/log -o \
		-path ./proc -o -path ./tmp -o -path ./dev \) -prune -o -print | LC_ALL=C sort)
}
depends=$(dpkg-deb -f "$package" Depends | sed -E 's/\([^)]*\)//g; s/,/ /g')
step inside "$work/bare" "apt-get -q update; apt-get -q -y --no-install-recommends install $depends"
list >"$work/before"
# shellcheck disable=SC2016  # expanded by the other shell
step inside "$work/bare" 'apt-get -q -y install /opt/one.deb
	jibri-finalize --version && jibri-watcher --version && [ "$(readlink /usr/bin/finalize-s3.sh)" = jibri-finalize ]

	mkdir -p /etc/jibri-finalize && echo CONFOMEET_S3_BUCKET=b >/etc/jibri-finalize/finalize.env'
echo "ok - it is installed, with its dependencies alone, and runs"
# shellcheck disable=SC2016  # expanded by dpkg-query
step inside "$work/bare" 'apt-get -q -y install /opt/two.deb
	dpkg-query -W -f "\${Version}\n" jibri-finalize | grep -q "\.1$"
	jibri-finalize --version && grep -q BUCKET /etc/jibri-finalize/finalize.env'
echo "ok - it is upgraded, and the settings stay"
step inside "$work/bare" 'apt-get -q -y remove jibri-finalize; [ -e /etc/jibri-finalize/finalize.env ]
	apt-get -q -y purge jibri-finalize; [ ! -e /etc/jibri-finalize ]
	! dpkg-query -W jibri-finalize 2>/dev/null'
list >"$work/after"
diff "$work/before" "$work/after" || fail "it leaves something (>), or takes something away (<)"
echo "ok - it is purged, and nothing stays"

# ---- the unit, where the S3 server of the tests is built

if [ -x "${E2E_BUILD:-}/tests/tools/sink" ]; then
	code=0
	PACKAGE_TAR=$tar "$top/tests/image/systemd.sh" "$release" "$package" || code=$?
	[ "$code" = 0 ] || [ "$code" = 77 ] || exit "$code"
fi
