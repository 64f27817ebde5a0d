#include "server/front/limit.h"

#include <stdlib.h>

#include "server/front/limit_inside.h"

#define DAY_US UINT64_C(86400000000)
#define DAY_MS UINT64_C(86400000)

/* A bucket's burst may be set to anything up to a thousand times its default. */
enum { BURST_FACTOR = 1000 };

static const struct limit_row rows[LIMITS] = {
#define LIMIT_ROW(name, unit, value, least, most, reason) \
    {#name, unit, value, least, most, 0, reason},
#define LIMIT_BUCKET(name, burst, per_hour, reason) \
    {#name, "", burst, 1, (uint64_t)(burst)*BURST_FACTOR, per_hour, reason},
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET
};

#define LIMIT_ROW(name, unit, value, least, most, reason) \
    _Static_assert((least) <= (value) && (value) <= (most), #name);
#define LIMIT_BUCKET(name, burst, per_hour, reason)                                              \
    _Static_assert((burst) > 0 && (per_hour) > 0 && (burst) <= BUCKET_BURST_MOST / BURST_FACTOR, \
                   #name);
#include "server/front/limit.def"
#undef LIMIT_ROW
#undef LIMIT_BUCKET

const struct limit_row *limit_row(enum limit limit)
{
    return &rows[limit];
}

void limits_rekey(struct limits *limits, uint64_t day, uint64_t now_us)
{
    struct digest key;
    hmac_once(&hash_sha256, bytes_of(limits->master, sizeof limits->master),
              BYTES_LIST(bytes_str("limits of day"), bytes_of(&day, sizeof day)), &key);
    bucket_table_rekey(&limits->table, key.data, now_us);
    bytes_wipe(&key, sizeof key);
}

static void rekey(struct limits *limits, uint64_t now_us)
{
    limits_rekey(limits, clock_unix_ms(limits->clock) / DAY_MS, now_us);
}

static void put(struct limits *limits, enum limit limit, uint64_t value)
{
    const struct limit_row *row = &rows[limit];
    atomic_store(&limits->values[limit], value);
    if (row->per_hour == 0)
        return;
    uint64_t per_hour = row->per_hour * value / row->value;
    atomic_store(&limits->rates[limit].burst, (uint32_t)value);
    atomic_store(&limits->rates[limit].per_hour, per_hour != 0 ? per_hour : 1);
}

struct err limits_new(const struct clock *clock, const struct rng *rng, struct limits **ret_limits)
{
    struct limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL)
        return ERR(NO_MEMORY);
    limits->clock = clock;
    limits->rng = rng;
    for (int i = 0; i < LIMITS; i++)
        put(limits, (enum limit)i, rows[i].value);
    struct err err = rng_fill(rng, limits->master, sizeof limits->master);
    if (err_is_ok(err))
        err = bucket_table_init(&limits->table, LIMIT_TABLE_SLOTS);
    if (!err_is_ok(err)) {
        limits_free(limits);
        return err;
    }
    rekey(limits, clock_monotonic_us(clock));
    *ret_limits = limits;
    return ERR_OK;
}

void limits_free(struct limits *limits)
{
    if (limits == NULL)
        return;
    bucket_table_clear(&limits->table);
    bytes_wipe(limits->master, sizeof limits->master);
    free(limits);
}

/* Below 0: there is no such row, or it can't have this value. */
static int row_for(const char *name, uint64_t value)
{
    for (int i = 0; i < LIMITS; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return value < rows[i].least || value > rows[i].most ? -1 : i;
    }
    return -1;
}

struct err limits_set(struct limits *limits, const char *name, uint64_t value)
{
    int row = row_for(name, value);
    if (row < 0)
        return ERR(ARGUMENT);
    put(limits, (enum limit)row, value);
    return ERR_OK;
}

struct err limits_set_all(struct limits *limits, const struct limit_setting *settings, size_t count,
                          size_t *ret_wrong)
{
    uint64_t values[LIMITS];
    for (int i = 0; i < LIMITS; i++)
        values[i] = rows[i].value;
    for (size_t k = 0; k < count; k++) {
        int row = row_for(settings[k].name, settings[k].value);
        if (row < 0) {
            *ret_wrong = k;
            return ERR(ARGUMENT);
        }
        values[row] = settings[k].value;
    }
    for (int i = 0; i < LIMITS; i++) {
        if (limit_value(limits, (enum limit)i) != values[i])
            put(limits, (enum limit)i, values[i]);
    }
    return ERR_OK;
}

void limits_switch_off(struct limits *limits)
{
    atomic_store(&limits->off, true);
}

uint64_t limit_value(const struct limits *limits, enum limit limit)
{
    return atomic_load(&limits->values[limit]);
}

/* Once a day, by one of the callers. */
static void rekey_daily(struct limits *limits, uint64_t now_us)
{
    if (now_us - bucket_table_keyed_us(&limits->table) < DAY_US ||
        atomic_exchange(&limits->rekeying, true))
        return;
    if (now_us - bucket_table_keyed_us(&limits->table) >= DAY_US) /* nobody was quicker */
        rekey(limits, now_us);
    atomic_store(&limits->rekeying, false);
}

struct err limit_take(struct limits *limits, enum limit limit, struct bytes principal,
                      uint32_t cost, uint32_t *ret_retry_after_s)
{
    if (atomic_load_explicit(&limits->off, memory_order_relaxed))
        return ERR_OK;
    uint64_t now_us = clock_monotonic_us(limits->clock), wait_us = 1;
    rekey_daily(limits, now_us);
    struct err err = bucket_table_take(&limits->table, limits->rates, (uint16_t)limit, principal,
                                       cost, now_us, &wait_us);
    if (err_is_ok(err))
        return err;
    atomic_fetch_add_explicit(&limits->refused[limit], 1, memory_order_relaxed);
    if (ret_retry_after_s == NULL)
        return err;
    *ret_retry_after_s = wait_us / 1000000 >= UINT32_MAX - 1
                             ? LIMIT_RETRY_NEVER
                             : (uint32_t)((wait_us + 999999) / 1000000);
    return err;
}

void limit_inherit(struct limits *limits, enum limit limit, struct bytes from, struct bytes to)
{
    uint64_t now_us = clock_monotonic_us(limits->clock);
    if (atomic_load_explicit(&limits->off, memory_order_relaxed))
        return;
    rekey_daily(limits, now_us);
    (void)bucket_table_inherit(&limits->table, limits->rates, (uint16_t)limit, from, to, now_us);
}

uint64_t limit_refused(const struct limits *limits, enum limit limit)
{
    return atomic_load_explicit(&limits->refused[limit], memory_order_relaxed);
}
