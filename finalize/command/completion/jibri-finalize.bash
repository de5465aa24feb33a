# Completion of jibri-finalize for bash.
# shellcheck shell=bash

# The column ID of the table that status prints.
_jibri_finalize_ids() {
	jibri-finalize "$@" status --all 2>/dev/null | awk 'table { print $1 } /^ID / { table = 1 }'
}

_jibri_finalize() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='status retry abandon wait events check'
	local command='' config=() words='' names='' i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--config)
			((i++))
			config=(--config "${COMP_WORDS[i]}")
			;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	case $before in
	--config)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--state)
		words='safe uploading recording interrupted waiting failed lost abandoned found'
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
		return
		;;
	--since | --timeout)
		mapfile -t COMPREPLY < <(compgen -W '10min 1h 24h 7d' -- "$current")
		return
		;;
	--reason | --meeting-id | --last) return ;;
	esac

	case $command in
	'') words="$commands --config --help --version" names=directories ;;
	status) words='--failed --watch --json --prometheus --state --since --all --help' names=ids ;;
	retry) words='--all --meeting-id --notify-only --help' names=ids ;;
	abandon) words='--reason --yes --help' names=ids ;;
	wait) words='--timeout --help' ;;
	events) words='--last --json --help' names=ids ;;
	check) words='--help' ;;
	*) return ;;
	esac
	[[ $current == -* || $names != ids ]] || words=$(_jibri_finalize_ids "${config[@]}")
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	if [[ -n $names && $current != -* && ($current == */* || ${#COMPREPLY[@]} = 0) ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
	fi
}

complete -F _jibri_finalize jibri-finalize finalize-s3.sh
