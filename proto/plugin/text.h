/* Writing C and Markdown. Failure is sticky in the buffer. */
#ifndef PROTO_PLUGIN_TEXT_H
#define PROTO_PLUGIN_TEXT_H

#include "base/bytes.h"

struct text_var {
    const char *name;
    const char *value;
};

void text_put(struct buf *out, const char *text);
void text_printf(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Copies the template; `$name$` becomes the value of that variable. vars ends with a row of NULL. A
 * name that is not among them is a fault of this program and fails the buffer. */
void text_fill(struct buf *out, const char *template, const struct text_var *vars);

/* Text from a .proto comment as the inside of a C comment, each line behind `prefix` (such as " *
 * "). Whatever could end or open a comment is broken up, control characters go. */
void text_comment(struct buf *out, const char *prefix, const char *text);

/* The same for Markdown: html and table characters are made harmless. In a cell, lines are joined
 * by blanks. */
void text_markdown(struct buf *out, const char *text);
void text_markdown_cell(struct buf *out, const char *text);

/* A C array initialiser's numbers, 16 to a line. */
void text_bytes(struct buf *out, struct bytes data);

#endif
