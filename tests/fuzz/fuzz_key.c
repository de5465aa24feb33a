/*
 * Keys: the mapping of names can be reversed, and what comes out is fit for every server.
 *
 * Input: a name; or, by lines: prefix template, session, instance, meeting, path.
 */
#include "finalize/upload/key.h"

#include "config/settings_checks.h"
#include "finalize/s3/s3.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define ROOM (1024u * 1024)

static bool is_fit_for_a_key(const char *text)
{
    return fuzz_is_utf8(text) && fuzz_is_one_line(text) && !strpbrk(text, ":*?\"<>|!\\") &&
           !strstr(text, "\xef\xbf\xbe") && !strstr(text, "\xef\xbf\xbf");
}

static void check_mapping(const char *name)
{
    struct buffer mapped, reversed;

    buffer_init(&mapped, ROOM);
    buffer_init(&reversed, ROOM);
    key_map(&mapped, name);
    PROMISE(!mapped.failed);
    PROMISE(is_fit_for_a_key(buffer_text(&mapped)));
    fuzz_decode_percent(&reversed, buffer_text(&mapped), true);
    PROMISE(!strcmp(buffer_text(&reversed), name));
    buffer_done(&mapped);
    buffer_done(&reversed);
}

/* "." and ".." mean a directory to some servers; the prefix's levels are the template's. */
static void check_prefix(const char *key, size_t length)
{
    while (length) {
        const char *slash = memchr(key, '/', length);
        size_t level = slash ? (size_t)(slash - key) : length;

        if (slash)
            PROMISE(level && strncmp(key, "./", 2) != 0 && strncmp(key, "../", 3) != 0);
        key += level + (slash != NULL);
        length -= level + (slash != NULL);
    }
}

static size_t count(const char *text, char c)
{
    size_t found = 0;

    for (; *text; text++)
        found += *text == c;
    return found;
}

static void check_suffix(const char *key, unsigned suffix)
{
    char suffixed[S3_MAX_KEY_BYTES + 1];
    struct error err = ERROR_INIT;

    if (!key_add_suffix(key, suffix, suffixed, &err)) {
        PROMISE(err.kind == ERROR_PERMANENT && strlen(key) > S3_MAX_KEY_BYTES - 12);
        return;
    }
    PROMISE(strlen(suffixed) > strlen(key) && strlen(suffixed) <= S3_MAX_KEY_BYTES);
    PROMISE(is_fit_for_a_key(suffixed) && strcmp(suffixed, key) != 0);
    PROMISE(count(suffixed, '/') == count(key, '/'));
}

static void check_choice(struct fuzz_input input)
{
    char key[S3_MAX_KEY_BYTES + 1];
    struct error err = ERROR_INIT;
    unsigned char which = fuzz_byte(&input);
    char *template = fuzz_text(fuzz_piece(&input, "\n"));
    char *session = fuzz_text(fuzz_piece(&input, "\n"));
    char *instance = fuzz_text(fuzz_piece(&input, "\n"));
    char *meeting = fuzz_text(fuzz_piece(&input, "\n"));
    char *path = fuzz_text(fuzz_rest(&input));
    struct key_values facts = {.session = session,
                               .instance = which & 2 ? instance : NULL,
                               .meeting = which & 4 ? meeting : NULL,
                               .year = 2024,
                               .month = 4,
                               .day = 23};

    if (!settings_check_key_prefix(template))
        goto out; /* refused before it gets here */
    if (!key_choose(template, &facts, path, which & 1, key, &err)) {
        PROMISE(err.kind == ERROR_PERMANENT && fuzz_is_one_line(err.text));
        goto out;
    }
    PROMISE(strlen(key) <= S3_MAX_KEY_BYTES);
    PROMISE(is_fit_for_a_key(key));
    if (which & 1) {
        PROMISE(count(key, '/') == count(template, '/'));
        check_prefix(key, strlen(key));
    }
    check_suffix(key, 2u + which);
out:
    free(template);
    free(session);
    free(instance);
    free(meeting);
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    char *name = fuzz_text(input);

    check_mapping(name);
    free(name);
    check_choice(input);
    return 0;
}
