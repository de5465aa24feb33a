/*
 * metadata.json: whatever stands in it, the credentials don't leave the machine.
 *
 * Input: how the member's name is spelled, then the file. A member upload_credentials is put at the
 * beginning of each object of it: what is to be uploaded must not have its value in it, and not
 * that member of the input's own either.
 */
#include "finalize/session/metadata.h"

#include "finalize/base/buffer.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define SECRET "zQ7credentialQz"
#define MEMBER "upload_credentials"
#define ROOM   (16u * 1024 * 1024)

static const char *const spellings[] = {
    "\"upload_credentials\":\"" SECRET "\"",
    "\"Upload_Credentials\":{\"token\":\"" SECRET "\",\"n\":[1e999,2]}",
    "\"upload\\u005fcredentials\":[\"" SECRET "\"]",
    "\"upload_credentia\\u006cs\" : \"" SECRET "\"",
    "\"upload_credentials\":\"" SECRET "\",\"upload_credentials\":\"" SECRET "\"",
};

/* Behind each '{' that isn't in a string. Where the text is no JSON, anywhere will do. */
static void plant(struct buffer *out, struct fuzz_input input, const char *member)
{
    bool in_string = false;

    for (size_t i = 0; i < input.length; i++) {
        char c = input.bytes[i];

        buffer_append(out, &c, 1);
        if (in_string && c == '\\' && i + 1 < input.length)
            buffer_append(out, &input.bytes[++i], 1);
        else if (c == '"')
            in_string = !in_string;
        else if (c == '{' && !in_string) {
            size_t next = i + 1;

            while (next < input.length && strchr(" \t\r\n", input.bytes[next]) && input.bytes[next])
                next++;
            buffer_append_text(out, member);
            if (next < input.length && input.bytes[next] != '}')
                buffer_append_text(out, ",");
        }
    }
}

static bool has_member(const json_t *value)
{
    json_t *object = (json_t *)value, *member;
    const char *name;
    size_t index;

    json_array_foreach(value, index, member)
    {
        if (has_member(member))
            return true;
    }
    json_object_foreach(object, name, member)
    {
        if (!strcasecmp(name, MEMBER) || has_member(member))
            return true;
    }
    return false;
}

static bool json_has_member(const char *bytes, size_t length, bool *ret_is_json)
{
    json_t *root =
        json_loadb(bytes, length, JSON_ALLOW_NUL | JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    bool found = has_member(root);

    *ret_is_json = root != NULL;
    json_decref(root);
    return found;
}

static char *contents(int fd, uint64_t length)
{
    char *bytes = malloc(length + 1);

    PROMISE(bytes && pread(fd, bytes, length + 1, 0) == (ssize_t)length);
    bytes[length] = 0;
    return bytes;
}

static void check_redacted(const struct metadata *metadata, bool planted)
{
    char *bytes = contents(metadata->redacted_fd, metadata->redacted_bytes);
    bool is_json;

    PROMISE(!json_has_member(bytes, metadata->redacted_bytes, &is_json) && is_json);
    PROMISE(!planted || !memmem(bytes, metadata->redacted_bytes, SECRET, strlen(SECRET)));
    free(bytes);
}

static void check(const char *bytes, size_t length, bool planted)
{
    int fd = fuzz_file(bytes, length);
    struct metadata metadata;
    struct error err = ERROR_INIT;
    bool is_json;

    PROMISE(metadata_read(fd, length, &metadata, &err));
    PROMISE(err.kind == ERROR_NONE);
    PROMISE((metadata.redacted_fd >= 0) == (metadata.treatment == METADATA_REDACTED));
    PROMISE(metadata.share >= -1 && metadata.share <= 1);
    PROMISE(fuzz_is_one_line(metadata.meeting_url) && fuzz_is_utf8(metadata.meeting_url));
    if (metadata.treatment == METADATA_REDACTED)
        check_redacted(&metadata, planted);
    if (metadata.treatment == METADATA_AS_IT_IS) {
        PROMISE(!planted);
        PROMISE(!json_has_member(bytes, length, &is_json));
    }
    metadata_done(&metadata);
    close(fd);
}

/* The same behind so many zeros that the file is too large to be parsed. */
static void check_large(const char *bytes, size_t length, size_t offset, bool planted)
{
    char nothing = 0;
    int fd = fuzz_file(&nothing, 1);
    struct metadata metadata;
    struct error err = ERROR_INIT;
    size_t before = METADATA_MAX_BYTES + 1 + offset;

    PROMISE(pwrite(fd, bytes, length, (off_t)before) == (ssize_t)length);
    PROMISE(metadata_read(fd, before + length, &metadata, &err));
    PROMISE(metadata.treatment != METADATA_REDACTED && !metadata.understood);
    PROMISE(!planted || metadata.treatment == METADATA_WITHHELD);
    metadata_done(&metadata);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input_of(data, size);
    unsigned char how = fuzz_byte(&input);
    const char *member = spellings[how % (sizeof spellings / sizeof *spellings)];
    bool planted;
    struct buffer text;

    /* What stood in the file already is not what was planted. */
    if (memmem(input.bytes, input.length, SECRET, strlen(SECRET)))
        return 0;
    check(input.bytes, input.length, false);
    buffer_init(&text, ROOM);
    plant(&text, input, member);
    PROMISE(!text.failed);
    planted = text.length > input.length;
    check(buffer_text(&text), text.length, planted);
    if (how == 0xff) /* seldom, for it is slow */
        check_large(buffer_text(&text), text.length, 16384u - 100u, planted);
    buffer_done(&text);
    return 0;
}
