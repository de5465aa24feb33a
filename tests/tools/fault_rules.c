#include "tests/tools/fault_rules.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_RULES 32u

static const struct fault faults[] = {
    /* the server says no */
    {.name = "500", .status = 500, .code = "InternalError"},
    {.name = "503", .status = 503, .code = "SlowDown"},
    {.name = "503-retry-after", .status = 503, .code = "SlowDown", .header = "Retry-After: 1"},
    {.name = "503-empty-message", .status = 503, .code = "SlowDown", .empty_message = true},
    {.name = "503-html", .status = 503, .body = FAULT_BODY_HTML},
    {.name = "502-bare", .status = 502, .body = FAULT_BODY_NONE},
    {.name = "500-noise", .status = 500, .body = FAULT_BODY_NOISE},
    {.name = "500-huge", .status = 500, .body = FAULT_BODY_HUGE},
    {.name = "429", .status = 429, .code = "TooManyRequests"},
    {.name = "408", .status = 408, .body = FAULT_BODY_NONE},
    {.name = "400-timeout", .status = 400, .code = "RequestTimeout"},
    {.name = "403", .status = 403, .code = "AccessDenied"},
    {.name = "405", .status = 405, .code = "MethodNotAllowed"},
    {.name = "400-expired", .status = 400, .code = "ExpiredToken"},
    {.name = "413", .status = 413, .body = FAULT_BODY_HTML},
    /* a proxy, in the place of the server */
    {.name = "407", .status = 407, .body = FAULT_BODY_HTML},
    {.name = "401-html", .status = 401, .body = FAULT_BODY_HTML},
    {.name = "400-quota", .status = 400, .code = "CloudTotalAliveSizeQuotaExceed"},
    {.name = "400-invalid-part", .status = 400, .code = "InvalidPart"},
    {.name = "404-upload", .status = 404, .code = "NoSuchUpload"},
    {.name = "vanished", .action = FAULT_VANISH, .status = 404, .code = "NoSuchUpload"},
    {.name = "301-host",
     .status = 301,
     .code = "TemporaryRedirect",
     .header = "Location: http://%s/elsewhere"},
    {.name = "307-host",
     .status = 307,
     .code = "TemporaryRedirect",
     .header = "Location: http://%s/elsewhere"},
    {.name = "301-region",
     .status = 301,
     .code = "PermanentRedirect",
     .header = "x-amz-bucket-region: eu-north-9"},
    /* the server says yes, and it is no such thing */
    {.name = "200-error", .status = 200, .code = "InternalError", .late = true},
    {.name = "200-denied", .status = 200, .code = "AccessDenied", .late = true},
    {.name = "200-html", .status = 200, .body = FAULT_BODY_HTML},
    {.name = "200-noise", .status = 200, .body = FAULT_BODY_NOISE},
    {.name = "200-bare", .status = 200, .body = FAULT_BODY_NONE},
    {.name = "200-huge", .status = 200, .body = FAULT_BODY_HUGE},
    /* the server did it, and a gateway between it and us says that it didn't */
    {.name = "500-done", .action = FAULT_ANSWER_ANYWAY, .status = 500, .code = "InternalError"},
    {.name = "503-done", .action = FAULT_ANSWER_ANYWAY, .status = 503, .body = FAULT_BODY_HTML},
    {.name = "504-done", .action = FAULT_ANSWER_ANYWAY, .status = 504, .body = FAULT_BODY_NONE},
    {.name = "other-etag", .action = FAULT_OTHER_ETAG},
    {.name = "no-metadata", .action = FAULT_NO_METADATA},
    {.name = "other-size", .action = FAULT_OTHER_SIZE},
    /* the network */
    {.name = "reset-request", .action = FAULT_RESET_REQUEST},
    {.name = "dropped", .action = FAULT_DROP},
    {.name = "hang", .action = FAULT_HANG},
    {.name = "refused", .action = FAULT_REFUSE},
    {.name = "lost", .action = FAULT_LOSE},
    {.name = "lost-quietly", .action = FAULT_LOSE_QUIETLY},
    {.name = "cut", .action = FAULT_CUT},
    {.name = "cut-headers", .action = FAULT_CUT_HEADERS},
    {.name = "reset-reply", .action = FAULT_RESET_REPLY},
    {.name = "half", .action = FAULT_HALF},
    {.name = "drip", .action = FAULT_DRIP},
};

struct rule {
    char operation[16];
    unsigned first, last;
    const struct fault *fault;
};

static struct rule rules[MAX_RULES];
static unsigned rule_count;

/* How many requests of each operation there were; the last one counts all. */
static const char *const operations[] = {"head",         "get",        "put",      "create",
                                         "part",         "list_parts", "complete", "abort",
                                         "list_uploads", "delete",     "other",    "any"};
#define OPERATION_COUNT (sizeof operations / sizeof *operations)
static unsigned counts[OPERATION_COUNT];

const struct fault *fault_find(const char *name)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (!strcmp(faults[i].name, name))
            return &faults[i];
    return NULL;
}

static bool has_name(const char *query, const char *name)
{
    size_t length = strlen(name);

    while (*query) {
        if (!strncmp(query, name, length) && (!query[length] || strchr("=&", query[length])))
            return true;
        query += strcspn(query, "&");
        query += *query == '&';
    }
    return false;
}

const char *fault_operation(const char *method, const char *query)
{
    bool of_upload = has_name(query, "uploadId"), uploads = has_name(query, "uploads");

    if (!strcmp(method, "HEAD"))
        return "head";
    if (!strcmp(method, "PUT"))
        return of_upload ? "part" : "put";
    if (!strcmp(method, "POST"))
        return uploads ? "create" : of_upload ? "complete" : "other";
    if (!strcmp(method, "DELETE"))
        return of_upload ? "abort" : "delete";
    if (!strcmp(method, "GET"))
        return uploads ? "list_uploads" : of_upload ? "list_parts" : "get";
    return "other";
}

static size_t index_of(const char *operation)
{
    size_t i = 0;

    while (i < OPERATION_COUNT && strcmp(operations[i], operation) != 0)
        i++;
    return i;
}

/* N, N-M or N- */
static bool read_which(const char *text, struct rule *rule)
{
    char *end;

    rule->first = (unsigned)strtoul(text, &end, 10);
    rule->last = rule->first;
    if (end == text || !rule->first)
        return false;
    if (*end != '-')
        return !*end;
    text = end + 1;
    rule->last = *text ? (unsigned)strtoul(text, &end, 10) : ~0u;
    return !*text || (!*end && rule->last >= rule->first);
}

bool fault_add_rule(const char *text)
{
    char which[32], name[32];
    struct rule rule;

    if (rule_count == MAX_RULES ||
        sscanf(text, "%15[a-z_]:%31[0-9-]:%31s", rule.operation, which, name) != 3 ||
        index_of(rule.operation) == OPERATION_COUNT || !read_which(which, &rule))
        return false;
    rule.fault = fault_find(name);
    if (!rule.fault)
        return false;
    rules[rule_count++] = rule;
    return true;
}

const struct fault *fault_of_next(const char *operation, unsigned *ret_number)
{
    unsigned of_all = ++counts[OPERATION_COUNT - 1];
    unsigned number = ++counts[index_of(operation)];

    *ret_number = number;
    for (unsigned i = 0; i < rule_count; i++) {
        const struct rule *rule = &rules[i];
        bool any = !strcmp(rule->operation, "any");
        unsigned counted = any ? of_all : number;

        if ((any || !strcmp(rule->operation, operation)) && counted >= rule->first &&
            counted <= rule->last)
            return rule->fault;
    }
    return NULL;
}

void fault_clear_rules(void)
{
    rule_count = 0;
}
