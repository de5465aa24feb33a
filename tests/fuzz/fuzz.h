/*
 * fuzz - what the fuzz targets share: promises that must hold whatever the input, and the input cut
 * into pieces.
 */
#pragma once

#include "finalize/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Aborts, naming the place, when `condition` does not hold: libFuzzer keeps the input then. */
#define PROMISE(condition) \
    ((condition) ? (void)0 : fuzz_broken_promise(#condition, __FILE__, __LINE__))

void fuzz_broken_promise(const char *condition, const char *file, int line)
    __attribute__((noreturn));

/* What is left of an input; borrowed from it. */
struct fuzz_input {
    const char *bytes;
    size_t length;
};

struct fuzz_input fuzz_input_of(const uint8_t *data, size_t size);

/* Takes the first byte off; 0 when nothing is left. */
unsigned char fuzz_byte(struct fuzz_input *input);

/* Takes off all that stands before `separator`, and the separator; everything when there is none.
 */
struct fuzz_input fuzz_piece(struct fuzz_input *input, const char *separator);

/* Takes off the whole rest. */
struct fuzz_input fuzz_rest(struct fuzz_input *input);

/* A piece as a string, up to its first NUL; for the caller to free. */
char *fuzz_text(struct fuzz_input piece);

/* A memory file with these bytes; for the caller to close. */
int fuzz_file(const char *bytes, size_t length);

/* What a line for people is to be: no control character in it. */
bool fuzz_is_one_line(const char *text);

/* UTF-8 from its beginning to its end. */
bool fuzz_is_utf8(const char *text);

/* Appends `text` with each %XX replaced by its byte; with `upper_only`, only those of upper-case
 * hex. Written apart from the code that is tested. */
void fuzz_decode_percent(struct buffer *out, const char *text, bool upper_only);

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
