#!/usr/bin/env bash
#
# lint.sh - shell scripts through shellcheck, C files through clang-format, cppcheck and
# lint_includes.sh (which folder may use which), documents through lint_documents.py, the Dockerfile through dockerfile-utils (of npm; kept in build/), the unit through systemd-analyze.
#
# A tool that is not installed is passed over with a line that says so; in CI (CI is set) it is an
# error.

set -euo pipefail

# What runs beside it, and has limits of time, comes before it.
renice -n 15 $$ >/dev/null

cd "$(dirname "${BASH_SOURCE[0]}")/.."
failures=0
skipped=''

failed() {
	echo "lint: $*"
	failures=$((failures + 1))
}

skip() {
	echo "lint: SKIPPED $*"
	skipped=', as far as the tools that are here can tell'
}

# have TOOL
have() {
	command -v "$1" >/dev/null && return
	if [ -n "${CI:-}" ]; then
		failed "$1 is not installed; run scripts/install-deps"
	else
		skip "$1: not installed; run scripts/install-deps"
	fi
	return 1
}

shell_files=()
for file in scripts/* tests/*.sh tests/*/* config/image/* config/image/*/* config/image/*/*/* .ci/run; do
	if [ -f "$file" ] && read -r first_line <"$file" && [[ $first_line =~ ^'#!'.*sh$ ]]; then
		shell_files+=("$file")
	fi
done
shell_files+=(config/image/start.sh) # is sourced, and has no first line that tells
shell_files+=(finalize/command/completion/*.bash)
mapfile -t c_files < <(find config finalize watcher tests -name '*.[ch]' 2>/dev/null | sort)

if have shellcheck; then
	printf '%s\0' "${shell_files[@]}" | xargs -0 -P "$(nproc)" -n 4 shellcheck -x ||
		failed "shellcheck has something to say about the scripts"
fi

# Each major version of clang-format breaks lines in its own way; the code follows this one.
clang_format_version=14
if have clang-format; then
	if clang-format --version | grep -q "version $clang_format_version\."; then
		clang-format --dry-run -Werror "${c_files[@]}" ||
			failed "run clang-format -i on the files above"
	else
		skip "clang-format: version $clang_format_version is needed, not $(clang-format --version)"
	fi
fi

tests/lint_includes.sh || failed "a file includes what it may not"
tests/lint_documents.py || failed "a document names what is not there"

if have cppcheck; then
	# The macros are those of Check and jansson, whose headers cppcheck doesn't read. Check's
	# assertions end in a NULL, as sentinels do: fine where NULL is a pointer, as in glibc.
	cppcheck --quiet -j "$(nproc)" --std=c11 --language=c --enable=warning,portability --inline-suppr \
		--error-exitcode=1 --template='{file}:{line}: {severity}: {message} [{id}]' \
		--suppress=varFuncNullUB --suppress=missingInclude --suppress=missingIncludeSystem \
		-D_GNU_SOURCE '-DSTART_TEST(name)=static void name(int _i)' -DEND_TEST= \
		'-Djson_array_foreach(array, index, value)=while (index = json_next(array), value = json_item(array))' \
		'-Djson_object_foreach(object, key, value)=while (key = json_next(object), value = json_item(object))' \
		-I . "${c_files[@]}" ||
		failed "cppcheck has something to say about the C files"
fi

dockerfile_utils=0.16.3
node=build/lint-node
if have npm; then
	if [ -x $node/node_modules/.bin/dockerfile-utils ] ||
		npm install --silent --ignore-scripts --no-audit --no-fund --prefix $node \
			"dockerfile-utils@$dockerfile_utils" >/dev/null; then
		$node/node_modules/.bin/dockerfile-utils lint Dockerfile.jibri ||
			failed "dockerfile-utils has something to say about Dockerfile.jibri"
	elif [ -n "${CI:-}" ]; then
		failed "npm could not install dockerfile-utils"
	else
		skip "Dockerfile.jibri: npm could not install dockerfile-utils"
	fi
fi

# Whether the programs of a unit are installed doesn't matter here. Not every machine has systemd.
if command -v systemd-analyze >/dev/null; then
	unit=$(mktemp -d)
	sed -e 's,^ExecStart=jibri-watcher$,ExecStart=/bin/true,' config/jibri-watcher.service >"$unit/jibri-watcher.service"
	systemd-analyze verify --man=no "$unit/jibri-watcher.service" ||
		failed "systemd-analyze has something to say about config/jibri-watcher.service"
	rm -r "$unit"
fi

[ "$failures" = 0 ] || exit 1
echo "lint: ${#shell_files[@]} shell scripts and ${#c_files[@]} C files are clean$skipped"
