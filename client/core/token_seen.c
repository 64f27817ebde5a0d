#include "client/core/token_seen.h"

#include "pass/directory.h"
#include "pass/key_rules.h"
#include "pass/voucher.h"
#include "seal/system_keys.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* facts->seen: one after the other
 *     struct { uint16 token_type; uint8 class; uint32 period; opaque key[32];   its SHA-256
 *              uint64 any_s;          the first entry at which it was seen
 *              uint64 dist_s; }       the first distinguished one; UINT64_MAX: none */
enum { KEY_HASH_BYTES = 32, ROW_BYTES = 2 + 1 + 4 + KEY_HASH_BYTES + 8 + 8, ROWS_MOST = 512 };
/* facts->asked: uint64 asked_s, the newest last */
enum { ASKED_BYTES = 8, ASKED_MOST = 32 };

struct row {
    uint16_t token_type;
    uint8_t class;
    uint32_t period;
    uint8_t key[KEY_HASH_BYTES];
    uint64_t any_s, dist_s;
};

static bool row_next(struct wire_reader *r, struct row *ret_row)
{
    if (wire_reader_left(r) < ROW_BYTES)
        return false;
    ret_row->token_type = wire_read_u16(r);
    ret_row->class = wire_read_u8(r);
    ret_row->period = wire_read_u32(r);
    memcpy(ret_row->key, wire_read_fixed(r, KEY_HASH_BYTES).data, KEY_HASH_BYTES);
    ret_row->any_s = wire_read_u64(r);
    ret_row->dist_s = wire_read_u64(r);
    return true;
}

static void row_write(struct buf *b, const struct row *row)
{
    wire_write_u16(b, row->token_type);
    wire_write_u8(b, row->class);
    wire_write_u32(b, row->period);
    wire_write_fixed(b, bytes_of(row->key, sizeof row->key));
    wire_write_u64(b, row->any_s);
    wire_write_u64(b, row->dist_s);
}

static struct row row_of(const struct pass_directory_key *key)
{
    struct row row = {.token_type = key->token_type,
                      .class = key->class,
                      .period = key->period,
                      .any_s = UINT64_MAX,
                      .dist_s = UINT64_MAX};
    struct digest hash;
    hash_once(&hash_sha256, key->public_key, &hash);
    memcpy(row.key, hash.data, sizeof row.key);
    return row;
}

static bool same_key(const struct row *a, const struct row *b)
{
    return a->token_type == b->token_type && a->class == b->class && a->period == b->period &&
           memcmp(a->key, b->key, sizeof a->key) == 0;
}

/* Leaves *row as it is where there is none of its key. */
static bool row_find(const struct token_facts *facts, struct row *row)
{
    struct wire_reader r = wire_reader_of(buf_view(&facts->seen));
    struct row other;
    while (row_next(&r, &other)) {
        if (same_key(&other, row)) {
            *row = other;
            return true;
        }
    }
    return false;
}

/* ---- noting */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_over(const struct row *row, uint64_t now_s)
{
    uint64_t not_before, not_after;
    return !pass_key_interval(row->token_type, row->period, &not_before, &not_after) ||
           not_after <= now_s;
}

/* Rows of keys that the directory does not have any more. */
static void keep_others(const struct token_facts *facts, const struct pass_directory *directory,
                        uint64_t now_s, struct buf *b)
{
    struct wire_reader r = wire_reader_of(buf_view(&facts->seen));
    struct row row;
    while (row_next(&r, &row)) {
        struct pass_directory_key key;
        const bool there =
            pass_directory_find(directory, row.token_type, row.class, row.period, &key);
        const struct row now = there ? row_of(&key) : row;
        if (!(there && same_key(&now, &row)) && !is_over(&row, now_s) &&
            b->len < (size_t)ROWS_MOST * ROW_BYTES)
            row_write(b, &row);
    }
}

struct err token_seen_note(struct token_facts *facts, struct bytes directory, uint64_t at_s,
                           bool distinguished, uint64_t now_s)
{
    struct pass_directory parsed;
    struct pass_directory_key key;
    struct buf b = BUF_INIT;
    TRY(pass_directory_parse(directory, &parsed));
    struct wire_reader r = wire_reader_of(parsed.keys);
    keep_others(facts, &parsed, now_s, &b);
    while (pass_directory_next(&r, &key) && b.len < (size_t)ROWS_MOST * ROW_BYTES) {
        struct row row = row_of(&key);
        (void)row_find(facts, &row);
        row.any_s = earlier(row.any_s, at_s);
        if (distinguished)
            row.dist_s = earlier(row.dist_s, at_s);
        if (!is_over(&row, now_s))
            row_write(&b, &row);
    }
    return buf_replace(&facts->seen, &b);
}

/* The directory that a value of the label "token-keys" holds. ERR_NOT_FOUND. */
static struct err directory_in(struct bytes value, struct bytes *ret_directory)
{
    struct system_key keys[SYSTEM_KEYS_MOST];
    size_t count;
    TRY(system_keys_parse(value, keys, &count));
    for (size_t i = 0; i < count; i++) {
        if (keys[i].use == SYSTEM_USE_TOKENS) {
            *ret_directory = keys[i].key;
            return ERR_OK;
        }
    }
    return ERR(NOT_FOUND);
}

struct err token_seen_value(struct token_facts *facts, struct bytes value, uint64_t at_s,
                            bool distinguished, uint64_t now_s)
{
    struct bytes directory;
    struct err err = directory_in(value, &directory);
    if (err_is_ok(err))
        err = token_seen_note(facts, directory, at_s, distinguished, now_s);
    /* what can't be read shows no key; only our own troubles count */
    return err_class_of(err) == ERR_CLASS_OURS ? err : ERR_OK;
}

static struct err note_label(struct core *c, struct db_txn *t, const struct log *log,
                             const struct log_label *l)
{
    const struct kt_dist *dist = kt_view_find_dist(&log->view, l->known.dist_index);
    const uint64_t now_s = core_now_ms(c) / 1000;
    struct token_facts facts;
    TRY(token_facts_get(t, log->domain, &facts));
    struct err err =
        token_seen_value(&facts, buf_view(&l->value), log->view.last_ms / 1000, false, now_s);
    if (err_is_ok(err) && !l->known.pending && dist != NULL)
        err = token_seen_value(&facts, buf_view(&l->value), dist->entry.timestamp / 1000, true,
                               now_s);
    if (err_is_ok(err))
        err = token_facts_put(t, log->domain, &facts);
    token_facts_clear(&facts);
    return err;
}

struct err token_seen_found(struct core *c, struct db_txn *t, const struct log *log)
{
    struct log_label *l = NULL;
    struct buf label = BUF_INIT;
    if (log->state != LOG_HELD)
        return ERR_OK;
    system_label_write(&label, system_label_of(SYSTEM_USE_TOKENS));
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = log_label_get(t, log->domain, buf_view(&label), &l);
    buf_clear(&label);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (l->known.exists && !l->bad)
        err = note_label(c, t, log, l);
    log_label_free(l);
    return err;
}

/* ---- judging */

struct case_of {
    const struct token_facts *facts;
    struct row row;
    uint64_t not_before, window_s, now_s;
};

static bool fits(const struct case_of *k, bool distinguished, struct pass_sighting *ret_sighting)
{
    const uint64_t at_s = distinguished ? k->row.dist_s : k->row.any_s;
    *ret_sighting = (struct pass_sighting){distinguished, at_s, k->window_s, k->facts->first_s};
    return at_s != UINT64_MAX && pass_key_seen_in_time(ret_sighting, k->not_before);
}

static bool was_asked(const struct token_facts *facts, uint64_t at_s)
{
    struct wire_reader r = wire_reader_of(buf_view(&facts->asked));
    while (wire_reader_left(&r) >= ASKED_BYTES)
        if (wire_read_u64(&r) == at_s)
            return true;
    return false;
}

/* A window before its time; where the log was younger than that, when it was two windows old. */
static enum token_verdict ask_or_late(const struct case_of *k, uint64_t *ret_ask_s)
{
    const uint64_t first_s = k->facts->first_s;
    *ret_ask_s = k->not_before > k->window_s ? k->not_before - k->window_s : 0;
    if (!was_asked(k->facts, *ret_ask_s))
        return TOKEN_KEY_ASK;
    if (first_s <= *ret_ask_s)
        return TOKEN_KEY_LATE;
    *ret_ask_s = first_s + 2 * k->window_s - 1;
    return k->now_s > *ret_ask_s && !was_asked(k->facts, *ret_ask_s) ? TOKEN_KEY_ASK
                                                                     : TOKEN_KEY_LATE;
}

static struct err judge(struct case_of *k, uint16_t token_type, uint8_t class, uint32_t period,
                        enum token_verdict *ret_verdict, struct pass_sighting *ret_sighting,
                        uint64_t *ret_ask_s)
{
    struct pass_directory directory;
    struct pass_directory_key key;
    TRY(pass_directory_parse(buf_view(&k->facts->directory), &directory));
    if (!pass_directory_find(&directory, token_type, class, period, &key))
        return ERR(PASS_KEY);
    k->not_before = key.not_before;
    k->row = row_of(&key);
    (void)row_find(k->facts, &k->row);
    *ret_verdict = fits(k, true, ret_sighting) || fits(k, false, ret_sighting)
                       ? TOKEN_KEY_GOOD
                       : ask_or_late(k, ret_ask_s);
    return ERR_OK;
}

struct err token_seen_judge(struct db_txn *t, const char *domain, uint16_t token_type,
                            uint8_t class, uint32_t period, uint64_t now_s,
                            enum token_verdict *ret_verdict, struct pass_sighting *ret_sighting,
                            uint64_t *ret_ask_s)
{
    enum { FIRST_SIGHT_WINDOW_S = 24 * 3600 };
    struct token_facts facts;
    struct log log;
    TRY(log_get(t, domain, &log));
    const bool held = log.state == LOG_HELD;
    struct case_of k = {
        .facts = &facts, .window_s = log.view.config.window_ms / 1000, .now_s = now_s};
    log_clear(&log);
    TRY(token_facts_get(t, domain, &facts));
    struct err err = ERR_OK;
    *ret_ask_s = 0;
    if (held) {
        err = judge(&k, token_type, class, period, ret_verdict, ret_sighting, ret_ask_s);
    } else { /* that of a log whose first epoch this was: nobody has seen more */
        *ret_verdict = TOKEN_KEY_GOOD;
        *ret_sighting = (struct pass_sighting){
            .epoch_s = facts.seen_s, .first_s = facts.seen_s, .window_s = FIRST_SIGHT_WINDOW_S};
    }
    token_facts_clear(&facts);
    return err;
}

struct err token_seen_asked(struct token_facts *facts, uint64_t asked_s)
{
    struct buf b = BUF_INIT;
    struct bytes before = buf_view(&facts->asked);
    if (was_asked(facts, asked_s))
        return ERR_OK;
    if (before.len >= (size_t)ASKED_MOST * ASKED_BYTES) {
        before.data += ASKED_BYTES;
        before.len -= ASKED_BYTES;
    }
    buf_append_bytes(&b, before);
    wire_write_u64(&b, asked_s);
    return buf_replace(&facts->asked, &b);
}
