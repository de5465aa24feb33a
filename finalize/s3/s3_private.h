/*
 * s3_private - what the files of s3.h share: the bucket, and replies that are errors.
 *
 * s3.c opens the bucket, s3_request.c builds requests, s3_reply.c reads replies, s3_refusal.c says
 * what an error means. For these alone; others include s3.h.
 */
#pragma once

#include "finalize/s3/s3.h"
#include "finalize/s3/sigv4.h"
#include "finalize/s3/uri.h"

#include <stdbool.h>
#include <stddef.h>

#define S3_REGION_SIZE 129

struct s3 {
    const struct settings *settings;
    struct credentials *credentials;
    struct uri_endpoint endpoint;
    char region[S3_REGION_SIZE]; /* signed for; learned from replies when the setting is wrong */
    long offset_s;               /* added to our clock when signing */
    long clock_ahead_s;          /* of the last reply that had a Date */
    bool clock_known;            /* there was one */
    unsigned region_corrections; /* region learned so often since the last success */
    unsigned clock_corrections;  /* offset learned so often since then */
    unsigned key_corrections;    /* keys renewed so often since then */
    unsigned stale_left;         /* replies that may still ask for what was learned already */
    /* Of settings.s3_metadata and .s3_object_headers: for an object that is made, and for every
     * request; owned. */
    struct header_list {
        struct sigv4_pair *items;
        size_t count;
    } object_headers, request_headers;
};

/* A reply that is an error, taken apart. */
struct s3_refusal {
    bool is_s3;              /* its body is an S3 <Error> */
    struct s3_xml_error xml; /* all "" when it isn't */
    char hint[200];          /* what we add for people, or "" */
};

/* Whether the operation is one on an upload, named by its id, rather than on an object. */
bool s3_is_about_upload(enum s3_operation operation);

/* What an error means. Learns region and clock from it, and adds the hint. */
enum s3_outcome s3_judge_refusal(struct s3 *s3, const struct s3_call *call,
                                 const struct http_reply *reply, time_t now,
                                 struct s3_refusal *refusal);
