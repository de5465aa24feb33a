/*
 * watcher - the loop of jibri-watcher: what happens, what is due, who works on it.
 */
#pragma once

/* Runs until SIGTERM or SIGINT. `config`: the file of settings, NULL for the default one. Returns
 * the program's exit code (explain.h). */
int watcher_run(const char *config);
