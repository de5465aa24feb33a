#include "finalize/s3/uri.h"

#include "finalize/base/number.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_CEILING 300u
#define PATH_CEILING (3u * 4096)

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void uri_encode(struct buffer *out, const char *text, bool keep_slashes)
{
    static const char digits[] = "0123456789ABCDEF";

    for (const char *run = text; *text; run = text) {
        while (is_unreserved((unsigned char)*text) || (keep_slashes && *text == '/'))
            text++;
        buffer_append(out, run, (size_t)(text - run));
        if (*text) {
            unsigned char byte = (unsigned char)*text++;
            char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};

            buffer_append(out, escape, sizeof escape);
        }
    }
}

/* ---- values of headers ------------------------------------------------------------------------
 */

static size_t character_bytes(const char *text)
{
    size_t length = 1;

    while (length < 4 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length++;
    return length;
}

/* Whether a value may stand in a header as it is and can be told from an encoded one. Runs of
 * blanks are signed as one blank, and not every server follows. */
static bool is_plain(const char *text)
{
    size_t length = strlen(text);

    if (text[0] == ' ' || (length && text[length - 1] == ' ') || strstr(text, "  "))
        return false;
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~' || text[i] == '%')
            return false;
    return true;
}

bool uri_header_value(const char *text, char *out, size_t size)
{
    struct buffer encoded;
    bool ok;

    if (is_plain(text)) {
        snprintf(out, size, "%s", text);
        return true;
    }
    buffer_init(&encoded, size - 1);
    while (*text && !encoded.failed) {
        size_t bytes = character_bytes(text), before = encoded.length;
        char character[5] = {0};

        memcpy(character, text, bytes);
        text += bytes;
        uri_encode(&encoded, character, true);
        if (encoded.failed)
            encoded.length = before;
    }
    /* Failed with room left for a whole character: that was memory. */
    ok = !encoded.failed || encoded.length + 12 > size - 1;
    memcpy(out, buffer_text(&encoded), encoded.length);
    out[encoded.length] = 0;
    buffer_done(&encoded);
    return ok;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit = (char)(digit | 0x20);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

void uri_decode_header_value(char *value)
{
    char *out = value;

    for (; *value; value++) {
        int high = *value == '%' ? hex_value(value[1]) : -1;
        int low = high < 0 ? -1 : hex_value(value[2]);

        *out++ = low < 0 ? *value : (char)(high * 16 + low);
        value += low < 0 ? 0 : 2;
    }
    *out = 0;
}

/* ---- the endpoint ------------------------------------------------------------------------------
 */

/* Dotted numbers must be a whole IPv4 address: curl would rewrite "127.1", and with it the Host
 * header that we have signed. */
static bool is_number_like(const char *host)
{
    const char *last = strrchr(host, '.');

    last = last ? last + 1 : host;
    if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
        return true;
    return strspn(last, "0123456789") == strlen(last);
}

static bool is_host_name(const char *host)
{
    struct in_addr address;
    size_t label = 0;

    for (const char *p = host;; p++) {
        if (*p && *p != '.') {
            if (!is_unreserved((unsigned char)*p) || *p == '~' || ++label > 63)
                return false;
            continue;
        }
        if (!label)
            return false;
        label = 0;
        if (!*p)
            break;
    }
    return strlen(host) <= 253 && (!is_number_like(host) || inet_pton(AF_INET, host, &address));
}

/* Appends the host of `authority` in the form in which curl sends it; returns what follows it, or
 * NULL when it is not a host. */
static const char *append_host(struct buffer *out, const char *authority)
{
    char text[254], canonical[INET6_ADDRSTRLEN];
    struct in6_addr address;
    bool bracket = *authority == '[';
    size_t length = strcspn(authority += bracket, bracket ? "]" : ":");

    if (length >= sizeof text)
        return NULL;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)tolower((unsigned char)authority[i]);
    text[length] = 0;
    if (!bracket) {
        buffer_append_text(out, text);
        return is_host_name(text) ? authority + length : NULL;
    }
    if (!authority[length] || !inet_pton(AF_INET6, text, &address) ||
        !inet_ntop(AF_INET6, &address, canonical, sizeof canonical))
        return NULL;
    buffer_append_format(out, "[%s]", canonical);
    return authority + length + 1;
}

/* Appends ":port" unless it is the scheme's own. False when `text` is neither "" nor a port. */
static bool append_port(struct buffer *out, const char *text, bool https)
{
    uint64_t port;

    if (!*text)
        return true;
    if (*text != ':' || strlen(text) > 6 || !number_read(text + 1, 1, 65535, &port))
        return false;
    if (port != (https ? 443 : 80))
        buffer_append_format(out, ":%u", (unsigned)port);
    return true;
}

/* Undoes %XX in place. False when an escape is broken or stands for NUL or '/'. */
static bool decode(char *text)
{
    char *out = text;

    for (; *text; text++) {
        int high, low, byte = (unsigned char)*text;

        if (byte == '%') {
            high = hex_value(text[1]);
            low = high < 0 ? -1 : hex_value(text[2]);
            if (low < 0)
                return false;
            byte = high * 16 + low;
            if (!byte || byte == '/')
                return false;
            text += 2;
        }
        *out++ = (char)byte;
    }
    *out = 0;
    return true;
}

/* Appends the path as it is signed, which is as S3 servers would encode it themselves. */
static bool append_path(struct buffer *out, const char *path)
{
    char *copy = strdup(path);
    size_t length;
    bool ok;

    if (!copy) {
        out->failed = true;
        return true;
    }
    length = strlen(copy);
    while (length && copy[length - 1] == '/')
        copy[--length] = 0;
    ok = decode(copy);
    if (ok)
        uri_encode(out, copy, true);
    free(copy);
    return ok;
}

static const char *find_fault(const char *url)
{
    size_t authority_length;
    const char *authority;

    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return "the URL has a blank or a control character in it";
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return "the URL does not begin with http:// or https://";
    authority = strstr(url, "//") + 2;
    authority_length = strcspn(authority, "/?#");
    if (memchr(authority, '@', authority_length))
        return "the URL has a user name or a password in it";
    if (!authority_length)
        return "the URL has no host name";
    if (strpbrk(authority, "?#"))
        return "the URL has a ? or # in it";
    return NULL;
}

/* Takes the URL apart. Returns what is wrong with it, or NULL; a buffer that failed wants memory.
 */
static const char *take_apart(const char *url, bool *ret_https, struct buffer *host,
                              struct buffer *path)
{
    const char *fault = find_fault(url), *authority, *port;
    char copy[HOST_CEILING];
    size_t length;

    if (fault)
        return fault;
    *ret_https = url[4] != ':';
    authority = strstr(url, "//") + 2;
    length = strcspn(authority, "/");
    snprintf(copy, sizeof copy, "%.*s", (int)length, authority);
    port = length < sizeof copy ? append_host(host, copy) : NULL;
    if (!port)
        return "the URL's host is neither a name nor an IP address";
    if (!append_port(host, port, *ret_https))
        return "the URL's port is not a number from 1 to 65535";
    if (!append_path(path, authority + length))
        return "the URL's path has a wrong %XX in it";
    if (strlen(authority + length) > PATH_CEILING / 3)
        return "the URL's path is too long";
    return NULL;
}

bool uri_parse_endpoint(const char *url, struct uri_endpoint *ret_endpoint, struct error *err)
{
    struct uri_endpoint endpoint = {0};
    struct buffer host, path;
    const char *fault;

    buffer_init(&host, HOST_CEILING);
    buffer_init(&path, PATH_CEILING);
    fault = take_apart(url, &endpoint.https, &host, &path);
    endpoint.host = buffer_take(&host);
    endpoint.path = buffer_take(&path);
    if (!fault && endpoint.host && endpoint.path) {
        *ret_endpoint = endpoint;
        return true;
    }
    uri_endpoint_done(&endpoint);
    return fault ? error_set(err, ERROR_SETTINGS, "%s", fault)
                 : error_set(err, ERROR_TRANSIENT, "no memory");
}

void uri_endpoint_done(struct uri_endpoint *endpoint)
{
    if (!endpoint)
        return;
    free(endpoint->host);
    free(endpoint->path);
    *endpoint = (struct uri_endpoint){0};
}
