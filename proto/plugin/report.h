/* Refusals, as a compiler prints them: `file:line: text`. */
#ifndef PROTO_PLUGIN_REPORT_H
#define PROTO_PLUGIN_REPORT_H

#include "base/bytes.h"

struct report {
    struct buf lines;
    size_t count; /* of refusals, printed or not */
};

/* line 0 leaves the number out. */
void report_add(struct report *report, const char *file, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void report_clear(struct report *report);

#endif
