/*
 * A file of settings: whatever stands in it, secrets are not shown, problems are one line each, and
 * what was accepted is spelled so that it is read as the same again.
 *
 * Input: the file. Two secrets are put behind it, one of them a wrong one, and on wish a third one
 * in a file of its own, which holds the input too.
 */
#include "config/settings.h"

#include "config/env_file.h"
#include "config/settings_table.h"
#include "config/settings_values.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET       "zQ7secretQz"
#define WRONG_SECRET "zQ7 secret Qz"
#define BEHIND \
    "\nCONFOMEET_S3_CLIENT_SECRET=" SECRET "\nCONFOMEET_BACKEND_TOKEN='" WRONG_SECRET "'\n"

static void check_lines(char *const *lines)
{
    for (; lines && *lines; lines++) {
        PROMISE(**lines && fuzz_is_one_line(*lines));
        PROMISE(!strstr(*lines, SECRET) && !strstr(*lines, WRONG_SECRET));
    }
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

/* Writes each value and reads it again. */
static void check_spelling(const struct settings *settings)
{
    for (size_t i = 0; i < settings_table_length; i++) {
        const struct settings_row *row = &settings_table[i];
        char first[64], second[64];
        struct settings again = {0};
        const char *spelled = settings_value_spell(row, settings, first, sizeof first);

        if (!spelled)
            continue;
        PROMISE(settings_value_parse(row, spelled, &again) == SETTINGS_PARSED);
        PROMISE(is_same(spelled, settings_value_spell(row, &again, second, sizeof second)));
        settings_value_done(row, &again);
    }
}

static void check_effective(const struct settings *settings, const char *const *environment,
                            const char *path)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    PROMISE(out);
    settings_write_effective(settings, environment, path, out);
    fclose(out);
    PROMISE(!strstr(text, SECRET) && !strstr(text, WRONG_SECRET));
    free(text);
}

static void check_load(const char *const *environment, const char *path, bool readable)
{
    struct settings settings;
    struct settings_problems problems;
    bool ok = settings_load(environment, path, &settings, &problems);

    PROMISE(ok == !problems.errors);
    PROMISE(!ok || (settings.s3_url && settings.s3_bucket));
    /* Without keys of the settings, the platform's are used. */
    PROMISE(!ok || (settings.s3_client_id == NULL) == (settings.s3_client_secret == NULL));
    PROMISE(!ok || settings.s3_client_id || !settings.s3_session_token);
    PROMISE(!ok || (settings.s3_parallel >= 1 && settings.s3_parallel <= 64));
    PROMISE(!ok || settings.s3_part_size_bytes >= 5u * 1024 * 1024);
    PROMISE(!ok || readable);
    check_lines(problems.errors);
    check_lines(problems.warnings);
    if (ok) {
        check_spelling(&settings);
        check_effective(&settings, environment, path);
    }
    settings_done(&settings);
    settings_problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const nothing[] = {NULL};
    struct fuzz_input input = fuzz_input_of(data, size);
    uint8_t wishes = fuzz_byte(&input);
    bool secrets = wishes & 1;
    struct env_file file = {.lines = NULL};
    struct buffer text;
    char path[64];
    struct error err = ERROR_INIT;
    bool readable;
    int fd, secret_fd = -1;

    if (memmem(data, size, SECRET, strlen(SECRET)) ||
        memmem(data, size, WRONG_SECRET, strlen(WRONG_SECRET)))
        return 0; /* libFuzzer guesses what is looked for */
    buffer_init(&text, 4u * 1024 * 1024);
    buffer_append(&text, input.bytes, input.length);
    if (secrets)
        buffer_append_text(&text, BEHIND);
    if (wishes & 2) {
        struct buffer secret;

        buffer_init(&secret, 4u * 1024 * 1024);
        buffer_append(&secret, input.bytes, input.length);
        buffer_append_text(&secret, SECRET "\n");
        secret_fd = fuzz_file(buffer_text(&secret), secret.length);
        buffer_done(&secret);
        snprintf(path, sizeof path, "\nCONFOMEET_PROXY_FILE=/proc/self/fd/%d\n", secret_fd);
        buffer_append_text(&text, path);
    }
    fd = fuzz_file(buffer_text(&text), text.length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    readable = env_file_read(path, &file, &err);
    PROMISE(readable == (err.kind == ERROR_NONE));
    PROMISE(readable || !file.lines);
    PROMISE(readable || (fuzz_is_one_line(err.text) && !strstr(err.text, SECRET)));
    for (char **line = file.lines; line && *line; line++)
        PROMISE(**line && **line != '=' && strchr(*line, '='));
    check_load(nothing, path, readable);
    if (readable)
        check_load((const char *const *)file.lines, NULL, true);
    env_file_done(&file);
    close(fd);
    if (secret_fd >= 0)
        close(secret_fd);
    buffer_done(&text);
    return 0;
}
