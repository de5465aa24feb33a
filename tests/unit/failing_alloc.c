#include "tests/unit/failing_alloc.h"

#include <errno.h>
#include <jansson.h>
#include <libxml/xmlmemory.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the linker calls instead of malloc(), and malloc() itself; the others likewise. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_reallocarray(void *block, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t length);
int __wrap_vasprintf(char **out, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void __real_free(void *block);
void __wrap_free(void *block);

static struct failing_alloc_result counted;
static unsigned long failing; /* 0: none */
static bool counting;

static bool fails(void)
{
    if (!counting || ++counted.allocations != failing)
        return false;
    counted.failed = true;
    errno = ENOMEM;
    return true;
}

static void *keep(void *block)
{
    counted.kept += counting && block;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : keep(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : keep(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (fails())
        return NULL;
    return block ? __real_realloc(block, size) : keep(__real_realloc(NULL, size));
}

void *__wrap_reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return __wrap_realloc(block, bytes);
}

char *__wrap_strndup(const char *text, size_t length)
{
    size_t taken = strnlen(text, length);
    char *copy = __wrap_malloc(taken + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, taken);
    copy[taken] = 0;
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, strlen(text));
}

int __wrap_vasprintf(char **out, const char *format, va_list arguments)
{
    va_list again;
    int length;
    char *text;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        return -1;
    text = __wrap_malloc((size_t)length + 1);
    /* What `out` points to is undefined then, so that no caller may count on NULL. */
    *out = text ? text : (char *)"asprintf() has failed";
    return text ? vsnprintf(text, (size_t)length + 1, format, arguments) : -1;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = __wrap_vasprintf(out, format, arguments);
    va_end(arguments);
    return length;
}

int __wrap___vasprintf_chk(char **out, int flag, const char *format, va_list arguments)
{
    (void)flag;
    return __wrap_vasprintf(out, format, arguments);
}

int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list arguments;
    int length;

    (void)flag;
    va_start(arguments, format);
    length = __wrap_vasprintf(out, format, arguments);
    va_end(arguments);
    return length;
}

void __wrap_free(void *block)
{
    counted.kept -= counting && block;
    __real_free(block);
}

/* The libraries keep some blocks for later, which is no leak: theirs aren't counted as kept. */

static void *library_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

static void *library_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

static char *library_strdup(const char *text)
{
    char *copy = library_malloc(strlen(text) + 1);

    return copy ? strcpy(copy, text) : NULL;
}

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return library_malloc(size);
}

static void *crypto_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return library_realloc(block, size);
}

static void crypto_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    __real_free(block);
}

void failing_alloc_hook(void)
{
    json_set_alloc_funcs(library_malloc, __real_free);
    if (xmlMemSetup(__real_free, library_malloc, library_realloc, library_strdup) != 0 ||
        !CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free))
        abort();
}

void failing_alloc_begin(unsigned long nth)
{
    counted = (struct failing_alloc_result){0};
    failing = nth;
    counting = true;
}

struct failing_alloc_result failing_alloc_end(void)
{
    counting = false;
    return counted;
}
