#include "finalize/session/metadata.h"

#include "finalize/base/read_at.h"
#include "finalize/base/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECRET_MEMBER "upload_credentials"
#define PIECE_BYTES   (16u * 1024)
#define MAX_MARKS     (16u * 1024)

/*
 * What may be the secret member's name, in text that isn't understood: "credentials" in any case of
 * letters, or the JSON escape that could spell it ("\u00…"). NUL bytes are passed over: they stand
 * between the letters of UTF-16. No word looked for has its first character in it again: a
 * mismatch starts over with the next character.
 */
struct suspicion {
    size_t in_member, in_word, in_escape; /* characters matched so far: also across pieces */
    bool member;                          /* the member's whole name was found */
    bool found;                           /* any of it was */
};

static bool match(const char *word, size_t *matched, char c)
{
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    if (c == word[*matched])
        ++*matched;
    else
        *matched = c == word[0];
    if (word[*matched])
        return false;
    *matched = 0;
    return true;
}

static void look_for_secret(struct suspicion *suspicion, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!bytes[i])
            continue;
        suspicion->member |= match(SECRET_MEMBER, &suspicion->in_member, bytes[i]);
        suspicion->found |= match("credentials", &suspicion->in_word, bytes[i]);
        suspicion->found |= match("\\u00", &suspicion->in_escape, bytes[i]);
    }
}

static bool read_error(struct error *err)
{
    return error_set_errno(err, ERROR_TRANSIENT, errno, "cannot read %s", METADATA_FILE_NAME);
}

/* For a file too large to be read as a whole. */
static bool look_through_file(int fd, uint64_t size_bytes, struct suspicion *suspicion,
                              struct error *err)
{
    char piece[PIECE_BYTES];
    uint64_t offset = 0;
    ssize_t length = 1;

    while (length > 0 && offset < size_bytes && !suspicion->found) {
        uint64_t rest = size_bytes - offset;

        length = read_at(fd, piece, rest < sizeof piece ? (size_t)rest : sizeof piece, offset);
        if (length < 0)
            read_error(err);
        else
            look_for_secret(suspicion, piece, (size_t)length);
        offset += length > 0 ? (size_t)length : 0;
    }
    explicit_bzero(piece, sizeof piece);
    return length >= 0;
}

/* Whether the parsed tree would take too much memory: "{}," takes a hundred times its length. The
 * text is not parsed yet, so punctuation within strings is counted, too. */
static bool is_extravagant(const char *bytes, size_t length)
{
    size_t marks = 0;

    for (size_t i = 0; i < length; i++)
        marks += bytes[i] == ',' || bytes[i] == ':' || bytes[i] == '{' || bytes[i] == '[';
    return marks > MAX_MARKS;
}

/* The parsed tree, and whether it holds all of the text. */
struct parsed {
    json_t *root;  /* NULL: not JSON */
    bool faithful; /* false: members of the same name, of which the last one was kept */
};

static bool parse(const char *bytes, size_t length, struct parsed *ret_parsed, struct error *err)
{
    /* From strict to lenient: numbers of any size and duplicate names are harmless. */
    static const size_t FLAGS[] = {JSON_REJECT_DUPLICATES,
                                   JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, 0,
                                   JSON_DECODE_INT_AS_REAL};
    struct parsed parsed = {NULL, false};

    for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS && !parsed.root; i++) {
        json_error_t problem;

        parsed.root = json_loadb(bytes, length, JSON_ALLOW_NUL | FLAGS[i], &problem);
        parsed.faithful = FLAGS[i] & JSON_REJECT_DUPLICATES;
        if (!parsed.root && json_error_code(&problem) == json_error_out_of_memory)
            return error_set(err, ERROR_TRANSIENT, "out of memory while reading %s",
                             METADATA_FILE_NAME);
    }
    *ret_parsed = parsed;
    return true;
}

/* Overwrites the strings of a value that is about to be freed. */
static void wipe(json_t *value)
{
    const char *name;
    size_t index;
    json_t *member;

    if (json_is_string(value))
        explicit_bzero((char *)json_string_value(value), json_string_length(value));
    json_array_foreach(value, index, member) wipe(member);
    json_object_foreach(value, name, member) wipe(member);
}

/*
 * Whether the parser makes the same of the text once more. Short of memory, jansson drops letters
 * of a string without a word: a member could thus be another one, and its value be let out.
 */
static bool is_parsed_alike(const char *bytes, size_t length, const json_t *root)
{
    struct parsed again = {NULL, false};
    struct error ignored = ERROR_INIT;
    bool alike = parse(bytes, length, &again, &ignored) && json_equal(root, again.root);

    wipe(again.root);
    json_decref(again.root);
    return alike;
}

static bool is_secret_member(const char *name)
{
    return !strcasecmp(name, SECRET_MEMBER);
}

/* A name as of a secret, wherever it comes from. */
static bool looks_secret(const char *name)
{
    static const char *const words[] = {
        "pass", "token",  "secret",  "credential", "apikey",    "api_key",    "api-key",
        "auth", "cookie", "private", "jwt",        "signature", "access_key", "accesskey"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

/* Removes the members of such names; returns whether there were any. The parser bounds the depth.
 */
static bool redact(json_t *value, bool (*is_secret)(const char *name))
{
    bool removed = false;
    const char *name;
    size_t index;
    void *next;
    json_t *member;

    json_array_foreach(value, index, member) removed |= redact(member, is_secret);
    json_object_foreach_safe(value, next, name, member)
    {
        if (!is_secret(name)) {
            removed |= redact(member, is_secret);
            continue;
        }
        wipe(member);
        json_object_del(value, name);
        removed = true;
    }
    return removed;
}

static bool has_control_character(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            return true;
        if (c == 0xc2 && i + 1 < length && (unsigned char)text[i + 1] < 0xa0)
            return true; /* U+0080..U+009F: the text is UTF-8, the parser saw to that */
    }
    return false;
}

static void understand(json_t *root, struct metadata *metadata)
{
    const json_t *url = json_object_get(root, "meeting_url");
    const json_t *share = json_object_get(root, "share");
    size_t length = json_string_length(url);

    metadata->understood = json_is_object(root);
    if (json_is_string(url) && length < sizeof metadata->meeting_url &&
        !has_control_character(json_string_value(url), length))
        /* Its query may hold a token, which is kept out of everything. */
        snprintf(metadata->meeting_url, sizeof metadata->meeting_url, "%.*s",
                 (int)strcspn(json_string_value(url), "?#"), json_string_value(url));
    if (json_is_boolean(share))
        metadata->share = json_is_true(share);
    else if (json_is_string(share) && !strcmp(json_string_value(share), "true"))
        metadata->share = 1;
    else if (json_is_string(share) && !strcmp(json_string_value(share), "false"))
        metadata->share = 0;
}

static bool write_redacted(const json_t *root, struct metadata *metadata, struct error *err)
{
    int fd = memfd_create(METADATA_FILE_NAME, MFD_CLOEXEC);
    off_t length;

    if (fd < 0)
        return error_set_errno(err, ERROR_TRANSIENT, errno, "cannot make a memory file for %s",
                               METADATA_FILE_NAME);
    if (json_dumpfd(root, fd, JSON_COMPACT) < 0 || (length = lseek(fd, 0, SEEK_CUR)) < 0) {
        close(fd);
        return error_set(err, ERROR_TRANSIENT, "cannot write %s without its credentials to memory",
                         METADATA_FILE_NAME);
    }
    metadata->redacted_fd = fd;
    metadata->redacted_bytes = (uint64_t)length;
    metadata->treatment = METADATA_REDACTED;
    return true;
}

/* Takes out of the object what isn't for others. Best effort. */
static void keep_members(json_t *root, struct metadata *metadata)
{
    const size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII | JSON_SORT_KEYS;
    size_t length;

    json_object_del(root, "meeting_url"); /* told without its query, elsewhere */
    json_object_del(root, "participants");
    redact(root, looks_secret);
    length = json_dumpb(root, NULL, 0, flags);
    if (!length || length > METADATA_MEMBERS_BYTES || !(metadata->members = malloc(length + 1)))
        return;
    if (json_dumpb(root, metadata->members, length, flags) == length) {
        metadata->members[length] = 0;
        return;
    }
    free(metadata->members); /* no memory */
    metadata->members = NULL;
}

bool metadata_member(const char *members, const char *name, size_t length, char *ret_value,
                     size_t size)
{
    json_t *root = members ? json_loads(members, 0, NULL) : NULL;
    char key[128];
    const json_t *member;

    snprintf(key, sizeof key, "%.*s", (int)length, name);
    member = json_object_get(root, key);
    *ret_value = 0;
    if (json_is_string(member)) {
        size_t bytes = utf8_cut(json_string_value(member), size - 1);

        snprintf(ret_value, size, "%.*s", (int)bytes, json_string_value(member));
    } else if (json_is_integer(member)) {
        snprintf(ret_value, size, "%" JSON_INTEGER_FORMAT, json_integer_value(member));
    } else if (json_is_boolean(member)) {
        snprintf(ret_value, size, "%s", json_is_true(member) ? "true" : "false");
    }
    json_decref(root);
    return *ret_value;
}

static bool judge(const char *bytes, size_t length, bool whole, struct metadata *metadata,
                  struct error *err)
{
    struct suspicion suspicion = {0};
    struct parsed parsed = {NULL, false};
    bool ok = true;

    look_for_secret(&suspicion, bytes, length);
    if (whole && !is_extravagant(bytes, length) && !parse(bytes, length, &parsed, err))
        return false;
    if (!parsed.root) {
        metadata->treatment = suspicion.found ? METADATA_WITHHELD : METADATA_AS_IT_IS;
        return true;
    }
    if (suspicion.found && !is_parsed_alike(bytes, length, parsed.root)) {
        wipe(parsed.root);
        json_decref(parsed.root);
        return error_set(err, ERROR_TRANSIENT, "out of memory while reading %s",
                         METADATA_FILE_NAME);
    }
    /* Of doubled members the tree knows one only, so that it can't prove that the file holds no
     * credentials. Nor can it when the name stands in a string. */
    if (redact(parsed.root, is_secret_member) || (!parsed.faithful && suspicion.found))
        ok = write_redacted(parsed.root, metadata, err);
    else if (suspicion.member)
        metadata->treatment = METADATA_WITHHELD;
    understand(parsed.root, metadata);
    if (ok && metadata->understood && metadata->treatment != METADATA_WITHHELD)
        keep_members(parsed.root, metadata);
    json_decref(parsed.root);
    return ok;
}

bool metadata_read(int fd, uint64_t size_bytes, struct metadata *ret_metadata, struct error *err)
{
    struct metadata metadata = {.share = -1, .treatment = METADATA_WITHHELD, .redacted_fd = -1};
    struct suspicion suspicion = {0};
    ssize_t length;
    size_t size;
    char *bytes;
    bool ok;

    *ret_metadata = metadata;
    metadata.treatment = METADATA_AS_IT_IS;
    if (size_bytes > METADATA_MAX_BYTES) {
        if (!look_through_file(fd, size_bytes, &suspicion, err))
            return false;
        metadata.treatment = suspicion.found ? METADATA_WITHHELD : METADATA_AS_IT_IS;
        *ret_metadata = metadata;
        return true;
    }
    size = (size_t)size_bytes;
    bytes = malloc(size + 1);
    if (!bytes)
        return error_set(err, ERROR_TRANSIENT, "out of memory while reading %s",
                         METADATA_FILE_NAME);
    length = read_at(fd, bytes, size, 0);
    ok = length < 0 ? read_error(err)
                    : judge(bytes, (size_t)length, (size_t)length == size, &metadata, err);
    explicit_bzero(bytes, size + 1);
    free(bytes);
    if (ok)
        *ret_metadata = metadata;
    return ok;
}

void metadata_done(struct metadata *metadata)
{
    if (!metadata)
        return;
    if (metadata->redacted_fd >= 0)
        close(metadata->redacted_fd);
    metadata->redacted_fd = -1;
    metadata->redacted_bytes = 0;
    free(metadata->members);
    metadata->members = NULL;
}
