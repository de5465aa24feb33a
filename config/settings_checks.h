/*
 * settings_checks - whether a text may be the value of a setting.
 *
 * Pure functions of the text; each is named by a row of the table (settings_table.c), whose words
 * "expected ..." are to say the same. Nothing here asks the disk or the network.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* http(s)://host[:port][/path]; no user name, query or fragment, printable ASCII only. */
bool settings_check_url(const char *text);

/* http, https, socks5 or socks5h ://[user[:password]@]host[:port][/] */
bool settings_check_proxy(const char *text);

/* host[:port]; the host is a name, an IPv4 address or an IPv6 address in brackets. */
bool settings_check_host(const char *text);

/* 3..255 of [A-Za-z0-9._-], a letter or digit first. Wider than S3's own rule, for the sake of
 * Ceph's and old buckets. */
bool settings_check_bucket(const char *text);

/* 3..63 of [a-z0-9.-], a letter or digit first and last: can be a part of a host name. */
bool settings_check_bucket_in_host(const char *text);

/* 1..128 of [A-Za-z0-9._-]. */
bool settings_check_name(const char *text);

/* Printable ASCII without blanks and '/'; not empty. */
bool settings_check_client_id(const char *text);

/* No control characters, no white space around it; not empty. */
bool settings_check_client_secret(const char *text);

/* 1..64 of [A-Z0-9_-]. */
bool settings_check_storage_class(const char *text);

/* name=value,name=value: names of [a-z0-9-], each once, none that begins with "jibri-"; values of
 * printable ASCII, not empty, no blanks around them; at most 1 KiB. */
bool settings_check_metadata(const char *text);

/* At most 4 KiB; each header is looked at by object_headers.h. */
bool settings_check_object_headers(const char *text);

/* The template of key.h. May be empty; at most 200 bytes. */
bool settings_check_key_prefix(const char *text);

/* ending,ending: 1..16 of [A-Za-z0-9] each, at most 200 bytes; no dots, no blanks. */
bool settings_check_media(const char *text);

/* An absolute path without control characters. */
bool settings_check_path(const char *text);

/* "off", or what listen.h reads. */
bool settings_check_listen(const char *text);

/* Printable ASCII without blanks; not empty. */
bool settings_check_token(const char *text);

/*
 * How many bytes the UTF-8 character at `text` has; 0 when there is none (the end, bytes that are
 * not UTF-8) or it is a control character or a noncharacter (U+FFFE, U+FFFF).
 */
size_t settings_check_character(const char *text);
