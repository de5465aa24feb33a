/*
 * dispatch_private - what dispatch.c (sessions), dispatch_journal.c (rows) and dispatch_chores.c
 * (what is due by the clock) share.
 */
#pragma once

#include "watcher/dispatch.h"

#define LOOK_AFTER_TROUBLE_S 60

/* Logs an error, but not the same one again and again. */
void dispatch_say_trouble(struct dispatch *dispatch, const struct error *error);

/* `directory` is to be looked at, at that time at the latest. */
void dispatch_look_soon(struct dispatch *dispatch, const char *directory, int64_t at);

/* Starts a worker; every start goes through here. Returns 0, or after how many seconds it is to be
 * tried again. */
int64_t dispatch_start_worker(struct dispatch *dispatch, enum worker_kind kind,
                              const char *subject);

/* Opens the journal, or finds that it is open. False: not now, and why was logged. */
bool dispatch_have_journal(struct dispatch *dispatch);
void dispatch_close_journal(struct dispatch *dispatch);

/* Logs why the journal failed and closes it; a damaged one is set aside. */
void dispatch_take_journal_failure(struct dispatch *dispatch, const struct error *error);

/* What the rows of the open journal ask for. */
void dispatch_read_journal(struct dispatch *dispatch);

/* Plans a probe when rows tell of a failure that is later than the servers' last answer. */
void dispatch_plan_probe(struct dispatch *dispatch);
void dispatch_take_chore(struct dispatch *dispatch, enum worker_kind kind, int exit_code);
void dispatch_do_chores(struct dispatch *dispatch);
