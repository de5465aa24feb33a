/*
 * file_name - what the name of a recording says: "<meeting id>_<yyyy-MM-dd-HH-mm-ss>.mp4".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The last name of a path; borrowed from it. */
const char *file_name_of(const char *path);

/* The number before the first '_': decimal digits only, 0..2147483647 (the backend's field is a
 * 32-bit integer). False when there is none. */
bool file_name_meeting_id(const char *name, int32_t *ret_meeting_id);

/* The day in the name: the last "_yyyy-MM-dd-HH-mm-ss" before the ending (or the end). False when
 * there's none or it's no day of the calendar. */
bool file_name_day(const char *name, int *ret_year, int *ret_month, int *ret_day);

/* Whether the name's ending is in `media`, "mp4,mkv" (settings.media; NULL: SETTINGS_MEDIA), in any
 * case of letters. */
bool file_name_is_media(const char *media, const char *name);

/* By the ending: "video/mp4", "application/json", …; "application/octet-stream" where unknown. A
 * literal. */
const char *file_name_content_type(const char *name);

/* Whether that is the content type of an MP4 file. */
bool file_name_is_mp4(const char *name);
