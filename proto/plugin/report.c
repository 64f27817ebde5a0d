#include "proto/plugin/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/plugin/plugin.h"
#include "proto/plugin/text.h"

void report_add(struct report *report, const char *file, unsigned line, const char *format, ...)
{
    report->count++;
    if (report->count == PLUGIN_REFUSALS + 1)
        text_put(&report->lines, "\nand more");
    if (report->count > PLUGIN_REFUSALS)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* protoc puts "--hearth_out: " before the whole; a line of its own keeps ours clickable */
    text_put(&report->lines, report->count == 1 ? "refused\n" : "\n");
    text_put(&report->lines, file);
    if (line > 0)
        text_printf(&report->lines, ":%u", line);
    text_put(&report->lines, ": ");
    text_put(&report->lines, text);
}

void report_clear(struct report *report)
{
    buf_clear(&report->lines);
    report->count = 0;
}
