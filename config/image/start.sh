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

# jibri_value NAME: what Jibri's configuration (HOCON) sets it to: the last one wins, of what is included,
# too; ${NAME} is the environment's. A value that refers to another one of the configuration keeps its "${".
jibri_value() {
	[ -z "$conf" ] || awk -v name="$1" -v file="$conf" -v directory="$(dirname "$conf")" '
		function without_comment(line,    out) {
			sub(/\r$/, "", line)
			while (match(line, /"([^"\\]|\\.)*"|#|\/\//)) {
				if (substr(line, RSTART, 1) != "\"") return out substr(line, 1, RSTART - 1)
				out = out substr(line, 1, RSTART + RLENGTH - 1)
				line = substr(line, RSTART + RLENGTH)
			}
			return out line
		}
		# What the value at the beginning of `rest` is; is_set is 0 when ${?NAME} alone is not.
		function value_of(rest,    out, part) {
			is_set = 0
			while (rest != "" && rest !~ /^[],}]/) {
				if (match(rest, /^"([^"\\]|\\.)*"/)) { out = out substr(rest, 2, RLENGTH - 2); is_set = 1 }
				else if (match(rest, /^\$\{[^}]*\}/)) {
					part = substr(rest, 3, RLENGTH - 3)
					sub(/^[?]/, "", part)
					if (part in ENVIRON) { out = out ENVIRON[part]; is_set = 1 }
					else if (substr(rest, 3, 1) != "?" || part ~ /[.]/) { out = out substr(rest, 1, RLENGTH); is_set = 1 }
				} else {
					match(rest, /^[^]",}$]+|^./)
					out = out substr(rest, 1, RLENGTH)
					if (substr(rest, 1, RLENGTH) ~ /[^ \t]/) is_set = 1
				}
				rest = substr(rest, RLENGTH + 1)
			}
			sub(/^[ \t]+/, "", out)
			sub(/[ \t]+$/, "", out)
			return out
		}
		function scan(path,    line, more, value) {
			if (path in reading) return # in a circle
			if (path ~ /["$`\\]/ || system("test -f \"" path "\"") != 0) return # awk ends at a directory
			reading[path]
			while ((getline line <path) > 0) {
				line = without_comment(line)
				while (line ~ /[=:][ \t]*$/ && (getline more <path) > 0) line = line without_comment(more)
				while (match(line, "(^|[ \t{.,\"])" name "\"?[ \t]*[=:][ \t]*|(^|[{,])[ \t]*include[ \t]+[a-z( \t]*\"[^\"]*\"")) {
					value = substr(line, RSTART, RLENGTH)
					line = substr(line, RSTART + RLENGTH)
					if (value ~ /^[{,]?[ \t]*include[ \t]/) {
						sub(/^[^"]*"/, "", value)
						sub(/"$/, "", value)
						if (value !~ /^\//) value = directory "/" value
						scan(value)
						scan(value ".conf")
						continue
					}
					value = value_of(line)
					if (is_set) found = value
				}
			}
			close(path)
			delete reading[path]
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
