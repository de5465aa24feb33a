#include "config/object_headers.h"

#include <string.h>
#include <strings.h>

#define TOKEN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
#define BLANK " \t"

static const struct {
    const char *name;
    bool for_all;
} allowed[] = {
    {"cache-control", false},
    {"content-disposition", false},
    {"content-language", false},
    {"x-amz-acl", false},
    {"x-amz-grant-full-control", false},
    {"x-amz-grant-read", false},
    {"x-amz-grant-read-acp", false},
    {"x-amz-grant-write-acp", false},
    {"x-amz-object-lock-legal-hold", false},
    {"x-amz-object-lock-mode", false},
    {"x-amz-object-lock-retain-until-date", false},
    {"x-amz-server-side-encryption", false},
    {"x-amz-server-side-encryption-aws-kms-key-id", false},
    {"x-amz-server-side-encryption-bucket-key-enabled", false},
    {"x-amz-server-side-encryption-context", false},
    {"x-amz-tagging", false},
    {"x-amz-expected-bucket-owner", true},
    {"x-amz-request-payer", true},
};

/* Names that begin so, and what there is in their place. */
static const struct {
    const char *beginning, *reason;
} refused[] = {
    {"x-amz-server-side-encryption-customer-",
     "is refused: keys of one's own (SSE-C) would be needed to look at the object again; take "
     "aws:kms, or the bucket's default"},
    {"x-amz-storage-class", "is refused: CONFOMEET_S3_STORAGE_CLASS sets it"},
    {"x-amz-meta-", "is refused: CONFOMEET_S3_METADATA sets it"},
    {"content-md5", "is refused: CONFOMEET_S3_CONTENT_MD5 sets it"},
    {"if-", "is refused: CONFOMEET_S3_CONDITIONAL_WRITES sets what there is of it"},
};

static bool begins_with(const struct object_header *header, const char *beginning)
{
    size_t length = strlen(beginning);

    return header->name_length >= length && !strncasecmp(header->name, beginning, length);
}

static bool is_called(const struct object_header *header, const char *name)
{
    return header->name_length == strlen(name) && begins_with(header, name);
}

/* Whether a name and a colon are what stands after a ';'. */
static bool begins_header(const char *text)
{
    size_t length;

    text += strspn(text, BLANK);
    length = strspn(text, TOKEN);
    return length && text[length] == ':';
}

static size_t trimmed_length(const char *text, size_t length)
{
    while (length && strchr(BLANK "\r;", text[length - 1]))
        length--;
    return length;
}

bool object_headers_next(const char **list, struct object_header *ret_header)
{
    const char *text = *list + strspn(*list, BLANK "\r\n;"), *end = text;
    size_t length;

    if (!*text)
        return false;
    do
        end += 1 + strcspn(end + 1, "\n;");
    while (*end == ';' && !begins_header(end + 1));
    length = trimmed_length(text, (size_t)(end - text));
    *list = end;
    *ret_header = (struct object_header){.name = text, .name_length = strcspn(text, ":")};
    if (ret_header->name_length >= length) {
        ret_header->name_length = length;
        return true;
    }
    ret_header->value = text + ret_header->name_length + 1;
    ret_header->value += strspn(ret_header->value, BLANK);
    if (text + length > ret_header->value)
        ret_header->value_length = (size_t)(text + length - ret_header->value);
    return true;
}

bool object_header_is_for_all(const struct object_header *header)
{
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (is_called(header, allowed[i].name))
            return allowed[i].for_all;
    return false;
}

bool object_header_is_lock(const struct object_header *header)
{
    return begins_with(header, "x-amz-object-lock-");
}

/* Commas belong to the value, unless one of these names and a colon follow: a list with commas. */
static bool holds_another(const struct object_header *header)
{
    const char *end = header->value + header->value_length;

    for (const char *at = header->value; at < end; at++) {
        const char *name = at + 1 + strspn(at + 1, BLANK);
        size_t length = strspn(name, TOKEN);

        for (size_t i = 0; *at == ',' && i < sizeof allowed / sizeof allowed[0]; i++)
            if (length == strlen(allowed[i].name) && !strncasecmp(name, allowed[i].name, length) &&
                name[length] == ':')
                return true;
    }
    return false;
}

/* A run of blanks is signed as one, and not every server follows. */
static const char *value_fault(const struct object_header *header)
{
    if (!header->value_length)
        return "has no value: expected name: value";
    for (size_t i = 0; i < header->value_length; i++) {
        char c = header->value[i];

        if (c < ' ' || c > '~')
            return "has a value that isn't printable ASCII";
        if (c == ' ' && header->value[i + 1] == ' ')
            return "has a value with two blanks in a row, which not every server signs alike";
    }
    if (holds_another(header))
        return "has another header in its value: expected ';' or a new line between headers, not a "
               "comma";
    return NULL;
}

const char *object_header_fault(const struct object_header *header)
{
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
        if (is_called(header, allowed[i].name))
            return value_fault(header);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (begins_with(header, refused[i].beginning))
            return refused[i].reason;
    return "is refused: it is set by this program itself, or would break what is signed or sent";
}
