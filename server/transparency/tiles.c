/* The log as C2SP tlog-tiles has it, for mirrors and monitors that know nothing of us. */
#include "server/transparency/service.h"

struct err kt_signed_size(const struct kt_source *source, uint64_t *ret_size)
{
    struct buf note = BUF_INIT;
    struct err err = source->checkpoint(source->self, &note, ret_size);
    buf_clear(&note);
    return err;
}

/* An entry bundle is opaque entry<0..2^16-1> one after the other. */
static struct err append_entry(const struct kt_source *source, uint64_t index, struct buf *b)
{
    struct buf raw = BUF_INIT;
    struct log_entry entry;
    struct err err = ERR_OK;
    if (index == 0)
        kt_config_write(&raw, source->config);
    else
        err = source->entry(source->self, index, &entry);
    if (err_is_ok(err) && index > 0)
        log_entry_write(&raw, &entry);
    if (err_is_ok(err))
        err = buf_check(&raw);
    wire_write_vector16(b, buf_view(&raw));
    buf_clear(&raw);
    return err;
}

struct err kt_tile(const struct kt_source *source, const struct kt_tile *tile, struct buf *b)
{
    uint64_t size;
    unsigned level = tile->level * TILE_LEVEL_BITS;
    TRY(kt_signed_size(source, &size));
    if (level >= LOG_SIZE_LIMIT_BITS || tile->width == 0 || tile->width > TILE_WIDTH_MOST ||
        tile->index > UINT32_MAX || (tile->entries && level != 0))
        return ERR(NOT_FOUND);
    /* the last hash must cover signed entries alone */
    uint64_t first = tile->index * TILE_WIDTH_MOST, end = first + tile->width;
    if (end > size >> level)
        return ERR(NOT_FOUND);
    for (uint64_t n = first; n < end; n++) {
        struct hash_value hash;
        if (tile->entries) {
            TRY(append_entry(source, n, b));
            continue;
        }
        TRY(source->log.get(source->log.self, level, n, &hash));
        buf_append_bytes(b, hash_value_view(&hash));
    }
    return buf_check(b);
}

/* ---- paths */

/* A decimal number without leading zeros, up to `most`. */
static bool read_number(const char **at, unsigned most, unsigned *ret_number)
{
    const char *p = *at;
    unsigned number = 0;
    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        number = 10 * number + (unsigned)(*p - '0');
        if (number > most)
            return false;
    }
    *at = p;
    *ret_number = number;
    return true;
}

/* Groups of three digits, all but the last after an x: 1234067 is x001/x234/067. */
static bool read_index(const char **at, uint64_t *ret_index)
{
    enum { GROUPS_MOST = 4 };
    uint64_t index = 0;
    for (int i = 0; i < GROUPS_MOST; i++) {
        const char *p = *at;
        bool more = *p == 'x';
        p += more;
        for (int k = 0; k < 3; k++, p++) {
            if (*p < '0' || *p > '9')
                return false;
            index = 10 * index + (uint64_t)(*p - '0');
        }
        *at = p + more;
        *ret_index = index;
        if (!more)
            return true;
        if (*p != '/' || index == 0)
            return false;
    }
    return false;
}

static bool skip(const char **at, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

bool kt_tile_parse(const char *path, struct kt_tile *ret_tile)
{
    enum { LEVEL_MOST = 63 };
    struct kt_tile tile = {.width = TILE_WIDTH_MOST};
    const char *at = path;
    if (!skip(&at, "tile/"))
        return false;
    if (skip(&at, "entries/"))
        tile.entries = true;
    else if (!read_number(&at, LEVEL_MOST, &tile.level) || !skip(&at, "/"))
        return false;
    if (!read_index(&at, &tile.index))
        return false;
    if (skip(&at, ".p/") &&
        (!read_number(&at, TILE_WIDTH_MOST - 1, &tile.width) || tile.width == 0))
        return false;
    if (*at != '\0')
        return false;
    *ret_tile = tile;
    return true;
}

struct asked {
    const struct transparency *t;
    const char *path;
    struct kt_tile tile;
    struct buf *body;
};

static struct err run_page(struct store_txn *txn, void *arg)
{
    struct asked *a = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(a->t->options.log, txn, &at);
    if (a->path == NULL)
        return kt_tile(&source, &a->tile, a->body);
    uint64_t size;
    TRY(kt_signed_size(&source, &size));
    return kt_note(txn, size, a->body);
}

struct err transparency_page(struct transparency *t, const char *path, struct buf *body,
                             bool *ret_forever)
{
    struct asked a = {.t = t, .body = body};
    bool tile = kt_tile_parse(path, &a.tile);
    if (!tile && strcmp(path, "checkpoint") != 0)
        return ERR(NOT_FOUND);
    a.path = tile ? NULL : path;
    TRY(store_call_read(t->store, run_page, &a));
    *ret_forever = tile;
    return ERR_OK;
}
