#include "finalize/base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t ceiling)
{
    *buffer = (struct buffer){.ceiling = ceiling};
}

void buffer_done(struct buffer *buffer)
{
    if (!buffer)
        return;
    free(buffer->data);
    buffer_init(buffer, buffer->ceiling);
}

void buffer_wipe(struct buffer *buffer)
{
    if (buffer && buffer->data)
        explicit_bzero(buffer->data, buffer->capacity);
    buffer_done(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->data)
        buffer->data[0] = 0;
}

/* Makes room for `more` bytes and the final NUL. */
static bool reserve(struct buffer *buffer, size_t more)
{
    size_t capacity, needed;
    char *grown;

    if (buffer->failed)
        return false;
    if (more > buffer->ceiling || buffer->length > buffer->ceiling - more ||
        more >= SIZE_MAX - buffer->length) {
        buffer->failed = true;
        return false;
    }
    needed = buffer->length + more + 1;
    if (needed <= buffer->capacity)
        return true;
    capacity = buffer->capacity ? buffer->capacity : 128;
    while (capacity < needed)
        capacity = capacity <= SIZE_MAX / 2 ? capacity * 2 : needed;
    if (capacity - 1 > buffer->ceiling)
        capacity = buffer->ceiling + 1;
    grown = realloc(buffer->data, capacity);
    if (!grown) {
        buffer->failed = true;
        return false;
    }
    buffer->data = grown;
    buffer->capacity = capacity;
    return true;
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (!reserve(buffer, length))
        return;
    if (length)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = 0;
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    if (!reserve(buffer, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
}

static ssize_t write_stream(void *buffer, const char *bytes, size_t length)
{
    buffer_append(buffer, bytes, length);
    return ((struct buffer *)buffer)->failed ? 0 : (ssize_t)length;
}

FILE *buffer_stream(struct buffer *buffer)
{
    return fopencookie(buffer, "w", (cookie_io_functions_t){.write = write_stream});
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}

char *buffer_take(struct buffer *buffer)
{
    char *taken;

    buffer_append(buffer, "", 0); /* an empty content is a string too */
    if (buffer->failed) {
        buffer_done(buffer);
        return NULL;
    }
    taken = buffer->data;
    buffer_init(buffer, buffer->ceiling);
    return taken;
}
