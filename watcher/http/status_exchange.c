#include "watcher/http/status_exchange.h"

#include <stdarg.h>
#include <stdio.h>

void status_exchange_say(struct status_exchange *exchange, unsigned status, const char *format, ...)
{
    struct status_reply *reply = exchange->reply;
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    reply->status = status;
    reply->content_type = "text/plain; charset=utf-8";
    buffer_clear(&reply->body);
    buffer_append_format(&reply->body, "%s\n", line);
}
