/*
 * status_host - whether a Host header may name the status server.
 *
 * A page on the Internet can have its own name resolve to this machine (DNS rebinding), and the
 * browser then lets it read what is answered here, from Jibri's own Chrome too. Such a name is one
 * that its owner can put into DNS: it has a dot.
 */
#pragma once

#include <stdbool.h>

/*
 * `host`: the header's value, with or without a port; NULL: there was none, as no browser does.
 * True for addresses, names without a dot (a container's or a service's), names below localhost,
 * and `machine`, this machine's own name.
 */
bool status_host_is_ours(const char *host, const char *machine);
