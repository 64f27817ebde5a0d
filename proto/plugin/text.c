#include "proto/plugin/text.h"

#include <stdarg.h>
#include <stdio.h>

void text_put(struct buf *out, const char *text)
{
    buf_append_bytes(out, bytes_str(text));
}

void text_printf(struct buf *out, const char *format, ...)
{
    char text[4096];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text) {
        out->failed = true;
        return;
    }
    buf_append(out, text, (size_t)len);
}

static const char *value_of(const struct text_var *vars, const char *name, size_t len)
{
    for (; vars->name != NULL; vars++)
        if (strlen(vars->name) == len && memcmp(vars->name, name, len) == 0)
            return vars->value;
    return NULL;
}

void text_fill(struct buf *out, const char *template, const struct text_var *vars)
{
    for (const char *at = template; *at != '\0';) {
        const char *open = strchr(at, '$');
        if (open == NULL) {
            text_put(out, at);
            return;
        }
        buf_append(out, at, (size_t)(open - at));
        const char *close = strchr(open + 1, '$');
        const char *value =
            close == NULL ? NULL : value_of(vars, open + 1, (size_t)(close - open - 1));
        if (value == NULL) {
            out->failed = true;
            return;
        }
        text_put(out, value);
        at = close + 1;
    }
}

/* Length of the UTF-8 sequence at p (1 to 4), or 0 where there is none, or one that could mislead a
 * reader: controls, and the directional marks U+202A..E and U+2066..9, which can make code look
 * like comment. */
static size_t printable(const unsigned char *p)
{
    if (p[0] < 0x80)
        return p[0] >= 0x20 && p[0] != 0x7f ? 1 : 0;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool outside = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    bool c1 = p[0] == 0xc2 && p[1] < 0xa0;
    bool marks = p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xaa && p[2] <= 0xae) ||
                                  (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
    return overlong || outside || c1 || marks ? 0 : len;
}

/* Appends one line (up to '\n' or the end) made printable, without blanks at its end; returns what
 * follows. */
static const char *put_line(struct buf *out, const char *line,
                            void (*put)(struct buf *out, const char *at, size_t len, char last))
{
    const char *end = line + strcspn(line, "\n");
    const char *stop = end;
    while (stop > line && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
        stop--;
    char last = '\0';
    while (line < stop) {
        size_t len = printable((const unsigned char *)line);
        if (len == 0)
            put(out, *line == '\t' ? " " : "?", 1, last);
        else
            put(out, line, len, last);
        last = *line;
        line += len == 0 ? 1 : len;
    }
    return *end == '\n' ? end + 1 : end;
}

static void put_for_c(struct buf *out, const char *at, size_t len, char last)
{
    bool trigraph = *at == '?' && last == '?'; /* "??/" would be a backslash */
    if ((*at == '/' && last == '*') || (*at == '*' && last == '/') || trigraph)
        buf_append_byte(out, ' ');
    buf_append(out, at, len);
}

void text_comment(struct buf *out, const char *prefix, const char *text)
{
    while (*text != '\0') {
        text_put(out, prefix);
        /* protoc leaves the blank between // and the words; the prefix has one of its own */
        size_t before = out->len;
        text = put_line(out, *text == ' ' ? text + 1 : text, put_for_c);
        while (out->len == before && out->len > 0 && out->data[out->len - 1] == ' ')
            before = --out->len;
        text_put(out, "\n");
    }
}

static void put_for_markdown(struct buf *out, const char *at, size_t len, char last)
{
    (void)last;
    switch (*at) {
    case '<':
        text_put(out, "&lt;");
        break;
    case '&':
        text_put(out, "&amp;");
        break;
    case '|':
        text_put(out, "\\|");
        break;
    default:
        buf_append(out, at, len);
    }
}

static void put_markdown(struct buf *out, const char *text, const char *between)
{
    bool first = true;
    while (*text != '\0') {
        while (*text == ' ')
            text++;
        if (!first)
            text_put(out, *text == '\0' ? "" : between);
        text = put_line(out, text, put_for_markdown);
        first = false;
    }
}

void text_markdown(struct buf *out, const char *text)
{
    put_markdown(out, text, "\n");
    text_put(out, "\n");
}

void text_markdown_cell(struct buf *out, const char *text)
{
    put_markdown(out, text, " ");
}

void text_bytes(struct buf *out, struct bytes data)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < data.len; i++) {
        char text[] = {i % 16 == 0 ? '\n' : ' ',  '0', 'x', digits[data.data[i] >> 4],
                       digits[data.data[i] & 15], ','};
        if (i % 16 == 0)
            text_put(out, "\n   ");
        text[0] = ' ';
        buf_append(out, text, sizeof text);
    }
    text_put(out, "\n");
}
