#include "tlog/checkpoint.h"

#include <stdio.h>

#include "tlog/base64.h"
#include "tlog/log_tree.h"

/* Takes a line off the front, without its newline; false when there is none. */
static bool take_line(struct bytes *text, struct bytes *ret_line)
{
    const uint8_t *end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    if (end == NULL)
        return false;
    size_t len = (size_t)(end - text->data);
    *ret_line = bytes_of(text->data, len);
    *text = bytes_of(end + 1, text->len - len - 1);
    return true;
}

/* Decimal without leading zeros. */
static bool parse_size(struct bytes text, uint64_t *ret_size)
{
    uint64_t size = 0;
    if (text.len == 0 || text.len > 19 || (text.len > 1 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        size = size * 10 + (uint64_t)(text.data[i] - '0');
    }
    *ret_size = size;
    return size >> LOG_SIZE_LIMIT_BITS == 0;
}

static bool parse_root(struct bytes text, struct hash_value *ret_root)
{
    uint8_t raw[48];
    size_t len;
    if (text.len != 44 || !err_is_ok(tlog_base64_decode(text, raw, &len)) ||
        len != HASH_VALUE_BYTES)
        return false;
    memcpy(ret_root->data, raw, HASH_VALUE_BYTES);
    return true;
}

struct err checkpoint_parse(struct bytes text, struct checkpoint *ret_checkpoint)
{
    struct checkpoint c;
    struct bytes size, root, line;
    if (!take_line(&text, &c.origin) || c.origin.len == 0 || c.origin.len > NOTE_NAME_MAX_BYTES ||
        !take_line(&text, &size) || !parse_size(size, &c.size) || !take_line(&text, &root) ||
        !parse_root(root, &c.root))
        return ERR(TLOG_CHECKPOINT);
    c.extensions = text;
    while (text.len > 0) {
        if (!take_line(&text, &line) || line.len == 0)
            return ERR(TLOG_CHECKPOINT);
    }
    *ret_checkpoint = c;
    return ERR_OK;
}

void checkpoint_write(struct buf *b, const struct checkpoint *c)
{
    char size[32];
    int len = snprintf(size, sizeof size, "\n%llu\n", (unsigned long long)c->size);
    buf_append_bytes(b, c->origin);
    buf_append(b, size, (size_t)len);
    tlog_base64_write(b, hash_value_view(&c->root));
    buf_append_byte(b, '\n');
    buf_append_bytes(b, c->extensions);
}

static struct err open_note(struct bytes in, const struct note_key *key, struct note *ret_note,
                            struct checkpoint *ret_checkpoint)
{
    struct checkpoint c;
    TRY(note_parse(in, ret_note));
    TRY(checkpoint_parse(ret_note->text, &c));
    if (!bytes_equal(c.origin, key->name) || c.extensions.len > 0)
        return ERR(TLOG_CHECKPOINT);
    TRY(note_verify(ret_note, key));
    *ret_checkpoint = c;
    return ERR_OK;
}

struct err checkpoint_open(struct bytes in, const struct note_key *key,
                           struct checkpoint *ret_checkpoint)
{
    struct note note;
    return open_note(in, key, &note, ret_checkpoint);
}

struct err checkpoint_keep(struct buf *b, struct bytes in, const struct note_key *key)
{
    struct note note;
    struct checkpoint c;
    TRY(open_note(in, key, &note, &c));
    for (size_t i = 0; i < note.line_count; i++) {
        const struct note_line *line = &note.lines[i];
        if (memcmp(line->id, key->id, NOTE_KEY_ID_BYTES) != 0 ||
            !bytes_equal(line->name, key->name))
            continue;
        buf_append_bytes(b, note.text);
        buf_append(b, "\n\xe2\x80\x94 ", 5);
        buf_append_bytes(b, line->name);
        buf_append_byte(b, ' ');
        buf_append_bytes(b, line->base64);
        buf_append_byte(b, '\n');
        return buf_check(b);
    }
    return ERR(TLOG_NOTE_SIGNATURE);
}
