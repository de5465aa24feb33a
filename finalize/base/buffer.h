/*
 * buffer - bytes that grow up to a ceiling: URLs, XML and JSON bodies, replies.
 *
 * The ceiling is the point: nothing that a peer sends can make us use more than it. A failed append
 * (no memory, or over the ceiling) makes the buffer `failed` and leaves its content as it was;
 * later appends do nothing, so that a chain of appends is checked once, at its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct buffer {
    char *data; /* always NUL-terminated once something was appended; NULL before */
    size_t length;
    size_t capacity;
    size_t ceiling; /* most bytes that it may hold, the final NUL not counted */
    bool failed;
};

/* An empty buffer that may grow to `ceiling` bytes. Nothing is allocated yet. */
void buffer_init(struct buffer *buffer, size_t ceiling);

/* Frees the content; the buffer is as after buffer_init() then. NULL is accepted. */
void buffer_done(struct buffer *buffer);

/* As buffer_done(), for content that held a secret: it is wiped first. (Where it lay before it grew
 * is not: append a secret in one go.) */
void buffer_wipe(struct buffer *buffer);

/* Empties it without giving the memory back. */
void buffer_clear(struct buffer *buffer);

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The content as a string, "" when there is none; borrowed until the next call on the buffer. */
const char *buffer_text(const struct buffer *buffer);

/* A stream that appends, to be given to fclose(); what it has is in the buffer after fflush(). NULL
 * without memory. */
FILE *buffer_stream(struct buffer *buffer);

/*
 * Gives the content away: returns a malloc()ed string that the caller frees, or NULL when an append
 * had failed. The buffer is empty afterwards.
 */
char *buffer_take(struct buffer *buffer);
