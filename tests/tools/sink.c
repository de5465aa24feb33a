/*
 * sink - a minimal S3 server that accepts uploads and throws the bytes away.
 *
 * It measures S3 upload clients: it does not check signatures, stores no object
 * data, and discards request bodies as cheaply as the kernel allows
 * (recv(MSG_TRUNC): no copy to user space).  One thread per connection,
 * HTTP/1.1 keep-alive, Content-Length and chunked bodies (also aws-chunked,
 * with or without trailers), Expect: 100-continue, optional TLS.
 *
 *   sink [--address A] [--port N] [--tls CERT KEY] [--md5] [--latency-ms N] [--rate-mbps N]
 *        [--fail-rate P] [--seed N] [--journal FILE] [--stats] [--log]
 *
 *   --address A     listen on this address (default 127.0.0.1)
 *   --port N        and this port (default 9000; 0: any free one), and print
 *                   "port=N" when ready
 *   --tls CERT KEY  speak TLS (PEM files)
 *   --md5           compute the real MD5 ETag of each body (default: a fixed
 *                   ETag with a '-' in it, which clients do not verify)
 *   --latency-ms N  wait N ms before each response (100 Continue included)
 *   --rate-mbps N   read at most N megabit/s (1e6 bit) per connection
 *   --fail-rate P   answer 503 SlowDown with probability P (any S3 request).
 *                   Expect: 100-continue requests are refused before the body
 *                   (and the connection closed), others after their body.
 *   --seed N        seed of the failure sequence (default 1)
 *   --journal FILE  append one line for each event, and replay FILE at start, so
 *                   that a killed and restarted sink still knows its uploads:
 *                     C id path | P id part size etag | D id path size etag |
 *                     A id | O path size etag | F method target (a 503) |
 *                     M id header | N path header (what HEAD gives back)
 *   --stats         on SIGINT/SIGTERM print totals for each connection, the
 *                   server's own CPU time, and the uploads left open
 *   --log           print one line for each request to stderr
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PARTS 10000
#define IOBUF     (256 * 1024)
#define MAX_HEAD  (64 * 1024)
#define MAX_XML   (8u * 1024 * 1024)
#define ETAG_LEN  48
#define FAKE_ETAG "d41d8cd98f00b204e9800998ecf8427e-1"

/* ---- options ---------------------------------------------------------- */

static struct in_addr opt_address;
static int opt_port = 9000, opt_latency_ms;
static double opt_rate_mbps, opt_fail_rate;
static bool opt_md5, opt_stats, opt_log;
static int journal_fd = -1;
static SSL_CTX *tls_ctx;

/* ---- stored state: uploads and objects -------------------------------- */

struct part {
    uint64_t size;
    bool present;
    char etag[ETAG_LEN];
};

struct upload {
    struct upload *next;
    char id[40];
    char *path;
    char *meta; /* Content-Type and x-amz-meta-* as header lines, each ended by CRLF */
    bool open;
    struct part *parts; /* MAX_PARTS + 1 entries, 1-based */
};

struct object {
    struct object *next;
    char *path;
    char *meta;
    uint64_t size;
    char etag[ETAG_LEN];
};

/* totals of one connection; kept after it closes for --stats */
struct cstat {
    struct cstat *next;
    unsigned id, requests, failed;
    uint64_t bytes;
    double t0, t1;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct upload *uploads;
static struct object *objects;
static struct cstat *cstats;
static unsigned upload_seq, conn_seq;
static uint64_t rng = 1;

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static void nap(double s)
{
    if (s <= 0)
        return;
    struct timespec ts = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
    while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
        ;
}

static void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p) {
        perror("calloc");
        exit(1);
    }
    return p;
}

static char *xstrdup(const char *s)
{
    char *p = strdup(s);
    if (!p) {
        perror("strdup");
        exit(1);
    }
    return p;
}

__attribute__((format(printf, 1, 2))) static void journal(const char *fmt, ...)
{
    char line[8192];
    va_list ap;

    if (journal_fd < 0)
        return;
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n < sizeof line && write(journal_fd, line, (size_t)n) != n)
        perror("journal");
}

/* xorshift64*: true with probability opt_fail_rate */
static bool draw_failure(void)
{
    if (opt_fail_rate <= 0)
        return false;
    pthread_mutex_lock(&lock);
    rng ^= rng >> 12;
    rng ^= rng << 25;
    rng ^= rng >> 27;
    double u = (double)((rng * 0x2545F4914F6CDD1DULL) >> 11) / 9007199254740992.0;
    pthread_mutex_unlock(&lock);
    return u < opt_fail_rate;
}

/* The functions below are called with `lock` held. */

static struct upload *upload_find(const char *id)
{
    for (struct upload *u = uploads; u; u = u->next)
        if (!strcmp(u->id, id))
            return u;
    return NULL;
}

static struct upload *upload_new(const char *id, const char *path, const char *meta)
{
    struct upload *u = xcalloc(1, sizeof *u);
    snprintf(u->id, sizeof u->id, "%s", id);
    u->path = xstrdup(path);
    u->meta = xstrdup(meta);
    u->open = true;
    u->parts = xcalloc(MAX_PARTS + 1, sizeof *u->parts);
    u->next = uploads;
    uploads = u;
    return u;
}

static struct object *object_find(const char *path)
{
    for (struct object *o = objects; o; o = o->next)
        if (!strcmp(o->path, path))
            return o;
    return NULL;
}

static void object_set(const char *path, uint64_t size, const char *etag, const char *meta)
{
    struct object *o = object_find(path);
    if (!o) {
        o = xcalloc(1, sizeof *o);
        o->path = xstrdup(path);
        o->next = objects;
        objects = o;
    }
    o->size = size;
    free(o->meta);
    o->meta = xstrdup(meta);
    snprintf(o->etag, sizeof o->etag, "%s", etag);
}

static void part_set(struct upload *u, long n, uint64_t size, const char *etag)
{
    if (n < 1 || n > MAX_PARTS)
        return;
    u->parts[n].present = true;
    u->parts[n].size = size;
    snprintf(u->parts[n].etag, sizeof u->parts[n].etag, "%s", etag);
}

/* Adds one header line, without its CRLF, to *meta. */
static void meta_add(char **meta, const char *line)
{
    size_t have = *meta ? strlen(*meta) : 0, more = strlen(line);
    char *grown = xcalloc(1, have + more + 3);

    snprintf(grown, have + more + 3, "%s%s\r\n", *meta ? *meta : "", line);
    free(*meta);
    *meta = grown;
}

/* Journals header lines: one line `KIND name header` for each. */
static void journal_meta(char kind, const char *name, const char *meta)
{
    while (*meta) {
        size_t n = strcspn(meta, "\r");
        journal("%c %s %.*s\n", kind, name, (int)n, meta);
        meta += n + (meta[n] ? 2 : 0);
    }
}

static void journal_replay(const char *file)
{
    FILE *f = fopen(file, "r");
    char line[8192], id[40], path[4096], etag[ETAG_LEN];
    unsigned long long size;
    long n;
    int used = 0;

    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        struct upload *u;
        if (sscanf(line, "C %39s %4095s", id, path) == 2) {
            upload_new(id, path, "");
            upload_seq++;
        } else if (sscanf(line, "M %39s %4095[^\n]", id, path) == 2) {
            if ((u = upload_find(id)))
                meta_add(&u->meta, path);
        } else if (sscanf(line, "N %4095s %n", path, &used) == 1) {
            struct object *o = object_find(path);
            line[strcspn(line, "\n")] = 0;
            if (o)
                meta_add(&o->meta, line + used);
        } else if (sscanf(line, "P %39s %ld %llu %47s", id, &n, &size, etag) == 4) {
            if ((u = upload_find(id)))
                part_set(u, n, size, etag);
        } else if (sscanf(line, "D %39s %4095s %llu %47s", id, path, &size, etag) == 4) {
            u = upload_find(id);
            object_set(path, size, etag, u ? u->meta : "");
            if (u)
                u->open = false;
        } else if (sscanf(line, "A %39s", id) == 1) {
            if ((u = upload_find(id)))
                u->open = false;
        } else if (sscanf(line, "O %4095s %llu %47s", path, &size, etag) == 3) {
            object_set(path, size, etag, "");
        }
    }
    fclose(f);
}

/* ---- connection I/O --------------------------------------------------- */

struct conn {
    int fd;
    SSL *ssl;
    unsigned char *buf; /* IOBUF bytes */
    size_t pos, len;    /* unread bytes are buf[pos..len) */
    double rate_t;      /* when the rate cap allows the next read */
    struct cstat *st;
};

/* Reads up to n bytes (into p, or nowhere if p is NULL); <= 0 at the end. */
static ssize_t raw_read(struct conn *c, void *p, size_t n)
{
    ssize_t r;

    if (opt_rate_mbps > 0 && n > 64 * 1024)
        n = 64 * 1024;
    if (c->ssl) {
        unsigned char scratch[32 * 1024];
        if (!p && n > sizeof scratch)
            n = sizeof scratch;
        r = SSL_read(c->ssl, p ? p : scratch, n > INT32_MAX ? INT32_MAX : (int)n);
    } else {
        do
            r = recv(c->fd, p, n, p ? 0 : MSG_TRUNC);
        while (r < 0 && errno == EINTR);
    }
    if (r > 0) {
        c->st->bytes += (uint64_t)r;
        if (opt_rate_mbps > 0) {
            double t = now();
            if (c->rate_t < t - 0.02) /* idle time earns at most 20 ms */
                c->rate_t = t - 0.02;
            c->rate_t += (double)r * 8 / (opt_rate_mbps * 1e6);
            nap(c->rate_t - t);
        }
    }
    return r;
}

static bool raw_write(struct conn *c, const void *p, size_t n)
{
    const char *s = p;
    while (n) {
        ssize_t r = c->ssl ? SSL_write(c->ssl, s, (int)n) : send(c->fd, s, n, MSG_NOSIGNAL);
        if (r < 0 && !c->ssl && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        s += r;
        n -= (size_t)r;
    }
    return true;
}

/* Makes at least one unread byte available in c->buf. */
static bool fill(struct conn *c)
{
    if (c->pos < c->len)
        return true;
    ssize_t r = raw_read(c, c->buf, IOBUF);
    if (r <= 0)
        return false;
    c->pos = 0;
    c->len = (size_t)r;
    return true;
}

/* Reads one CRLF or LF terminated line without its end; false at EOF/too long. */
static bool get_line(struct conn *c, char *out, size_t size)
{
    size_t n = 0;
    for (;;) {
        if (!fill(c))
            return false;
        char ch = (char)c->buf[c->pos++];
        if (ch == '\n')
            break;
        if (n + 1 >= size)
            return false;
        out[n++] = ch;
    }
    if (n && out[n - 1] == '\r')
        n--;
    out[n] = 0;
    return true;
}

/* ---- request bodies --------------------------------------------------- */

/*
 * Where body bytes go.  If none of keep/md/aws is wanted the bytes are skipped
 * in the kernel.  The aws-chunked decoder is a byte-driven state machine:
 * hex size [;ext] CRLF data CRLF ... 0 CRLF trailers CRLF.
 */
struct body {
    bool aws; /* decode aws-chunked framing */
    enum { A_SIZE, A_EXT, A_DATA, A_CR, A_TRAILER } state;
    uint64_t left;
    EVP_MD_CTX *md;
    char *keep; /* XML request bodies */
    size_t kept;
    bool want_keep;
    uint64_t size; /* decoded payload bytes */
};

static bool body_out(struct body *b, const unsigned char *p, size_t n)
{
    b->size += n;
    if (b->md)
        EVP_DigestUpdate(b->md, p, n);
    if (b->want_keep) {
        if (b->kept + n > MAX_XML)
            return false;
        char *k = realloc(b->keep, b->kept + n + 1);
        if (!k)
            return false;
        memcpy(k + b->kept, p, n);
        b->keep = k;
        b->kept += n;
        k[b->kept] = 0;
    }
    return true;
}

static bool body_push(struct body *b, const unsigned char *p, size_t n)
{
    if (!b->aws)
        return body_out(b, p, n);
    while (n) {
        unsigned char ch = *p;
        switch (b->state) {
        case A_SIZE:
        case A_EXT:
            p++, n--;
            if (ch == '\n')
                b->state = b->left ? A_DATA : A_TRAILER;
            else if (ch == ';')
                b->state = A_EXT;
            else if (b->state == A_SIZE && ch != '\r')
                b->left = b->left * 16 + (uint64_t)(ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10);
            break;
        case A_DATA: {
            size_t k = n < b->left ? n : (size_t)b->left;
            if (!body_out(b, p, k))
                return false;
            p += k, n -= k, b->left -= k;
            if (!b->left)
                b->state = A_CR;
            break;
        }
        case A_CR: /* the CRLF after a chunk */
            p++, n--;
            if (ch == '\n')
                b->state = A_SIZE;
            break;
        case A_TRAILER:
            return true;
        }
    }
    return true;
}

/* Takes exactly n body bytes off the connection. */
static bool body_take(struct conn *c, struct body *b, uint64_t n)
{
    bool see = b->aws || b->md || b->want_keep;
    while (n) {
        if (c->pos == c->len && !see) {
            ssize_t r = raw_read(c, NULL, n > (4u << 20) ? (4u << 20) : (size_t)n);
            if (r <= 0)
                return false;
            b->size += (uint64_t)r;
            n -= (uint64_t)r;
            continue;
        }
        if (!fill(c))
            return false;
        size_t k = c->len - c->pos;
        if (k > n)
            k = (size_t)n;
        if (see) {
            if (!body_push(b, c->buf + c->pos, k))
                return false;
        } else {
            b->size += k;
        }
        c->pos += k;
        n -= k;
    }
    return true;
}

/* ---- requests --------------------------------------------------------- */

struct req {
    char method[16], *path, *query;
    char target[8192];
    uint64_t length, decoded;
    bool has_length, has_decoded, chunked, aws_chunked, expect, close, copy;
    char checksum[160]; /* "name: value" of an x-amz-checksum header */
    char payload[80];   /* x-amz-content-sha256, for --log */
    bool md5;           /* Content-MD5 was sent, for --log */
    char meta[4096];    /* header lines that come back with HEAD and GET */
};

/* The value of query parameter `name` into out; false if it is absent. */
static bool query_get(const char *q, const char *name, char *out, size_t size)
{
    size_t nl = strlen(name);
    while (q && *q) {
        size_t n = strcspn(q, "&");
        if (n >= nl && !strncmp(q, name, nl) && (n == nl || q[nl] == '=')) {
            const char *v = n == nl ? q + nl : q + nl + 1;
            size_t vn = (size_t)(q + n - v);
            if (vn >= size)
                vn = size - 1;
            memcpy(out, v, vn);
            out[vn] = 0;
            return true;
        }
        q += n;
        if (*q)
            q++;
    }
    return false;
}

static bool query_has(const char *q, const char *name)
{
    char v[8];
    return query_get(q, name, v, sizeof v);
}

/* Reads the request line and the headers. */
static bool read_head(struct conn *c, struct req *r)
{
    char line[MAX_HEAD / 4], *sp;
    size_t total = 0;

    memset(r, 0, sizeof *r);
    do {
        if (!get_line(c, line, sizeof line))
            return false;
    } while (!*line);
    if (sscanf(line, "%15s %8191s", r->method, r->target) != 2)
        return false;
    r->path = r->target;
    if (!strncasecmp(r->path, "http://", 7) || !strncasecmp(r->path, "https://", 8)) {
        char *slash = strchr(r->path + 8, '/'); /* absolute form */
        r->path = slash ? slash : (char *)"/";
    }
    r->query = strchr(r->path, '?');
    if (r->query)
        *r->query++ = 0;
    while (get_line(c, line, sizeof line)) {
        if (!*line)
            return true;
        if ((total += strlen(line)) > MAX_HEAD || !(sp = strchr(line, ':')))
            return false;
        *sp++ = 0;
        sp += strspn(sp, " \t");
        if (!strcasecmp(line, "content-length")) {
            r->length = strtoull(sp, NULL, 10);
            r->has_length = true;
        } else if (!strcasecmp(line, "x-amz-decoded-content-length")) {
            r->decoded = strtoull(sp, NULL, 10);
            r->has_decoded = true;
        } else if (!strcasecmp(line, "transfer-encoding")) {
            r->chunked = strcasestr(sp, "chunked") != NULL;
        } else if (!strcasecmp(line, "content-encoding")) {
            r->aws_chunked = strcasestr(sp, "aws-chunked") != NULL;
        } else if (!strcasecmp(line, "x-amz-content-sha256")) {
            snprintf(r->payload, sizeof r->payload, "%.79s", sp);
            if (!strncmp(sp, "STREAMING-", 10))
                r->aws_chunked = true;
        } else if (!strcasecmp(line, "content-type") || !strncasecmp(line, "x-amz-meta-", 11)) {
            size_t have = strlen(r->meta);
            int n = snprintf(r->meta + have, sizeof r->meta - have, "%s: %s\r\n", line, sp);
            if (n < 0 || have + (size_t)n >= sizeof r->meta)
                r->meta[have] = 0; /* does not fit: left out whole */
        } else if (!strcasecmp(line, "content-md5")) {
            r->md5 = true;
        } else if (!strcasecmp(line, "expect")) {
            r->expect = strcasestr(sp, "100-continue") != NULL;
        } else if (!strcasecmp(line, "connection")) {
            r->close = strcasestr(sp, "close") != NULL;
        } else if (!strcasecmp(line, "x-amz-copy-source")) {
            r->copy = true;
        } else if (!strncasecmp(line, "x-amz-checksum-", 15) &&
                   strcasecmp(line, "x-amz-checksum-algorithm") &&
                   strcasecmp(line, "x-amz-checksum-type")) {
            snprintf(r->checksum, sizeof r->checksum, "%.60s: %.90s", line, sp);
        }
    }
    return false;
}

static bool read_body(struct conn *c, const struct req *r, struct body *b)
{
    char line[4096];

    if (r->chunked) {
        for (;;) {
            if (!get_line(c, line, sizeof line))
                return false;
            uint64_t n = strtoull(line, NULL, 16);
            if (!n)
                break;
            if (!body_take(c, b, n) || !get_line(c, line, sizeof line))
                return false;
        }
        do {
            if (!get_line(c, line, sizeof line))
                return false;
        } while (*line);
    } else if (r->has_length) {
        if (!body_take(c, b, r->length))
            return false;
    }
    if (r->aws_chunked && !b->aws && r->has_decoded)
        b->size = r->decoded;
    return true;
}

/*
 * Sends a response.  `extra` holds further header lines, each with CRLF.  A
 * content_length >= 0 with body NULL announces that length (HEAD).
 */
static bool respond(struct conn *c, struct req *r, int status, const char *extra, const char *body,
                    int64_t content_length)
{
    static const char *const reasons[][2] = {
        {"200", "OK"},        {"204", "No Content"},      {"400", "Bad Request"},
        {"404", "Not Found"}, {"501", "Not Implemented"}, {"503", "Slow Down"},
    };
    const char *reason = "OK";
    char *out, date[64];
    time_t t = time(NULL);
    struct tm tm;

    if (opt_latency_ms)
        nap(opt_latency_ms / 1000.0);
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (atoi(reasons[i][0]) == status)
            reason = reasons[i][1];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &tm));
    if (content_length < 0)
        content_length = body ? (int64_t)strlen(body) : 0;
    int n = asprintf(&out,
                     "HTTP/1.1 %d %s\r\nServer: sink\r\nDate: %s\r\n"
                     "x-amz-request-id: 0000000000000000\r\n%s%s%s"
                     "Content-Length: %lld\r\n\r\n%s",
                     status, reason, date, extra ? extra : "",
                     body ? "Content-Type: application/xml\r\n" : "",
                     r->close ? "Connection: close\r\n" : "", (long long)content_length,
                     body && strcmp(r->method, "HEAD") ? body : "");
    if (n < 0)
        return false;
    bool ok = raw_write(c, out, (size_t)n);
    free(out);
    if (opt_log)
        fprintf(stderr, "%u %s %s%s%s -> %d; sha256 %s%s%s%s%s%s\n", c->st->id, r->method, r->path,
                r->query ? "?" : "", r->query ? r->query : "", status,
                *r->payload ? r->payload : "none", r->md5 ? ", md5" : "",
                r->chunked ? ", chunked" : "", r->expect ? ", expect" : "",
                *r->checksum ? ", " : "", r->checksum);
    return ok;
}

static bool respond_error(struct conn *c, struct req *r, int status, const char *code)
{
    char xml[512];
    snprintf(xml, sizeof xml,
             "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
             "<Message>%s</Message><RequestId>0</RequestId></Error>",
             code, code);
    return respond(c, r, status, NULL, xml, -1);
}

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define XMLNS    " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* Splits /bucket/key; returns the key, or NULL for a bucket or service request. */
static const char *split_path(const char *path, char *bucket, size_t size)
{
    path += strspn(path, "/");
    size_t n = strcspn(path, "/");
    snprintf(bucket, size, "%.*s", (int)(n < size ? n : size - 1), path);
    path += n;
    path += strspn(path, "/");
    return *path ? path : NULL;
}

/* MD5 over the parts' binary MD5s, as S3 does; falls back to the fixed ETag. */
static void multipart_etag(const struct upload *u, unsigned count, char *etag)
{
    unsigned char dig[EVP_MAX_MD_SIZE];
    unsigned dl = 0;
    EVP_MD_CTX *md = opt_md5 ? EVP_MD_CTX_new() : NULL;

    if (!md) {
        snprintf(etag, ETAG_LEN, "%.32s-%u", FAKE_ETAG, count);
        return;
    }
    EVP_DigestInit_ex(md, EVP_md5(), NULL);
    for (int i = 1; i <= MAX_PARTS; i++) {
        if (!u->parts[i].present)
            continue;
        for (int k = 0; k < 16; k++) {
            unsigned byte = 0;
            sscanf(u->parts[i].etag + 2 * k, "%2x", &byte);
            unsigned char b = (unsigned char)byte;
            EVP_DigestUpdate(md, &b, 1);
        }
    }
    EVP_DigestFinal_ex(md, dig, &dl);
    EVP_MD_CTX_free(md);
    for (unsigned i = 0; i < dl; i++)
        sprintf(etag + 2 * i, "%02x", dig[i]);
    snprintf(etag + 32, ETAG_LEN - 32, "-%u", count);
}

static bool do_put(struct conn *c, struct req *r, const char *etag, uint64_t size)
{
    char id[40], num[16], extra[320];

    if (query_get(r->query, "uploadId", id, sizeof id) &&
        query_get(r->query, "partNumber", num, sizeof num)) {
        pthread_mutex_lock(&lock);
        struct upload *u = upload_find(id);
        bool ok = u && u->open;
        if (ok)
            part_set(u, atol(num), size, etag);
        pthread_mutex_unlock(&lock);
        if (!ok)
            return respond_error(c, r, 404, "NoSuchUpload");
        journal("P %s %ld %llu %s\n", id, atol(num), (unsigned long long)size, etag);
    } else {
        pthread_mutex_lock(&lock);
        object_set(r->path, size, etag, r->meta);
        pthread_mutex_unlock(&lock);
        journal("O %s %llu %s\n", r->path, (unsigned long long)size, etag);
        journal_meta('N', r->path, r->meta);
        if (r->copy)
            return respond(c, r, 200, NULL,
                           XML_HEAD
                           "<CopyObjectResult><ETag>&quot;" FAKE_ETAG
                           "&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                           "</CopyObjectResult>",
                           -1);
    }
    snprintf(extra, sizeof extra, "ETag: \"%s\"\r\n%s%s", etag, r->checksum,
             *r->checksum ? "\r\n" : "");
    return respond(c, r, 200, extra, NULL, -1);
}

static bool do_post(struct conn *c, struct req *r, const char *bucket, const char *key)
{
    char id[40], xml[8192];

    if (query_has(r->query, "uploads")) {
        pthread_mutex_lock(&lock);
        snprintf(id, sizeof id, "up%08x%06u", (unsigned)getpid(), ++upload_seq);
        upload_new(id, r->path, r->meta);
        pthread_mutex_unlock(&lock);
        journal("C %s %s\n", id, r->path);
        journal_meta('M', id, r->meta);
        snprintf(xml, sizeof xml,
                 XML_HEAD
                 "<InitiateMultipartUploadResult" XMLNS "><Bucket>%s"
                 "</Bucket><Key>%s</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>",
                 bucket, key ? key : "", id);
        return respond(c, r, 200, NULL, xml, -1);
    }
    if (query_get(r->query, "uploadId", id, sizeof id)) {
        char etag[ETAG_LEN];
        uint64_t size = 0;
        unsigned count = 0;
        pthread_mutex_lock(&lock);
        struct upload *u = upload_find(id);
        if (u && u->open) {
            for (int i = 1; i <= MAX_PARTS; i++)
                if (u->parts[i].present)
                    count++, size += u->parts[i].size;
            multipart_etag(u, count, etag);
            u->open = false;
            object_set(r->path, size, etag, u->meta);
        } else {
            u = NULL;
        }
        pthread_mutex_unlock(&lock);
        if (!u)
            return respond_error(c, r, 404, "NoSuchUpload");
        journal("D %s %s %llu %s\n", id, r->path, (unsigned long long)size, etag);
        snprintf(xml, sizeof xml,
                 XML_HEAD
                 "<CompleteMultipartUploadResult" XMLNS "><Location>"
                 "http://127.0.0.1%s</Location><Bucket>%s</Bucket><Key>%s</Key><ETag>&quot;%s&quot;"
                 "</ETag></CompleteMultipartUploadResult>",
                 r->path, bucket, key ? key : "", etag);
        return respond(c, r, 200, NULL, xml, -1);
    }
    if (query_has(r->query, "delete"))
        return respond(c, r, 200, NULL, XML_HEAD "<DeleteResult" XMLNS "></DeleteResult>", -1);
    return respond_error(c, r, 501, "NotImplemented");
}

/* ListParts and ListMultipartUploads build their XML with a memory stream. */
static bool do_list_parts(struct conn *c, struct req *r, const char *id)
{
    char *xml = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&xml, &n);

    if (!f)
        return false;
    pthread_mutex_lock(&lock);
    struct upload *u = upload_find(id);
    bool ok = u && u->open;
    fprintf(f,
            XML_HEAD "<ListPartsResult" XMLNS "><UploadId>%s</UploadId>"
                     "<IsTruncated>false</IsTruncated>",
            id);
    for (int i = 1; ok && i <= MAX_PARTS; i++)
        if (u->parts[i].present)
            fprintf(f,
                    "<Part><PartNumber>%d</PartNumber><ETag>&quot;%s&quot;</ETag><Size>%llu"
                    "</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Part>",
                    i, u->parts[i].etag, (unsigned long long)u->parts[i].size);
    pthread_mutex_unlock(&lock);
    fprintf(f, "</ListPartsResult>");
    fclose(f);
    bool sent = ok ? respond(c, r, 200, NULL, xml, -1) : respond_error(c, r, 404, "NoSuchUpload");
    free(xml);
    return sent;
}

static bool do_list_uploads(struct conn *c, struct req *r, const char *bucket)
{
    char *xml = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&xml, &n);

    if (!f)
        return false;
    fprintf(f,
            XML_HEAD "<ListMultipartUploadsResult" XMLNS "><Bucket>%s</Bucket>"
                     "<IsTruncated>false</IsTruncated>",
            bucket);
    pthread_mutex_lock(&lock);
    for (struct upload *u = uploads; u; u = u->next) {
        char b[256];
        const char *k = split_path(u->path, b, sizeof b);
        if (u->open && k && !strcmp(b, bucket))
            fprintf(f,
                    "<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>"
                    "2026-01-01T00:00:00.000Z</Initiated></Upload>",
                    k, u->id);
    }
    pthread_mutex_unlock(&lock);
    fprintf(f, "</ListMultipartUploadsResult>");
    fclose(f);
    bool sent = respond(c, r, 200, NULL, xml, -1);
    free(xml);
    return sent;
}

static bool do_get(struct conn *c, struct req *r, const char *bucket, const char *key)
{
    char id[40], extra[4608], xml[1024];
    bool head = !strcmp(r->method, "HEAD");

    if (key) {
        if (query_get(r->query, "uploadId", id, sizeof id))
            return do_list_parts(c, r, id);
        uint64_t size = 0;
        char etag[ETAG_LEN] = "";
        pthread_mutex_lock(&lock);
        struct object *o = object_find(r->path);
        if (o) {
            size = o->size;
            memcpy(etag, o->etag, sizeof etag);
            snprintf(extra, sizeof extra,
                     "ETag: \"%s\"\r\nAccept-Ranges: bytes\r\n%s"
                     "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n",
                     etag, o->meta);
        }
        pthread_mutex_unlock(&lock);
        if (!*etag)
            return head ? respond(c, r, 404, NULL, NULL, 0) : respond_error(c, r, 404, "NoSuchKey");
        if (!respond(c, r, 200, extra, NULL, (int64_t)size))
            return false;
        static const char zero[65536];
        while (!head && size) { /* the data are gone: send zeros */
            size_t k = size < sizeof zero ? (size_t)size : sizeof zero;
            if (!raw_write(c, zero, k))
                return false;
            size -= k;
        }
        return true;
    }
    if (head)
        return respond(c, r, 200, "x-amz-bucket-region: us-east-1\r\n", NULL, 0);
    if (!*bucket)
        return respond(c, r, 200, NULL,
                       XML_HEAD "<ListAllMyBucketsResult" XMLNS "><Owner><ID>0"
                                "</ID></Owner><Buckets><Bucket><Name>bucket</Name><CreationDate>"
                                "2026-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets>"
                                "</ListAllMyBucketsResult>",
                       -1);
    if (query_has(r->query, "location"))
        return respond(c, r, 200, NULL, XML_HEAD "<LocationConstraint" XMLNS "/>", -1);
    if (query_has(r->query, "uploads"))
        return do_list_uploads(c, r, bucket);
    snprintf(xml, sizeof xml,
             XML_HEAD
             "<ListBucketResult" XMLNS "><Name>%s</Name><Prefix></Prefix>"
             "<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>"
             "</ListBucketResult>",
             bucket);
    return respond(c, r, 200, NULL, xml, -1);
}

/* Serves one request; false closes the connection. */
static bool serve(struct conn *c)
{
    struct req r;
    struct body b = {0};
    char bucket[256], etag[ETAG_LEN] = FAKE_ETAG;
    bool ok = false;

    if (!read_head(c, &r))
        return false;
    c->st->requests++;
    const char *key = split_path(r.path, bucket, sizeof bucket);
    bool fail = draw_failure();
    if (fail) {
        c->st->failed++;
        journal("F %s %s?%s\n", r.method, r.path, r.query ? r.query : "");
    }
    if (r.expect && (r.length || r.chunked)) {
        if (fail) { /* refuse the body */
            r.close = true;
            respond_error(c, &r, 503, "SlowDown");
            return false;
        }
        if (opt_latency_ms)
            nap(opt_latency_ms / 1000.0);
        if (!raw_write(c, "HTTP/1.1 100 Continue\r\n\r\n", 25))
            return false;
    }
    b.want_keep = !strcmp(r.method, "POST");
    if (opt_md5 && !strcmp(r.method, "PUT")) {
        if (!(b.md = EVP_MD_CTX_new()))
            return false;
        EVP_DigestInit_ex(b.md, EVP_md5(), NULL);
    }
    b.aws = r.aws_chunked && (b.md || b.want_keep || !r.has_decoded);
    if (!read_body(c, &r, &b))
        goto out;
    if (b.md) {
        unsigned char dig[EVP_MAX_MD_SIZE];
        unsigned dl = 0;
        EVP_DigestFinal_ex(b.md, dig, &dl);
        for (unsigned i = 0; i < dl; i++)
            sprintf(etag + 2 * i, "%02x", dig[i]);
    }
    if (fail)
        ok = respond_error(c, &r, 503, "SlowDown");
    else if (!strcmp(r.method, "PUT"))
        ok = key ? do_put(c, &r, etag, b.size) : respond(c, &r, 200, NULL, NULL, -1);
    else if (!strcmp(r.method, "POST"))
        ok = do_post(c, &r, bucket, key);
    else if (!strcmp(r.method, "GET") || !strcmp(r.method, "HEAD"))
        ok = do_get(c, &r, bucket, key);
    else if (!strcmp(r.method, "DELETE")) {
        char id[40];
        if (query_get(r.query, "uploadId", id, sizeof id)) {
            pthread_mutex_lock(&lock);
            struct upload *u = upload_find(id);
            if (u)
                u->open = false;
            pthread_mutex_unlock(&lock);
            journal("A %s\n", id);
        }
        ok = respond(c, &r, 204, NULL, NULL, 0);
    } else {
        ok = respond_error(c, &r, 501, "NotImplemented");
    }
out:
    EVP_MD_CTX_free(b.md);
    free(b.keep);
    return ok && !r.close;
}

static void *conn_main(void *arg)
{
    struct conn *c = arg;
    bool up = true;

    if (tls_ctx) {
        c->ssl = SSL_new(tls_ctx);
        up = c->ssl && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_accept(c->ssl) == 1;
    }
    while (up && serve(c))
        ;
    c->st->t1 = now();
    if (c->ssl) {
        if (up)
            SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    close(c->fd);
    free(c->buf);
    free(c);
    return NULL;
}

/* ---- start and end ---------------------------------------------------- */

static void print_stats(void)
{
    struct rusage ru;
    unsigned n = 0, reqs = 0, failed = 0, open = 0;
    uint64_t bytes = 0;
    double t = now();

    for (struct cstat *s = cstats; s; s = s->next) {
        double end = s->t1 > 0 ? s->t1 : t;
        fprintf(stderr, "conn %u: %u requests, %u failed, %llu bytes, %.3f s%s\n", s->id,
                s->requests, s->failed, (unsigned long long)s->bytes, end - s->t0,
                s->t1 > 0 ? "" : " (still open)");
        n++, reqs += s->requests, failed += s->failed, bytes += s->bytes;
    }
    for (struct upload *u = uploads; u; u = u->next) {
        unsigned parts = 0;
        if (!u->open)
            continue;
        for (int i = 1; i <= MAX_PARTS; i++)
            parts += u->parts[i].present;
        fprintf(stderr, "open upload %s %s: %u parts\n", u->id, u->path, parts);
        open++;
    }
    getrusage(RUSAGE_SELF, &ru);
    fprintf(stderr,
            "total: %u connections, %u requests, %u failed, %llu bytes, %u uploads open; "
            "server cpu %ld.%03ld user %ld.%03ld sys\n",
            n, reqs, failed, (unsigned long long)bytes, open, (long)ru.ru_utime.tv_sec,
            (long)ru.ru_utime.tv_usec / 1000, (long)ru.ru_stime.tv_sec,
            (long)ru.ru_stime.tv_usec / 1000);
}

static void *signal_main(void *arg)
{
    sigset_t *set = arg;
    int sig;

    sigwait(set, &sig);
    pthread_mutex_lock(&lock);
    if (opt_stats)
        print_stats();
    _exit(0);
}

static void usage(void)
{
    fprintf(stderr,
            "usage: sink [--address A] [--port N] [--tls CERT KEY] [--md5] [--latency-ms N] "
            "[--rate-mbps N] [--fail-rate P] [--seed N] [--journal FILE] [--stats] [--log]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    opt_address.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        int left = argc - i - 1;
        if (!strcmp(a, "--md5"))
            opt_md5 = true;
        else if (!strcmp(a, "--stats"))
            opt_stats = true;
        else if (!strcmp(a, "--log"))
            opt_log = true;
        else if (!strcmp(a, "--address") && left >= 1 && inet_aton(argv[i + 1], &opt_address))
            i++;
        else if (!strcmp(a, "--port") && left >= 1)
            opt_port = atoi(argv[++i]);
        else if (!strcmp(a, "--latency-ms") && left >= 1)
            opt_latency_ms = atoi(argv[++i]);
        else if (!strcmp(a, "--rate-mbps") && left >= 1)
            opt_rate_mbps = atof(argv[++i]);
        else if (!strcmp(a, "--fail-rate") && left >= 1)
            opt_fail_rate = atof(argv[++i]);
        else if (!strcmp(a, "--seed") && left >= 1)
            rng = strtoull(argv[++i], NULL, 0) * 0x9E3779B97F4A7C15ULL | 1;
        else if (!strcmp(a, "--journal") && left >= 1) {
            journal_replay(argv[++i]);
            journal_fd = open(argv[i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
            if (journal_fd < 0) {
                perror(argv[i]);
                return 1;
            }
        } else if (!strcmp(a, "--tls") && left >= 2) {
            tls_ctx = SSL_CTX_new(TLS_server_method());
            if (!tls_ctx || SSL_CTX_use_certificate_chain_file(tls_ctx, argv[i + 1]) != 1 ||
                SSL_CTX_use_PrivateKey_file(tls_ctx, argv[i + 2], SSL_FILETYPE_PEM) != 1) {
                fprintf(stderr, "cannot load %s and %s\n", argv[i + 1], argv[i + 2]);
                return 1;
            }
            SSL_CTX_set_read_ahead(tls_ctx, 1);
            SSL_CTX_set_default_read_buffer_len(tls_ctx, 128 * 1024);
            i += 2;
        } else {
            usage();
        }
    }

    static sigset_t set;
    pthread_t th;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (pthread_create(&th, NULL, signal_main, &set)) {
        perror("pthread_create");
        return 1;
    }

    int ls = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt_port)};
    sa.sin_addr = opt_address;
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (opt_rate_mbps > 0) { /* do not let the kernel hide the cap */
        int rb = 128 * 1024;
        setsockopt(ls, SOL_SOCKET, SO_RCVBUF, &rb, sizeof rb);
    }
    if (ls < 0 || bind(ls, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(ls, 512) < 0) {
        perror("listen");
        return 1;
    }
    socklen_t sa_size = sizeof sa;
    if (getsockname(ls, (struct sockaddr *)&sa, &sa_size) < 0) {
        perror("getsockname");
        return 1;
    }
    printf("port=%u\n", (unsigned)ntohs(sa.sin_port));
    fflush(stdout);

    pthread_attr_t at;
    pthread_attr_init(&at);
    pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&at, 256 * 1024);
    for (;;) {
        int fd = accept4(ls, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            perror("accept");
            return 1;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct conn *c = xcalloc(1, sizeof *c);
        c->fd = fd;
        c->buf = xcalloc(1, IOBUF);
        c->st = xcalloc(1, sizeof *c->st);
        c->st->t0 = now();
        pthread_mutex_lock(&lock);
        c->st->id = ++conn_seq;
        c->st->next = cstats;
        cstats = c->st;
        pthread_mutex_unlock(&lock);
        if (pthread_create(&th, &at, conn_main, c)) {
            perror("pthread_create");
            close(fd);
        }
    }
}
