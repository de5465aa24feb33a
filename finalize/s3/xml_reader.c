#include "finalize/s3/xml_reader.h"

#include <errno.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <string.h>

#define MAX_DOCUMENT_BYTES (16u * 1024 * 1024)
#define MAX_DEPTH          16u

struct reading {
    const struct xml_document *document;
    void *result;
    xmlParserCtxt *parser;
    unsigned depth;       /* of the element that we are in; the root is 1 */
    unsigned field_depth; /* depth of the field that we are in, or 0 */
    bool in_row;
    bool complete; /* the root has ended */
    bool refused;
    bool has_forbidden; /* characters: on_error() */
    bool cut;
    size_t length;
    char text[XML_MAX_TEXT_BYTES + 1];
};

static void refuse(struct reading *reading)
{
    if (!reading->refused)
        xmlStopParser(reading->parser);
    reading->refused = true;
}

static void on_doctype(void *context, const xmlChar *name, const xmlChar *external,
                       const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    refuse(context);
}

static void on_start(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int namespace_count, const xmlChar **namespaces, int attribute_count,
                     int defaulted_count, const xmlChar **attributes)
{
    struct reading *reading = context;
    const struct xml_document *document = reading->document;

    (void)prefix;
    (void)uri;
    (void)namespace_count;
    (void)namespaces;
    (void)attribute_count;
    (void)defaulted_count;
    (void)attributes;
    if (reading->refused)
        return;
    if (++reading->depth > MAX_DEPTH) {
        refuse(reading);
    } else if (reading->depth == 1) {
        if (strcmp((const char *)name, document->root) != 0)
            refuse(reading);
    } else if (reading->depth == 2 && document->row && !strcmp((const char *)name, document->row)) {
        reading->in_row = true;
        if (!document->begin_row(reading->result))
            refuse(reading);
    } else if (reading->depth == (reading->in_row         ? 3u
                                  : document->field_depth ? document->field_depth
                                                          : 2u)) {
        reading->field_depth = reading->depth;
        reading->length = 0;
        reading->cut = false;
    }
}

static void on_text(void *context, const xmlChar *text, int length)
{
    struct reading *reading = context;
    size_t more = (size_t)length, room = XML_MAX_TEXT_BYTES - reading->length;

    if (reading->refused || !reading->field_depth || reading->depth != reading->field_depth)
        return;
    if (more > room) {
        more = room;
        reading->cut = true;
    }
    memcpy(reading->text + reading->length, text, more);
    reading->length += more;
}

static void on_end(void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct reading *reading = context;
    const struct xml_document *document = reading->document;

    (void)prefix;
    (void)uri;
    if (reading->refused)
        return;
    if (reading->field_depth && reading->depth == reading->field_depth) {
        reading->field_depth = 0;
        reading->text[reading->length] = 0;
        if (!document->field(reading->result, reading->in_row, (const char *)name, reading->text,
                             reading->cut))
            refuse(reading);
    } else if (reading->depth == 2 && reading->in_row) {
        reading->in_row = false;
        if (!document->end_row(reading->result))
            refuse(reading);
    }
    reading->complete = --reading->depth == 0;
}

#if LIBXML_VERSION < 21200
#define CONST_SINCE_2_12
#else
#define CONST_SINCE_2_12 const
#endif

/*
 * The keys of a bucket may have characters that XML 1.0 forbids, even as references, and servers
 * write them so: one such key would make the listing of all unreadable. Control characters are
 * taken for what they are, U+FFFE and U+FFFF are left out. Any other fatal error refuses the
 * document.
 */
static void on_error(void *context, CONST_SINCE_2_12 xmlError *error)
{
    struct reading *reading = context;
    int character = error->int1;
    bool is_control = character > 0 && character < ' ';

    if (error->level != XML_ERR_FATAL)
        return;
    if (error->code != XML_ERR_INVALID_CHAR ||
        !(is_control || character == 0xfffe || character == 0xffff)) {
        reading->refused = true;
        return;
    }
    reading->has_forbidden = true;
    if (is_control)
        on_text(reading, &(xmlChar){(xmlChar)character}, 1);
}

/* Without an error function, libxml2 prints that memory ran out. */
static void say_nothing(void *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say_nothing(void *context, const char *format, ...)
{
    (void)context;
    (void)format;
}

bool xml_read(const char *xml, size_t length, const struct xml_document *document, void *result)
{
    /* No `error` and no `warning` among these, which is what keeps libxml2 silent. */
    xmlSAXHandler handler = {.initialized = XML_SAX2_MAGIC,
                             .internalSubset = on_doctype,
                             .startElementNs = on_start,
                             .endElementNs = on_end,
                             .characters = on_text,
                             .cdataBlock = on_text,
                             .serror = on_error};
    struct reading reading = {.document = document, .result = result};
    bool well_formed, no_memory;

    while (length && strchr(" \t\r\n", *xml) && *xml) {
        xml++;
        length--;
    }
    errno = 0;
    /* libxml2's versions differ in what a NUL means to them. */
    if (!length || length > MAX_DOCUMENT_BYTES || memchr(xml, 0, length))
        return false;
    xmlSetGenericErrorFunc(NULL, say_nothing);
    reading.parser = xmlCreatePushParserCtxt(&handler, &reading, NULL, 0, NULL);
    if (!reading.parser) {
        errno = ENOMEM;
        return false;
    }
    xmlCtxtUseOptions(reading.parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                          XML_PARSE_IGNORE_ENC | XML_PARSE_RECOVER);
    xmlParseChunk(reading.parser, xml, (int)length, 1);
    well_formed = reading.parser->wellFormed || reading.has_forbidden;
    no_memory = reading.parser->errNo == XML_ERR_NO_MEMORY || errno == ENOMEM;
    xmlFreeParserCtxt(reading.parser);
    explicit_bzero(reading.text, sizeof reading.text); /* may be a key */
    errno = no_memory ? ENOMEM : 0;
    /* When memory runs out, libxml2 drops the rest of a document and still calls it well-formed. */
    return well_formed && reading.complete && !no_memory && !reading.refused;
}
