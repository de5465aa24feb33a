/*
 * health - whether a watcher runs, asked by another process, as the image's HEALTHCHECK does.
 */
#pragma once

/* Prints one line. `config`: the file of settings, NULL for the default one. Returns 0 while a
 * watcher holds the lock of the recordings directory, else 1, which is all that Docker knows. */
int health_run(const char *config);
