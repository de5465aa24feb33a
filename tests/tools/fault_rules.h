/*
 * fault_rules - which S3 operation a request is, and what is to go wrong with it.
 *
 * Knows the faults by name (the table is in fault_rules.c) and counts requests; knows nothing of
 * sockets: fault_proxy.c carries the faults out.
 */
#pragma once

#include <stdbool.h>

enum fault_action {
    FAULT_ANSWER,        /* the server never sees the request; the client gets a made-up reply */
    FAULT_RESET_REQUEST, /* connection reset within the request */
    FAULT_DROP,          /* the server never sees the request; reset instead of a reply */
    FAULT_HANG,          /* the server never sees the request; no reply, until the client goes */
    FAULT_REFUSE,        /* as FAULT_DROP, and connections are refused for a while */
    FAULT_VANISH,        /* as FAULT_ANSWER, and so is each further request of that upload */
    /* From here on the server does what is asked, and its reply is spoilt. */
    FAULT_LOSE,         /* reset instead of the reply */
    FAULT_LOSE_QUIETLY, /* no reply, until the client goes */
    FAULT_CUT,          /* ends early: within its body, or within its headers when it has none */
    FAULT_CUT_HEADERS,  /* ends in the middle of its headers */
    FAULT_RESET_REPLY,  /* as FAULT_CUT, but reset */
    FAULT_HALF,         /* as FAULT_CUT, but the connection stays open */
    FAULT_DRIP,         /* a byte each 100 ms for a while */
    FAULT_OTHER_ETAG,
    FAULT_NO_METADATA,  /* without x-amz-meta-*, as some gateways */
    FAULT_OTHER_SIZE,   /* the object looks larger than it is */
    FAULT_ANSWER_ANYWAY /* as FAULT_ANSWER, but it was done */
};

enum fault_body {
    FAULT_BODY_XML,
    FAULT_BODY_NONE,
    FAULT_BODY_HTML,
    FAULT_BODY_NOISE,
    FAULT_BODY_HUGE
};

struct fault {
    const char *name;
    enum fault_action action;
    int status; /* of the made-up reply */
    const char *code;
    enum fault_body body;
    bool empty_message;
    bool late;          /* white space before the XML, as on a slow CompleteMultipartUpload */
    const char *header; /* "Name: value"; "%s" in it is the address of the other host */
};

/* The S3 operation as the faults' rules name it: "head", "create", "part", "list_parts", … */
const char *fault_operation(const char *method, const char *query);

/*
 * Adds "OPERATION:WHICH:FAULT" to the rules; the first that fits is followed. OPERATION may be
 * "any", WHICH is N (the Nth of the operation), N-M or N- (and all later ones). False when it is
 * nothing of the sort.
 */
bool fault_add_rule(const char *text);

/*
 * Counts a request and returns what is to go wrong with it, or NULL. *ret_number: the how manieth
 * of its operation it is. Not for several threads at once.
 */
const struct fault *fault_of_next(const char *operation, unsigned *ret_number);

/* Forgets all rules. */
void fault_clear_rules(void);

const struct fault *fault_find(const char *name);
