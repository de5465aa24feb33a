#include "tests/fuzz/fuzz.h"

#include "finalize/base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_broken_promise(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: broken promise: %s\n", file, line, condition);
    abort();
}

struct fuzz_input fuzz_input_of(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){(const char *)data, size};
}

unsigned char fuzz_byte(struct fuzz_input *input)
{
    unsigned char byte;

    if (!input->length)
        return 0;
    byte = (unsigned char)*input->bytes++;
    input->length--;
    return byte;
}

struct fuzz_input fuzz_piece(struct fuzz_input *input, const char *separator)
{
    size_t separator_length = strlen(separator);
    const char *end = memmem(input->bytes, input->length, separator, separator_length);
    struct fuzz_input piece = *input;

    if (!end)
        return fuzz_rest(input);
    piece.length = (size_t)(end - input->bytes);
    input->bytes += piece.length + separator_length;
    input->length -= piece.length + separator_length;
    return piece;
}

struct fuzz_input fuzz_rest(struct fuzz_input *input)
{
    struct fuzz_input rest = *input;

    input->bytes += input->length;
    input->length = 0;
    return rest;
}

char *fuzz_text(struct fuzz_input piece)
{
    char *text = strndup(piece.bytes, piece.length);

    PROMISE(text);
    return text;
}

int fuzz_file(const char *bytes, size_t length)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    PROMISE(fd >= 0);
    PROMISE(write(fd, bytes, length) == (ssize_t)length);
    return fd;
}

bool fuzz_is_one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

bool fuzz_is_utf8(const char *text)
{
    uint32_t character;

    while (*text) {
        size_t length = utf8_read(text, &character);

        if (!length)
            return false;
        text += length;
    }
    return true;
}

static int digit_of(char c, bool upper_only)
{
    static const char upper[] = "0123456789ABCDEF", lower[] = "0123456789abcdef";
    const char *found = c ? strchr(upper, c) : NULL;

    if (found)
        return (int)(found - upper);
    found = c && !upper_only ? strchr(lower, c) : NULL;
    return found ? (int)(found - lower) : -1;
}

void fuzz_decode_percent(struct buffer *out, const char *text, bool upper_only)
{
    while (*text) {
        int high = *text == '%' ? digit_of(text[1], upper_only) : -1;
        int low = high >= 0 ? digit_of(text[2], upper_only) : -1;
        char byte = *text;

        if (low >= 0) {
            byte = (char)(high * 16 + low);
            text += 2;
        }
        buffer_append(out, &byte, 1);
        text++;
    }
}
