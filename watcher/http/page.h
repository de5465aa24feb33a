/*
 * page - the status page's files, as they are in watcher/http/page/: made into arrays when the
 * program is built.
 */
#pragma once

#include <stddef.h>

extern const unsigned char page_html[];
extern const size_t page_html_length;
extern const unsigned char page_css[];
extern const size_t page_css_length;
extern const unsigned char page_js[];
extern const size_t page_js_length;
