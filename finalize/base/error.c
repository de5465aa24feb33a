#include "finalize/base/error.h"

#include "finalize/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
    utf8_make_plain(err->text);
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
