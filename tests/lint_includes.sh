#!/usr/bin/env bash
#
# lint_includes.sh - who may include whom: checks the #include lines of config/, finalize/ and watcher/.
#
#   tests/lint_includes.sh [ROOT]      ROOT: the tree to check (default: this one)
#
# The allowed edges between folders are the table "Folders" of docs/architecture.md, the third-party
# headers its table "Libraries": both are read from there, so that document and check cannot differ.
# Checked besides: no cycle between folders, none between files (x.c and x.h count as one; x_private
# may use x); x_private.h is included by x's own files only; no folder has more than 30 .c and .h files;
# a .c file without a header begins with a comment that says what it is.

set -euo pipefail

cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

# Known violations, one a line: the including file, a space, what it includes
# (or: comment, for a missing opening comment). To be removed with the
# violation itself; the aim is none.
exceptions='
'

mapfile -t files < <(find config finalize watcher -name '*.[ch]' | sort)
awk -v exceptions="$exceptions" '
function fail(text) { print "lint: " text; failures++ }
function folder_of(path) { sub(/\/[^\/]*$/, "", path); sub(/^finalize\//, "", path); return path }
function stem_of(path) { sub(/\.[ch]$/, "", path); return path }
function trim(text) { gsub(/^[ \t]+|[ \t]+$/, "", text); return text }

# names(CELL, LIST): the `quoted` words of a table cell; their number.
function names(cell, list, count, quoted) {
	count = 0
	while (match(cell, /`[^`]*`/)) {
		list[++count] = substr(cell, RSTART + 1, RLENGTH - 2)
		cell = substr(cell, RSTART + RLENGTH)
	}
	return count
}

function read_document(   line, cell, section, used_by, count, list, i, from, to) {
	while ((getline line <document) > 0) {
		if (line ~ /^## /)
			section = substr(line, 4)
		if (line !~ /^\| `/)
			continue
		split(line, cell, "|")
		names(cell[2], list)
		from = list[1]
		if (section == "Folders") {
			is_folder[from] = 1
			folders++
			count = names(cell[4], list)
			for (i = 1; i <= count; i++)
				allowed[from, list[i]] = 1
			count = names(cell[5], list)
			for (i = 1; i <= count; i++)
				stated[from, list[i]] = 1
		} else if (section == "Libraries") {
			count = names(cell[3], list)
			is_library[from] = 1
			for (i = 1; i <= count; i++)
				allowed_library[from, list[i]] = 1
		}
	}
	if (!folders)
		fail(document ": no table of folders")
	for (from in is_folder)
		for (to in is_folder) {
			if (((from, to) in allowed) != ((to, from) in stated))
				fail(document ": what " from " may use and what may use " to " differ")
			if ((from, to) in allowed)
				edges[from] = edges[from] " " to
		}
	for (from in is_folder)
		all[from] = 1
	report_cycles(all, edges, "a cycle between the folders of " document)
}

# next_of(NODE, LEFT, EDGES): what NODE includes of LEFT, or nothing.
function next_of(node, left, edges,   count, to, i) {
	count = split(edges[node], to, " ")
	for (i = 1; i <= count; i++)
		if (to[i] in left && to[i] != node)
			return to[i]
	return ""
}

# What includes nothing that is left is taken away, again and again. What stays is on a cycle or leads to
# one: it is told, taken away, and so on.
function report_cycles(nodes, edges, what,   left, node, found, seen, path, start) {
	for (node in nodes)
		left[node] = 1
	for (;;) {
		found = ""
		for (node in left) {
			found = node
			if (next_of(node, left, edges) == "")
				break
		}
		if (found == "")
			return
		if (next_of(found, left, edges) == "") {
			delete left[found]
			continue
		}
		split("", seen)
		for (node = found; !(node in seen); node = next_of(node, left, edges))
			seen[node] = 1
		start = path = node
		do {
			found = next_of(node, left, edges)
			path = path " → " found
			node = found
		} while (node != start)
		fail(what ": " path)
		split(path, seen, " → ")
		for (node in seen)
			delete left[seen[node]]
	}
}

BEGIN {
	document = "docs/architecture.md"
	# A header of the C library, of POSIX or of Linux.
	system_header = "^((sys|linux|netinet|arpa)/[a-z_]+|assert|cpuid|ctype|dirent|errno|fcntl|ftw|getopt|grp|immintrin|" \
		"inttypes|libgen|limits|link|locale|malloc|math|netdb|poll|pthread|pwd|sched|signal|spawn|stdarg|stdatomic|" \
		"stdbool|stddef|stdint|stdio|stdlib|string|strings|sysexits|termios|time|unistd|wchar)\\.h$"
	count = split(exceptions, line, "\n")
	for (i = 1; i <= count; i++)
		if (trim(line[i]) != "")
			unused[trim(line[i])] = 1
	read_document()
}

# excused(TO): whether the file may include it although the rules say no.
function excused(to,   key) {
	key = FILENAME " " to
	if (!(key in unused))
		return 0
	used[key] = 1
	return 1
}

FNR == 1 {
	files++
	stem = stem_of(FILENAME)
	stems[stem] = 1
	folder = folder_of(FILENAME)
	in_folder[folder]++
	if (!(folder in is_folder) && !told[folder]++)
		fail(FILENAME ": the folder " folder " is not in " document)
	if (FILENAME ~ /\.h$/)
		has_header[stem] = 1
	else if ($0 !~ /^\/\*/)
		without_comment[FILENAME] = 1
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	to = part[2]
	to_folder = folder_of(to)
	to_stem = stem_of(to)
	to_base = to_stem
	sub(/^.*\//, "", to_base)
	base = stem
	sub(/^.*\//, "", base)
	if (to !~ /^(config|finalize|watcher)\//)
		fail(FILENAME ":" FNR ": " to " is to be named from the top of the tree, and not outside of the product")
	else if (excused(to))
		next
	else if (to_folder != folder && !((folder, to_folder) in allowed))
		fail(FILENAME ":" FNR ": " folder " may not use " to_folder " (" to ")")
	if (to_base ~ /_private$/) {
		owner = to_base
		sub(/_private$/, "", owner)
		if (to_folder != folder || (base != owner && index(base, owner "_") != 1))
			fail(FILENAME ":" FNR ": " to " is for files of " owner " only")
	}
	if (to_stem != stem && stem != to_stem "_private")
		file_edges[stem] = file_edges[stem] " " to_stem
}

/^[ \t]*#[ \t]*include[ \t]*</ {
	to = $0
	sub(/^[^<]*</, "", to)
	sub(/>.*$/, "", to)
	if (to ~ system_header)
		next
	library = to
	if (!(library in is_library))
		sub(/\/.*$/, "/", library)
	if (!(library in is_library))
		fail(FILENAME ":" FNR ": <" to "> is not in the table of libraries of " document)
	else if (!((library, folder) in allowed_library) && !((library, FILENAME) in allowed_library) && !excused(to))
		fail(FILENAME ":" FNR ": <" to "> is not for this file, says " document)
}

END {
	report_cycles(stems, file_edges, "a cycle between files")
	for (file in without_comment)
		if (!(stem_of(file) in has_header) && !((file " comment") in unused))
			fail(file ":1: a .c file without a header begins with a comment that says what it is")
		else if (!(stem_of(file) in has_header))
			used[file " comment"] = 1
	for (folder in in_folder)
		if (in_folder[folder] > 30)
			fail(folder ": " in_folder[folder] " files; a folder has at most 30")
	for (key in unused)
		if (!(key in used))
			print "lint: note: the exception is not needed any more: " key
	if (failures)
		exit 1
	print "lint: the includes of " files " files are as " document " says"
}' "${files[@]}"
