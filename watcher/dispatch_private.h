/*
 * dispatch_private - what dispatch.c (which decides) and dispatch_journal.c (which reads) share.
 */
#ifndef WATCHER_DISPATCH_PRIVATE_H
#define WATCHER_DISPATCH_PRIVATE_H

#include "watcher/dispatch.h"

/* Logs an error, but not the same one again and again. */
void dispatch_say_trouble(struct dispatch *dispatch, const struct error *error);

/* `directory` is to be looked at, at that time at the latest. */
void dispatch_look_soon(struct dispatch *dispatch, const char *directory, int64_t at);

/* Opens the journal, or finds that it is open. False: not now, and why was logged. */
bool dispatch_have_journal(struct dispatch *dispatch);
void dispatch_close_journal(struct dispatch *dispatch);

/* Logs why the journal failed and closes it; a damaged one is set aside. */
void dispatch_take_journal_failure(struct dispatch *dispatch, const struct error *error);

/* What the rows of the open journal ask for. */
void dispatch_read_journal(struct dispatch *dispatch, int64_t now);

#endif
