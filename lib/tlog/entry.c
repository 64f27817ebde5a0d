#include "tlog/entry.h"

#include "tlog/log_tree.h"
#include "tlog/log_verify.h"

void log_entry_read(struct wire_reader *r, struct log_entry *ret_entry)
{
    ret_entry->timestamp = wire_read_u64(r);
    hash_value_read(r, &ret_entry->prefix_root);
}

void log_entry_write(struct buf *b, const struct log_entry *entry)
{
    wire_write_u64(b, entry->timestamp);
    wire_write_fixed(b, hash_value_view(&entry->prefix_root));
}

void log_entry_hash(const struct log_entry *entry, struct hash_value *ret_hash)
{
    uint8_t raw[LOG_ENTRY_BYTES];
    for (size_t i = 0; i < 8; i++)
        raw[i] = (uint8_t)(entry->timestamp >> (56 - 8 * i));
    memcpy(raw + 8, entry->prefix_root.data, HASH_VALUE_BYTES);
    log_leaf_hash(bytes_of(raw, sizeof raw), ret_hash);
}

/* ---- configuration */

static void read_key(struct wire_reader *r, uint8_t key[32])
{
    struct bytes value = wire_read_vector16(r);
    if (value.len != 32) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return;
    }
    memcpy(key, value.data, 32);
}

struct err kt_config_parse(struct bytes in, struct kt_config *ret_config)
{
    if (in.len > KT_CONFIG_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    struct kt_config c = {0};
    if (wire_read_u16(&r) != KT_SUITE)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    c.mode = wire_read_u8(&r);
    if (c.mode != KT_MODE_CONTACT && c.mode != KT_MODE_AUDITED)
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    struct bytes origin = tlog_read_name(&r);
    c.origin_len = (uint8_t)origin.len;
    if (origin.len > 0)
        memcpy(c.origin, origin.data, origin.len);
    read_key(&r, c.signature_key);
    read_key(&r, c.vrf_key);
    c.max_ahead_ms = wire_read_u64(&r);
    c.max_behind_ms = wire_read_u64(&r);
    c.window_ms = wire_read_u64(&r);
    if (c.window_ms == 0 || wire_read_present(&r))
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    TRY(wire_reader_end(&r));
    struct note_key key;
    TRY(kt_config_log_key(&c, &key));
    TRY(vrf_check_public(bytes_of(c.vrf_key, sizeof c.vrf_key)));
    *ret_config = c;
    return ERR_OK;
}

void kt_config_write(struct buf *b, const struct kt_config *c)
{
    wire_write_u16(b, KT_SUITE);
    wire_write_u8(b, c->mode);
    wire_write_vector8(b, kt_config_origin(c));
    wire_write_vector16(b, bytes_of(c->signature_key, sizeof c->signature_key));
    wire_write_vector16(b, bytes_of(c->vrf_key, sizeof c->vrf_key));
    wire_write_u64(b, c->max_ahead_ms);
    wire_write_u64(b, c->max_behind_ms);
    wire_write_u64(b, c->window_ms);
    wire_write_present(b, false);
}

struct err kt_config_log_key(const struct kt_config *c, struct note_key *ret_key)
{
    return note_key_make(kt_config_origin(c), NOTE_ED25519,
                         bytes_of(c->signature_key, sizeof c->signature_key), ret_key);
}

/* ---- distinguished entries */

static bool is_zero(const struct log_entry *entry)
{
    return entry->timestamp == 0 &&
           hash_value_equal(&entry->prefix_root, &(struct hash_value){{0}});
}

void dist_entry_read(struct wire_reader *r, struct dist_entry *ret_dist)
{
    ret_dist->index = wire_read_u64(r);
    log_entry_read(r, &ret_dist->prev);
    log_entry_read(r, &ret_dist->entry);
    ret_dist->incl_prev = hash_run_read8(r);
    ret_dist->incl_entry = hash_run_read8(r);
    bool first = ret_dist->index == 1;
    if (ret_dist->index == 0 ||
        (first && (!is_zero(&ret_dist->prev) || ret_dist->incl_prev.count > 0)))
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

void dist_entry_write(struct buf *b, const struct dist_entry *dist)
{
    wire_write_u64(b, dist->index);
    log_entry_write(b, &dist->prev);
    log_entry_write(b, &dist->entry);
    hash_run_write8(b, &dist->incl_prev);
    hash_run_write8(b, &dist->incl_entry);
}

struct err dist_entry_verify_pair(const struct dist_entry *dist, uint64_t size,
                                  const struct hash_value *root)
{
    struct hash_value leaf;
    log_entry_hash(&dist->entry, &leaf);
    TRY(log_verify_inclusion(dist->index, size, &leaf, &dist->incl_entry, root));
    if (dist->index == 1) /* leaf 0 is the configuration */
        return ERR_OK;
    log_entry_hash(&dist->prev, &leaf);
    TRY(log_verify_inclusion(dist->index - 1, size, &leaf, &dist->incl_prev, root));
    return dist->prev.timestamp <= dist->entry.timestamp ? ERR_OK : ERR(TLOG_TIME);
}

struct err dist_entry_verify(const struct dist_entry *dist, const struct kt_config *config,
                             uint64_t size, const struct hash_value *root)
{
    TRY(dist_entry_verify_pair(dist, size, root));
    bool crossed =
        kt_window(config, dist->entry.timestamp) > kt_window(config, dist->prev.timestamp);
    return dist->index == 1 || crossed ? ERR_OK : ERR(TLOG_DISTINGUISHED);
}
