#include "server/front/bucket_table.h"

#include <stdlib.h>

struct place {
    struct bucket_part *part;
    size_t start;
    uint8_t tag[BUCKET_TAG_BYTES];
};

struct err bucket_table_init(struct bucket_table *table, size_t slots)
{
    *table = (struct bucket_table){.part_slots = slots / BUCKET_PARTS};
    int bad = pthread_rwlock_init(&table->key_lock, NULL);
    for (int i = 0; i < BUCKET_PARTS; i++) {
        struct bucket_part *part = &table->parts[i];
        bad |= pthread_mutex_init(&part->lock, NULL);
        part->slots = calloc(table->part_slots, sizeof *part->slots);
        bad |= part->slots == NULL;
    }
    if (bad == 0)
        return ERR_OK;
    bucket_table_clear(table);
    return ERR(NO_MEMORY);
}

void bucket_table_clear(struct bucket_table *table)
{
    if (table->part_slots == 0)
        return;
    (void)pthread_rwlock_destroy(&table->key_lock);
    for (int i = 0; i < BUCKET_PARTS; i++) {
        (void)pthread_mutex_destroy(&table->parts[i].lock);
        free(table->parts[i].slots);
    }
    hmac_clear(&table->now.mac);
    hmac_clear(&table->before.mac);
    *table = (struct bucket_table){0};
}

void bucket_table_rekey(struct bucket_table *table, const uint8_t *key, uint64_t now_us)
{
    (void)pthread_rwlock_wrlock(&table->key_lock);
    table->before = table->now;
    hmac_init(&table->now.mac, &hash_sha256, bytes_of(key, 32));
    table->now.from_us = now_us;
    table->now.set = true;
    (void)pthread_rwlock_unlock(&table->key_lock);
}

uint64_t bucket_table_keyed_us(struct bucket_table *table)
{
    (void)pthread_rwlock_rdlock(&table->key_lock);
    uint64_t us = table->now.from_us;
    (void)pthread_rwlock_unlock(&table->key_lock);
    return us;
}

/* Tags are random, so they are their own hash. */
static struct place place_of_tag(struct bucket_table *table, const uint8_t tag[BUCKET_TAG_BYTES])
{
    struct place place;
    uint64_t hash;
    memcpy(place.tag, tag, sizeof place.tag);
    memcpy(&hash, tag, sizeof hash);
    place.part = &table->parts[tag[sizeof hash] % BUCKET_PARTS];
    place.start = (size_t)hash & (table->part_slots - 1);
    return place;
}

static struct place place_of(struct bucket_table *table, const struct hmac *key, uint16_t row,
                             struct bytes name)
{
    uint8_t mac[32], row_bytes[2] = {(uint8_t)(row >> 8), (uint8_t)row};
    struct hmac m = *key;
    hmac_update(&m, bytes_of(row_bytes, sizeof row_bytes));
    hmac_update(&m, name);
    hmac_final(&m, mac);
    return place_of_tag(table, mac);
}

/* What is still spent at now_us. */
static uint64_t settled(const struct bucket_slot *slot, uint64_t per_hour, uint64_t now_us)
{
    uint64_t elapsed_us = now_us > slot->last_us ? now_us - slot->last_us : 0;
    if (per_hour != 0 && elapsed_us > slot->spent / per_hour)
        return 0;
    return slot->spent - elapsed_us * per_hour;
}

static struct bucket_slot *slot_at(struct bucket_table *table, const struct place *place, size_t i)
{
    return &place->part->slots[(place->start + i) & (table->part_slots - 1)];
}

/* The name's slot, or NULL. ret_free: the first that may be taken, or NULL. */
static struct bucket_slot *find(struct bucket_table *table, const struct place *place, uint16_t row,
                                const struct bucket_rate *rates, uint64_t now_us,
                                struct bucket_slot **ret_free)
{
    struct bucket_slot *vacant = NULL, *found = NULL;
    for (size_t i = 0; i < BUCKET_WINDOW; i++) {
        struct bucket_slot *slot = slot_at(table, place, i);
        if (slot->row_1 == row + 1 && memcmp(slot->tag, place->tag, sizeof slot->tag) == 0) {
            found = slot;
            break;
        }
        bool full = slot->row_1 == 0 || settled(slot, rates[slot->row_1 - 1].per_hour, now_us) == 0;
        if (full && vacant == NULL)
            vacant = slot;
        if (slot->row_1 == 0)
            break; /* slots are never emptied: nothing lies behind one that was never used */
    }
    *ret_free = vacant;
    return found;
}

/* What a name spent under the key before; its bucket there becomes full. */
static struct bucket_slot take_over(struct bucket_table *table, const struct place *place,
                                    uint16_t row, const struct bucket_rate *rates, uint64_t now_us)
{
    struct bucket_slot *ignored, old = {0};
    (void)pthread_mutex_lock(&place->part->lock);
    struct bucket_slot *slot = find(table, place, row, rates, now_us, &ignored);
    if (slot != NULL) {
        old = *slot;
        slot->spent = 0;
    }
    (void)pthread_mutex_unlock(&place->part->lock);
    return old;
}

static void give_back(struct bucket_table *table, const struct place *place, uint16_t row,
                      const struct bucket_rate *rates, uint64_t now_us,
                      const struct bucket_slot *old)
{
    struct bucket_slot *ignored;
    if (old->spent == 0)
        return;
    (void)pthread_mutex_lock(&place->part->lock);
    struct bucket_slot *slot = find(table, place, row, rates, now_us, &ignored);
    if (slot != NULL)
        slot->spent += old->spent;
    (void)pthread_mutex_unlock(&place->part->lock);
}

static struct err spend(struct bucket_slot *slot, const struct bucket_rate *rate, uint32_t cost,
                        uint64_t now_us, uint64_t *ret_wait_us)
{
    uint32_t burst = rate->burst;
    uint64_t per_hour = rate->per_hour, room = burst * BUCKET_CREDIT;
    slot->spent = settled(slot, per_hour, now_us);
    slot->last_us = now_us;
    *ret_wait_us = UINT64_MAX;
    if (cost > burst)
        return ERR(LIMIT);
    /* cost 0: a whole credit must be there, and stays */
    uint64_t wanted = slot->spent + (cost == 0 ? 1 : cost) * BUCKET_CREDIT;
    if (wanted > room) {
        if (per_hour != 0)
            *ret_wait_us = (wanted - room + per_hour - 1) / per_hour;
        return ERR(LIMIT);
    }
    slot->spent += cost * BUCKET_CREDIT;
    return ERR_OK;
}

/* In the lock of the place's part. old: what to begin with where there is no bucket yet. */
static struct err take_at(struct bucket_table *table, const struct place *place, uint16_t row,
                          const struct bucket_rate *rates, uint32_t cost, uint64_t now_us,
                          const struct bucket_slot *old, uint64_t *ret_wait_us)
{
    struct bucket_slot *vacant;
    struct bucket_slot *slot = find(table, place, row, rates, now_us, &vacant);
    if (slot == NULL && vacant == NULL)
        return ERR(FRONT_OVERLOAD);
    if (slot == NULL) {
        slot = vacant;
        *slot = (struct bucket_slot){.row_1 = (uint16_t)(row + 1), .last_us = now_us};
        memcpy(slot->tag, place->tag, sizeof slot->tag);
        if (old->spent != 0) {
            slot->last_us = old->last_us;
            slot->spent = old->spent;
        }
    }
    return spend(slot, &rates[row], cost, now_us, ret_wait_us);
}

static bool is_known(struct bucket_table *table, const struct place *place, uint16_t row,
                     const struct bucket_rate *rates, uint64_t now_us)
{
    struct bucket_slot *ignored;
    return find(table, place, row, rates, now_us, &ignored) != NULL;
}

struct err bucket_table_take(struct bucket_table *table, const struct bucket_rate *rates,
                             uint16_t row, struct bytes name, uint32_t cost, uint64_t now_us,
                             uint64_t *ret_wait_us)
{
    (void)pthread_rwlock_rdlock(&table->key_lock);
    struct bucket_slot old = {0};
    struct place place = place_of(table, &table->now.mac, row, name), before = place;
    (void)pthread_mutex_lock(&place.part->lock);
    bool known = is_known(table, &place, row, rates, now_us);
    if (!known && table->before.set) {
        /* one lock at a time; two threads that bring the same name over at once lose nothing, as
         * the second finds nothing to bring */
        (void)pthread_mutex_unlock(&place.part->lock);
        before = place_of(table, &table->before.mac, row, name);
        old = take_over(table, &before, row, rates, now_us);
        (void)pthread_mutex_lock(&place.part->lock);
    }
    struct err err = take_at(table, &place, row, rates, cost, now_us, &old, ret_wait_us);
    (void)pthread_mutex_unlock(&place.part->lock);
    if (err.code == ERR_FRONT_OVERLOAD && table->before.set)
        give_back(table, &before, row, rates, now_us, &old);
    (void)pthread_rwlock_unlock(&table->key_lock);
    return err;
}

/* What is spent at a place. */
static uint64_t spent_at(struct bucket_table *table, const struct place *place, uint16_t row,
                         const struct bucket_rate *rates, uint64_t now_us)
{
    struct bucket_slot *ignored;
    (void)pthread_mutex_lock(&place->part->lock);
    const struct bucket_slot *slot = find(table, place, row, rates, now_us, &ignored);
    uint64_t spent = slot != NULL ? settled(slot, rates[row].per_hour, now_us) : 0;
    (void)pthread_mutex_unlock(&place->part->lock);
    return spent;
}

static uint64_t spent_by(struct bucket_table *table, const struct bucket_rate *rates, uint16_t row,
                         struct bytes name, uint64_t now_us)
{
    struct place place = place_of(table, &table->now.mac, row, name);
    uint64_t spent = spent_at(table, &place, row, rates, now_us);
    if (spent != 0 || !table->before.set)
        return spent;
    place = place_of(table, &table->before.mac, row, name);
    return spent_at(table, &place, row, rates, now_us);
}

bool bucket_table_inherit(struct bucket_table *table, const struct bucket_rate *rates, uint16_t row,
                          struct bytes from, struct bytes to, uint64_t now_us)
{
    (void)pthread_rwlock_rdlock(&table->key_lock);
    uint64_t spent = spent_by(table, rates, row, from, now_us);
    bool room = true;
    if (spent > spent_by(table, rates, row, to, now_us)) {
        struct place place = place_of(table, &table->now.mac, row, to);
        room = bucket_table_put(table, rates, place.tag, row, spent, now_us);
    }
    (void)pthread_rwlock_unlock(&table->key_lock);
    return room;
}

/* ---- for a table that outlives its process ---- */

void bucket_table_each(struct bucket_table *table, const struct bucket_rate *rates, uint64_t now_us,
                       void (*visit)(void *arg, const uint8_t tag[BUCKET_TAG_BYTES], uint16_t row,
                                     uint64_t spent),
                       void *arg)
{
    for (int i = 0; i < BUCKET_PARTS; i++) {
        struct bucket_part *part = &table->parts[i];
        (void)pthread_mutex_lock(&part->lock);
        for (size_t k = 0; k < table->part_slots; k++) {
            const struct bucket_slot *slot = &part->slots[k];
            if (slot->row_1 == 0)
                continue;
            uint16_t row = (uint16_t)(slot->row_1 - 1);
            uint64_t spent = settled(slot, rates[row].per_hour, now_us);
            if (spent > 0)
                visit(arg, slot->tag, row, spent);
        }
        (void)pthread_mutex_unlock(&part->lock);
    }
}

bool bucket_table_put(struct bucket_table *table, const struct bucket_rate *rates,
                      const uint8_t tag[BUCKET_TAG_BYTES], uint16_t row, uint64_t spent,
                      uint64_t now_us)
{
    struct place place = place_of_tag(table, tag);
    struct bucket_slot *vacant;
    (void)pthread_mutex_lock(&place.part->lock);
    struct bucket_slot *slot = find(table, &place, row, rates, now_us, &vacant);
    slot = slot != NULL ? slot : vacant;
    if (slot != NULL) {
        *slot =
            (struct bucket_slot){.row_1 = (uint16_t)(row + 1), .last_us = now_us, .spent = spent};
        memcpy(slot->tag, tag, sizeof slot->tag);
    }
    (void)pthread_mutex_unlock(&place.part->lock);
    return slot != NULL;
}
