/*
 * footprint - giving back memory that only a part of the work needed.
 *
 * libcurl and libxml2 bring along some forty libraries. Their constructors run once, TLS handshakes
 * are done when a connection is made, replies are parsed when all has been sent: the pages that
 * took would count as ours for ever, about 4 MiB of 16 after the start, and 1 to 2 MiB later on.
 */
#ifndef FINALIZE_FOOTPRINT_H
#define FINALIZE_FOOTPRINT_H

/*
 * Unmaps the read-only pages of all loaded libraries, which come back from the page cache when they
 * are used again, and gives back what the allocator holds free. Takes less than a millisecond: to
 * be called where the work changes.
 */
void footprint_release(void);

#endif
