# Completion of jibri-finalize for bash. Commands and options come from the program's own table.
# shellcheck shell=bash

# What is completed: --for-completion prints lines of fields separated by tabs.
# _jibri_finalize_table FIELD MATCH...: field FIELD of the lines that begin with MATCH...
_jibri_finalize_table() {
	local field=$1 IFS=$'\t'
	shift
	jibri-finalize --for-completion 2>/dev/null |
		awk -F'\t' -v field="$field" -v begin="$*$IFS" 'index($0, begin) == 1 { print $field }'
}

# The column ID of the table that status prints.
_jibri_finalize_ids() {
	jibri-finalize "$@" status --all 2>/dev/null | awk 'table { print $1 } /^ID / { table = 1 }'
}

_jibri_finalize() {
	local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
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

	if [[ $before == --config ]]; then
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
	fi
	if [[ -n $command ]]; then
		case $(_jibri_finalize_table 4 option "$command" "$before") in
		'') ;;
		D) words='10min 1h 24h 7d' ;;&
		S*) words=$(_jibri_finalize_table 2 state) ;;&
		*)
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
			return
			;;
		esac
		words=$(_jibri_finalize_table 3 option "$command")
		names=$(_jibri_finalize_table 4 command "$command")
	else
		words="$(_jibri_finalize_table 2 command) --config --help --version"
		names=directories
	fi
	[[ -n $words ]] || return
	if [[ $current != -* ]]; then
		case $names in
		ids) words=$(_jibri_finalize_ids "${config[@]}") ;;
		settings)
			words=$(_jibri_finalize_table 2 setting)
			names=''
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	if [[ -n $names && $current != -* && ($current == */* || ${#COMPREPLY[@]} = 0) ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
	fi
}

complete -F _jibri_finalize jibri-finalize finalize-s3.sh
