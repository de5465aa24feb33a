/*
 * json_text - values as JSON, written as they come: no document is ever in memory.
 *
 * Whatever a name holds, what is written is valid JSON in valid UTF-8: each byte that is no UTF-8
 * becomes U+FFFD; control characters (those from U+007F to U+009F too) are escaped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* The characters of a string. Unless `quoted`, '"' and '\\' stay as they are: a line for people. */
void json_text_escape(FILE *out, const char *text, bool quoted);
void json_text_string(FILE *out, const char *text);

/* Seconds since 1970 as "2026-11-24T07:26:56Z"; 0, and what no calendar has, as null. */
void json_text_time(FILE *out, int64_t seconds);

/* The same as a member that follows others of its object; a text that is NULL or "" as null. */
void json_text_member(FILE *out, const char *name, const char *text);
void json_text_member_time(FILE *out, const char *name, int64_t seconds);
