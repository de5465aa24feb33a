# start.sh - what the scripts of a container's start have in common; they source it.
#
# Knows the two generations of the jibri image: s6-overlay 1.22, where scripts run as root and Jibri
# as the user jibri, and s6-overlay 3 without root, where everything runs as one user.
# JIBRI_FINALIZE_ROOT is put before every path, for tests.

# shellcheck shell=sh
# shellcheck disable=SC2034  # used by who sources it
root=${JIBRI_FINALIZE_ROOT:-}
library=$root/usr/lib/jibri-finalize
templates=$root/usr/share/jibri-finalize
run_dir=$root/run/jibri-finalize

# One line of the container's log.
say() { printf 'jibri-finalize: %s\n' "$*"; }

# with_container_environment SCRIPT [ARG]: starts SCRIPT again, with what the container was given
# and what earlier scripts added (s6-overlay does not hand that to its scripts).
with_container_environment() {
	[ "${2:-}" != --in-environment ] || return 0
	for program in /command/with-contenv /usr/bin/with-contenv; do
		[ ! -x "$root$program" ] || exec "$root$program" "$1" --in-environment
	done
}

# set_for_all NAME VALUE: every process that is started from now on sees it. The file's content is
# the value to the last byte, so it ends without a newline.
set_for_all() {
	printf %s "$2" >"$root/run/s6/container_environment/$1" ||
		say "$1=$2 could not be set for the container: /run/s6/container_environment is not writable"
}

# Jibri's user, whom the programs run as.
jibri_user() { if [ "$(id -u)" = 0 ]; then echo jibri; else id -un; fi; }

as_jibri() { if [ "$(id -u)" = 0 ]; then s6-setuidgid jibri "$@"; else "$@"; fi; }

# jibri_value NAME: what Jibri's configuration sets it to: the last one wins, of what is included, too.
jibri_value() {
	[ -z "$conf" ] || awk -v name="$1" -v file="$conf" -v directory="$(dirname "$conf")" '
		function scan(path,    line, value) {
			if (++depth > 9) { depth--; return }
			while ((getline line <path) > 0) {
				if (line ~ /^[ \t]*(#|\/\/)/) continue
				if (line ~ /^[ \t]*include[ \t("a-z]/ && match(line, /"[^"]*"/)) {
					value = substr(line, RSTART + 1, RLENGTH - 2)
					scan(value ~ /^\// ? value : directory "/" value)
				} else if (match(line, "(^|[ \t{.,\"])" name "\"?[ \t]*[=:][ \t]*")) {
					value = substr(line, RSTART + RLENGTH)
					if (value ~ /^"/) { value = substr(value, 2); sub(/".*/, "", value) }
					else { sub(/[ \t]*([,}#].*|[ \t]\/\/.*)?$/, "", value) }
					found = value
				}
			}
			close(path)
			depth--
		}
		BEGIN { scan(file); print found }'
}

# The configuration that the base image has rendered for Jibri; nothing when there is none.
jibri_conf() {
	for file in "$root/run/jibri/config/jibri.conf" "$root/etc/jitsi/jibri/jibri.conf"; do
		if [ -f "$file" ]; then
			echo "$file"
			return
		fi
	done
}
