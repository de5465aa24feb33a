/*
 * program - what the main functions of our programs begin and end with: a safe process, an orderly
 * stop, settings that cannot be used.
 */
#pragma once

#include "config/settings.h"

#include <stdbool.h>

/*
 * To be called first: no core dumps and no other process's ptrace, since keys and tokens are in
 * this process's memory; files of ours are for their owner only; a closed pipe is an error, not a
 * signal.
 */
void program_begin(void);

/*
 * Flushes stdout and stderr, and ends the process; a main function ends with it. The destructors of
 * the linked libraries (about forty) do not run: the kernel frees their resources anyway, and
 * running them would raise the peak memory by 2.6 MiB.
 */
_Noreturn void program_end(int code);

/* TERM, INT and HUP become readable on a descriptor that one can wait for: no handler, no races. */
struct program_stop {
    int fd; /* -1: it could not be opened */
    bool requested;
};

void program_stop_open(struct program_stop *stop);
void program_stop_close(struct program_stop *stop);
bool program_stop_requested(void *stop); /* a struct program_stop, as a callback's context */

/* Logs the warnings. */
void program_say_warnings(const struct settings_problems *problems);

/* Logs warnings and errors of settings that cannot be used, and what to do. */
void program_say_problems(const struct settings_problems *problems);
