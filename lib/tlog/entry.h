/* What the log's leaves hold (transparency.md 6): leaf 0 the configuration, leaf i the i-th epoch;
 * and distinguished entries, the first of each window.
 *
 *     struct { uint64 timestamp; opaque prefix_tree[32]; } LogEntry;              40 bytes, ms
 *     struct {
 *         uint16 ciphersuite = 0xF102; uint8 mode; opaque origin<1..2^8-1>;
 *         opaque signature_public_key<0..2^16-1>; opaque vrf_public_key<0..2^16-1>;
 *         uint64 max_ahead; uint64 max_behind; uint64 reasonable_monitoring_window;
 *         optional<uint64> maximum_lifetime;                                      absent
 *     } KtConfig;
 *     struct {
 *         uint64 index; LogEntry prev; LogEntry entry;
 *         HashValue incl_prev<0..2^8-1>; HashValue incl_entry<0..2^8-1>;
 *     } DistEntry;                          index 1: prev zero, incl_prev empty
 *
 * Epoch i is distinguished iff i = 1 or window(ts_i) > window(ts_{i-1}), window being the timestamp
 * divided by reasonable_monitoring_window. Timestamps never decrease.
 */
#ifndef TLOG_ENTRY_H
#define TLOG_ENTRY_H

#include "tlog/checkpoint.h"
#include "tlog/commitment.h"

enum {
    KT_SUITE = 0xF102,
    KT_MODE_CONTACT = 1,
    KT_MODE_AUDITED = 3,
    KT_ORIGIN_MAX_BYTES = 255,
    KT_CONFIG_MAX_BYTES = 512,
    LOG_ENTRY_BYTES = 40,
};

struct log_entry {
    uint64_t timestamp; /* milliseconds since 1970 */
    struct hash_value prefix_root;
};

void log_entry_read(struct wire_reader *r, struct log_entry *ret_entry);
void log_entry_write(struct buf *b, const struct log_entry *entry);
void log_entry_hash(const struct log_entry *entry, struct hash_value *ret_hash);

/* By value, since clients keep it. About 350 bytes. */
struct kt_config {
    uint8_t mode;
    uint8_t origin_len;
    uint8_t origin[KT_ORIGIN_MAX_BYTES];
    uint8_t signature_key[32]; /* Ed25519 */
    uint8_t vrf_key[VRF_PUBLIC_BYTES];
    uint64_t max_ahead_ms;
    uint64_t max_behind_ms;
    uint64_t window_ms;
};

/* ERR_WIRE_VALUE also for another suite or mode, a window of 0, a lifetime; ERR_CRYPTO_KEY when the
 * VRF key is none; ERR_TLOG_NOTE when the origin can't be a note's name. */
CHECKED struct err kt_config_parse(struct bytes in, struct kt_config *ret_config);
void kt_config_write(struct buf *b, const struct kt_config *config);
static inline struct bytes kt_config_origin(const struct kt_config *config)
{
    return bytes_of(config->origin, config->origin_len);
}
/* The key that checkpoints are signed with. Its name is a view into config. */
CHECKED struct err kt_config_log_key(const struct kt_config *config, struct note_key *ret_key);
static inline uint64_t kt_window(const struct kt_config *config, uint64_t timestamp_ms)
{
    return timestamp_ms / config->window_ms;
}

struct dist_entry {
    uint64_t index;
    struct log_entry prev, entry;
    struct hash_run incl_prev, incl_entry; /* views */
};

void dist_entry_read(struct wire_reader *r, struct dist_entry *ret_dist);
void dist_entry_write(struct buf *b, const struct dist_entry *dist);
/* Both entries are in the tree, and time did not run backwards between them. ERR_TLOG_INCLUSION,
 * ERR_TLOG_TIME. */
CHECKED struct err dist_entry_verify_pair(const struct dist_entry *dist, uint64_t size,
                                          const struct hash_value *root);
/* The same, and it is distinguished: ERR_TLOG_DISTINGUISHED. */
CHECKED struct err dist_entry_verify(const struct dist_entry *dist, const struct kt_config *config,
                                     uint64_t size, const struct hash_value *root);

#endif
