#include "server/front/nonce_table.h"

#include <stdlib.h>

struct err nonce_table_init(struct nonce_table *table, const struct rng *rng)
{
    uint8_t key[32];
    TRY(rng_fill(rng, key, sizeof key));
    *table = (struct nonce_table){0};
    hmac_init(&table->mac, &hash_sha256, bytes_of(key, sizeof key));
    bytes_wipe(key, sizeof key);
    if (pthread_mutex_init(&table->lock, NULL) != 0)
        return ERR(NO_MEMORY);
    table->open = true;
    return ERR_OK;
}

void nonce_table_clear(struct nonce_table *table)
{
    if (!table->open)
        return;
    (void)pthread_mutex_destroy(&table->lock);
    free(table->ring);
    free(table->heads);
    hmac_clear(&table->mac);
    *table = (struct nonce_table){0};
}

/* Under the lock, once. */
static struct err make_room(struct nonce_table *table, uint32_t most)
{
    uint32_t chains = 1;
    while (chains < most)
        chains *= 2;
    /* not malloc: pages that are never used are never there */
    table->ring = calloc(most, sizeof *table->ring);
    table->heads = calloc(chains, sizeof *table->heads);
    if (table->ring == NULL || table->heads == NULL) {
        free(table->ring);
        free(table->heads);
        table->ring = NULL;
        table->heads = NULL;
        return ERR(NO_MEMORY);
    }
    table->most = most;
    table->mask = chains - 1;
    return ERR_OK;
}

static void tag_of(const struct nonce_table *table, struct bytes_list name,
                   uint8_t ret_tag[NONCE_TAG_BYTES])
{
    uint8_t mac[32];
    struct hmac m = table->mac;
    for (size_t i = 0; i < name.count; i++) {
        uint64_t len = name.at[i].len;
        hmac_update(&m, bytes_of(&len, sizeof len));
        hmac_update(&m, name.at[i]);
    }
    hmac_final(&m, mac);
    memcpy(ret_tag, mac, NONCE_TAG_BYTES);
}

static uint32_t *head_of(struct nonce_table *table, const uint8_t tag[NONCE_TAG_BYTES])
{
    uint32_t hash;
    memcpy(&hash, tag, sizeof hash);
    return &table->heads[hash & table->mask];
}

/* The ring's oldest is also the last of its chain: newer ones were put before it. */
static void drop_oldest(struct nonce_table *table)
{
    struct nonce_entry *oldest = &table->ring[table->first];
    uint32_t *at = head_of(table, oldest->tag);
    while (*at != table->first + 1)
        at = &table->ring[*at - 1].next_1;
    *at = 0;
    table->first = table->first + 1 == table->most ? 0 : table->first + 1;
    table->count--;
}

static bool is_known(struct nonce_table *table, const uint8_t tag[NONCE_TAG_BYTES])
{
    for (uint32_t at = *head_of(table, tag); at != 0; at = table->ring[at - 1].next_1)
        if (memcmp(table->ring[at - 1].tag, tag, NONCE_TAG_BYTES) == 0)
            return true;
    return false;
}

static void add(struct nonce_table *table, const uint8_t tag[NONCE_TAG_BYTES], uint32_t until_s)
{
    uint64_t slot = ((uint64_t)table->first + table->count) % table->most;
    struct nonce_entry *entry = &table->ring[slot];
    uint32_t *head = head_of(table, tag);
    memcpy(entry->tag, tag, NONCE_TAG_BYTES);
    entry->until_s = until_s;
    entry->next_1 = *head;
    *head = (uint32_t)slot + 1;
    table->count++;
}

static struct err take(struct nonce_table *table, const uint8_t tag[NONCE_TAG_BYTES], uint32_t most,
                       uint32_t now_s, uint32_t keep_s)
{
    if (table->ring == NULL)
        TRY(make_room(table, most));
    while (table->count > 0 && table->ring[table->first].until_s < now_s)
        drop_oldest(table);
    if (is_known(table, tag))
        return ERR(FRONT_UNAUTHENTICATED);
    if (table->count == table->most)
        return ERR(FRONT_OVERLOAD);
    add(table, tag, now_s + keep_s);
    return ERR_OK;
}

struct err nonce_table_take(struct nonce_table *table, struct bytes_list name, uint32_t most,
                            uint64_t now_us, uint32_t keep_s)
{
    uint8_t tag[NONCE_TAG_BYTES];
    tag_of(table, name, tag);
    (void)pthread_mutex_lock(&table->lock);
    struct err err = take(table, tag, most, (uint32_t)(now_us / 1000000), keep_s);
    (void)pthread_mutex_unlock(&table->lock);
    return err;
}

uint32_t nonce_table_count(struct nonce_table *table)
{
    (void)pthread_mutex_lock(&table->lock);
    uint32_t count = table->count;
    (void)pthread_mutex_unlock(&table->lock);
    return count;
}
