/*
 * status_answer - what the watcher answers over HTTP: which paths there are, who may read them, and
 * what they say. Reads the journal; knows no socket and no HTTP library, so that tests ask it
 * without a network.
 *
 * Read-only: nothing that is asked changes anything. No setting, token or credential is in any
 * answer.
 */
#pragma once

#include "watcher/http/status_exchange.h"

/* Fills `ret_reply` in any case. */
void status_answer(const struct status_facts *facts, const struct status_request *request,
                   struct status_reply *ret_reply);

/* The header that keeps a page from running what a name may hold. */
#define STATUS_CONTENT_SECURITY_POLICY                                              \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "                 \
    "require-trusted-types-for 'script'; trusted-types 'none'"
