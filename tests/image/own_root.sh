# own_root.sh - for the tests that make containers and mount namespaces; they source it first.
#
# In a bare chroot / is no mount point, and neither unshare nor a container's runtime can do its work there:
# the script is run again where that directory is the root of a mount namespace. (A mount point in the chroot
# would not do: who enters a container's namespace would land in the directory that is outside of the chroot.)
# Control groups come along, where none are mounted, in the kernel's own version: 2, or a hierarchy for each
# controller.

# shellcheck shell=bash
if [ "$(id -u)" = 0 ] && [ -z "${OWN_ROOT:-}" ] && ! awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; then
	# shellcheck disable=SC2016  # expanded by the other shells
	OWN_ROOT=1 exec unshare --mount --propagation unchanged sh -ec '
		groups=/mnt/sys/fs/cgroup
		mount --rbind / /mnt
		if [ -z "$(ls "$groups")" ]; then
			if hierarchies=$(cut -d : -f 2 /proc/self/cgroup | grep .); then
				mount -t tmpfs -o mode=0755 tmpfs "$groups"
				for one in $hierarchies; do
					mkdir "$groups/${one#name=}"
					mount -t cgroup -o "$one" cgroup "$groups/${one#name=}"
				done
			else
				mount -t cgroup2 cgroup2 "$groups"
			fi
		fi
		exec nsenter --mount=/proc/self/ns/mnt --wd=/mnt sh -ec "
			PATH=\$PATH:/usr/sbin:/sbin
			pivot_root . .
			umount -l .
			cd \"\$1\"; shift; exec \"\$@\"" own_root "$PWD" "$@"' own_root "$0" "$@"
fi
