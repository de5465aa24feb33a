/*
 * fault_reply - what the client gets: the server's reply, a spoilt one, or one that is made up.
 */
#pragma once

#include "tests/tools/fault_peer.h"
#include "tests/tools/fault_rules.h"

struct reply {
    char *bytes; /* head and body, as they came; the caller frees them */
    size_t length, head_length;
    int status;
    bool ends_connection;
};

/* Reads the whole reply to a request of `method`. */
bool reply_read(struct peer *server, const char *method, struct reply *reply);

/*
 * Writes the reply that `fault` makes up. Redirects point to `other_port` of "localhost". As the
 * next one, it returns whether the connection goes on, and the status that the client got, if any.
 */
bool reply_make_up(struct peer *client, const char *method, const struct fault *fault,
                   int other_port, int *ret_status);

/* Writes the server's reply, spoilt by `fault` unless that is NULL. */
bool reply_hand_back(struct peer *client, const struct fault *fault, struct reply *reply,
                     int *ret_status);
