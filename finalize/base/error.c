#include "finalize/base/error.h"

#include "finalize/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Also those from U+0080 to U+009F, which terminals obey too, and what isn't UTF-8. */
static void replace_control_characters(char *text)
{
    while (*text) {
        uint32_t character;
        size_t length = utf8_read(text, &character);

        if (!length || character < 0x20 || (character >= 0x7f && character < 0xa0)) {
            length = length ? length : 1;
            memset(text, '?', length);
        }
        text += length;
    }
}

__attribute__((format(printf, 3, 0))) static void fill(struct error *err, enum error_kind kind,
                                                       const char *format, va_list arguments)
{
    int length;

    err->kind = kind;
    err->network = ERROR_NETWORK_NONE;
    err->from_backend = false;
    err->sys_errno = 0;
    err->http_status = 0;
    err->s3_code[0] = 0;
    length = vsnprintf(err->text, sizeof err->text, format, arguments);
    if (length >= (int)sizeof err->text) /* it was cut, perhaps within a character */
        err->text[utf8_cut(err->text, sizeof err->text - 2)] = 0;
    replace_control_characters(err->text);
}

bool error_set(struct error *err, enum error_kind kind, const char *format, ...)
{
    va_list arguments;

    if (err->kind != ERROR_NONE)
        return false;
    va_start(arguments, format);
    fill(err, kind, format, arguments);
    va_end(arguments);
    return false;
}

bool error_set_errno(struct error *err, enum error_kind kind, int errno_value, const char *format,
                     ...)
{
    const char *reason = strerror(errno_value);
    va_list arguments;
    size_t length;

    if (err->kind != ERROR_NONE)
        return false;
    va_start(arguments, format);
    fill(err, kind, format, arguments);
    va_end(arguments);
    err->sys_errno = errno_value;
    /* Of a long text its end makes room: the reason is what people look for. */
    length = utf8_cut(err->text, sizeof err->text - sizeof ": " - strlen(reason));
    snprintf(err->text + length, sizeof err->text - length, ": %s", reason);
    return false;
}

void error_clear(struct error *err)
{
    *err = (struct error)ERROR_INIT;
}
