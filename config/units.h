/*
 * units - sizes and durations as people write them: "8MiB", "30s", "2h".
 *
 * Knows the spelling only; limits are the settings table's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Parses a size: a number, whole or with decimals ("1.5GiB"), and an optional unit: B, K/KB/KiB,
 * M/MB/MiB, G…, T… - of which KiB, MiB, GiB, TiB and the bare letters K, M, G, T count by 1024, and
 * KB, MB, GB, TB by 1000; any case; a blank before the unit is allowed. Rounded down to whole
 * bytes. False when it is not one, is over UINT64_MAX, or is more than 0 and would be rounded to 0;
 * *ret_bytes is untouched then.
 */
bool units_parse_size(const char *text, uint64_t *ret_bytes) __attribute__((warn_unused_result));

/*
 * Parses a duration: a number, whole or with decimals, and an optional unit: ms, s, m or min, h, d.
 * Without a unit it counts `bare_unit_ms` milliseconds (1000: seconds). Combinations as "1h30m" are
 * accepted.
 */
bool units_parse_duration(const char *text, uint64_t bare_unit_ms, uint64_t *ret_ms)
    __attribute__((warn_unused_result));

/* Writes a size for people: "0 B", "999 B", "1.5 KiB", "8 MiB" (one decimal, none when it is
 * whole). Returns `out`. */
const char *units_format_size(uint64_t bytes, char *out, size_t out_size);

/* Writes how many there are: "1 file", "2 files". Returns `out`. */
const char *units_format_count(uint64_t count, const char *noun, char *out, size_t out_size);

/* Writes a duration for people: "0.3 s", "42 s", "3 min 5 s", "2 h 10 min", "3 d 4 h". Returns
 * `out`. */
const char *units_format_duration(uint64_t ms, char *out, size_t out_size);

/*
 * Writes a size / a duration as settings spell it, so that parsing gives the same number back:
 * "8MiB", "5TiB", "1048577"; "10min", "48h", "1500ms". Returns `out`.
 */
const char *units_spell_size(uint64_t bytes, char *out, size_t out_size);
const char *units_spell_duration(uint64_t ms, char *out, size_t out_size);
