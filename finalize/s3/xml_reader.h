/*
 * xml_reader - reads XML that is not to be trusted, element by element.
 *
 * The only file that includes libxml2's headers. A document is a root, with fields in it and, in
 * listings, rows that have fields; nothing else of it is seen. No tree is built, so that a big
 * document costs no more than itself. Entities are not expanded and nothing is fetched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define XML_MAX_TEXT_BYTES 4096u

/* What a document is to look like, and who takes what is in it. A callback that returns false
 * makes the document an unreadable one. */
struct xml_document {
    const char *root;
    const char *row; /* name of the rows, or NULL: there are none, begin_row and end_row neither */
    unsigned field_depth; /* of fields outside of rows; the root's is 1. 0: 2 */
    bool (*begin_row)(void *result);
    bool (*end_row)(void *result);
    /* `text` may be changed by it; `cut`: the rest of it, past XML_MAX_TEXT_BYTES, is missing. */
    bool (*field)(void *result, bool in_row, const char *name, char *text, bool cut);
};

/*
 * False when the text is not well-formed XML in UTF-8, has another root, a DTD, more than 16 levels
 * or more than 16 MiB; `result` may have been filled in part by then. White space before the
 * document is passed over, namespaces and attributes are ignored. What XML 1.0 forbids, written as
 * such or as a reference, is part of a text as well (control characters) or left out of it (U+FFFE,
 * U+FFFF). errno is ENOMEM when it failed for want of memory, so that nothing is known of the
 * document, else 0.
 */
bool xml_read(const char *xml, size_t length, const struct xml_document *document, void *result)
    __attribute__((warn_unused_result));
