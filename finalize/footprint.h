/*
 * footprint - giving back the memory that only the start needed.
 *
 * libcurl and libxml2 bring along some forty libraries, whose constructors run once and whose pages
 * then count as ours for ever: about 4 MiB of 16.
 */
#ifndef FINALIZE_FOOTPRINT_H
#define FINALIZE_FOOTPRINT_H

/*
 * Unmaps the read-only pages of all loaded libraries; those that are used again come back from the
 * page cache by themselves. To be called once, when everything is loaded and before the work
 * begins.
 */
void footprint_release_startup_pages(void);

#endif
