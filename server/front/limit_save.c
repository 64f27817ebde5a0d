/* Long windows across a restart. Rows go by name, since their numbers change from version to
 * version.
 *
 *     struct { uint8 version = 1; uint64 unix_s; uint16 rows; opaque name<V> [rows]; uint32 count;
 *              struct { opaque tag[14]; uint16 row; uint64 spent; } [count]; } SavedLimits;
 */
#include "server/front/limit_inside.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { VERSION = 1, ROWS_MOST = 1024, ENTRY_BYTES = BUCKET_TAG_BYTES + 2 + 8 };

#define MICRO    UINT64_C(1000000)
#define FORGET_S (UINT64_C(7) * 86400) /* every bucket is full by then */

void limits_set_key(struct limits *limits, const uint8_t key[LIMIT_KEY_BYTES])
{
    uint64_t now_us = clock_monotonic_us(limits->clock);
    uint64_t day = clock_unix_ms(limits->clock) / 86400000;
    memcpy(limits->master, key, sizeof limits->master);
    /* yesterday's first: what was saved before midnight lies under it */
    for (uint64_t d = day == 0 ? 0 : day - 1; d <= day; d++)
        limits_rekey(limits, d, now_us);
}

/* ---- saving ---- */

struct saving {
    const struct limits *limits;
    struct buf entries;
    uint32_t count;
};

static void save_one(void *arg, const uint8_t tag[BUCKET_TAG_BYTES], uint16_t row, uint64_t spent)
{
    struct saving *s = arg;
    uint64_t per_hour = s->limits->rates[row].per_hour;
    if (per_hour == 0 || spent / per_hour < LIMIT_SAVE_S * MICRO)
        return;
    buf_append(&s->entries, tag, BUCKET_TAG_BYTES);
    wire_write_u16(&s->entries, row);
    wire_write_u64(&s->entries, spent);
    s->count++;
}

struct err limits_save(struct limits *limits, struct buf *out)
{
    struct saving s = {.limits = limits};
    bucket_table_each(&limits->table, limits->rates, clock_monotonic_us(limits->clock), save_one,
                      &s);
    wire_write_u8(out, VERSION);
    wire_write_u64(out, clock_unix_ms(limits->clock) / 1000);
    wire_write_u16(out, LIMITS);
    for (int i = 0; i < LIMITS; i++)
        wire_write_vector(out, bytes_str(limit_row((enum limit)i)->name));
    wire_write_u32(out, s.count);
    buf_append_bytes(out, buf_view(&s.entries));
    struct err err = buf_check(&s.entries);
    buf_clear(&s.entries);
    TRY(err);
    return buf_check(out);
}

/* ---- loading ---- */

struct loading {
    uint64_t unix_s;
    uint16_t rows;
    uint16_t row_of[ROWS_MOST]; /* LIMITS: there is no such row any more */
    uint32_t count;
    struct bytes entries;
};

static uint16_t row_named(struct bytes name)
{
    uint16_t row = 0;
    while (row < LIMITS && !bytes_equal(name, bytes_str(limit_row((enum limit)row)->name)))
        row++;
    return row;
}

static struct err parse(struct bytes in, struct loading *l)
{
    struct wire_reader r = wire_reader_of(in);
    if (wire_read_u8(&r) != VERSION)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    l->unix_s = wire_read_u64(&r);
    l->rows = wire_read_u16(&r);
    if (l->rows > ROWS_MOST)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    for (uint16_t i = 0; i < l->rows && i < ROWS_MOST; i++)
        l->row_of[i] = row_named(wire_read_vector(&r));
    l->count = wire_read_u32(&r);
    if (l->count > LIMIT_TABLE_SLOTS)
        wire_reader_fail(&r, ERR_WIRE_LIMIT);
    l->entries = wire_read_fixed(&r, (size_t)l->count * ENTRY_BYTES);
    return wire_reader_end(&r);
}

/* What has come back since it was saved. */
static uint64_t returned(uint64_t per_hour, uint64_t elapsed_s)
{
    uint64_t us = elapsed_s * MICRO;
    return per_hour > UINT64_MAX / (us + 1) ? UINT64_MAX : us * per_hour;
}

static void load_one(struct limits *limits, const struct loading *l, struct wire_reader *r,
                     uint64_t elapsed_s)
{
    const uint8_t *tag = wire_read_fixed(r, BUCKET_TAG_BYTES).data;
    uint16_t saved_row = wire_read_u16(r);
    uint64_t spent = wire_read_u64(r);
    uint16_t row = saved_row < l->rows ? l->row_of[saved_row] : LIMITS;
    if (row >= LIMITS || limit_row((enum limit)row)->per_hour == 0)
        return;
    uint64_t back = returned(limits->rates[row].per_hour, elapsed_s);
    uint64_t most = limits->rates[row].burst * BUCKET_CREDIT;
    spent = spent < most ? spent : most;
    if (spent > back)
        (void)bucket_table_put(&limits->table, limits->rates, tag, row, spent - back,
                               clock_monotonic_us(limits->clock));
}

struct err limits_load(struct limits *limits, struct bytes in)
{
    struct loading l = {0};
    TRY(parse(in, &l));
    uint64_t now_s = clock_unix_ms(limits->clock) / 1000;
    uint64_t elapsed_s = now_s > l.unix_s ? now_s - l.unix_s : 0;
    elapsed_s = elapsed_s < FORGET_S ? elapsed_s : FORGET_S;
    struct wire_reader r = wire_reader_of(l.entries);
    for (uint32_t i = 0; i < l.count; i++)
        load_one(limits, &l, &r, elapsed_s);
    return ERR_OK;
}
