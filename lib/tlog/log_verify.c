#include "tlog/log_verify.h"

static void join(const uint8_t *left, const uint8_t *right, struct hash_value *ret)
{
    hash_value_pair(1, left, right, ret);
}

/* RFC 9162 2.1.3.2, step by step; fn and sn are its names. */
struct err log_verify_inclusion(uint64_t index, uint64_t size, const struct hash_value *leaf,
                                const struct hash_run *proof, const struct hash_value *root)
{
    if (index >= size)
        return ERR(TLOG_INCLUSION);
    uint64_t fn = index, sn = size - 1;
    struct hash_value r = *leaf;
    for (size_t i = 0; i < proof->count; i++) {
        const uint8_t *p = hash_run_at(proof, i);
        if (sn == 0)
            return ERR(TLOG_INCLUSION);
        if ((fn & 1) || fn == sn) {
            join(p, r.data, &r);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            join(r.data, p, &r);
        }
        fn >>= 1;
        sn >>= 1;
    }
    return sn == 0 && hash_value_equal(&r, root) ? ERR_OK : ERR(TLOG_INCLUSION);
}

void log_root_up_to(uint64_t index, uint64_t size, const struct hash_value *leaf,
                    const struct hash_run *proof, struct hash_value *ret_root)
{
    uint64_t fn = index, sn = size - 1;
    struct hash_value r = *leaf;
    for (size_t i = 0; i < proof->count; i++, fn >>= 1, sn >>= 1) {
        if (!(fn & 1) && fn != sn)
            continue; /* to the right: later than the leaf */
        join(hash_run_at(proof, i), r.data, &r);
        while (!(fn & 1) && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
    }
    *ret_root = r;
}

static bool is_power_of_two(uint64_t n)
{
    return (n & (n - 1)) == 0;
}

/* RFC 9162 2.1.4.2 from step 2 on, old < size; old_root is needed for powers of two alone. */
static bool consistent(uint64_t old, uint64_t size, const struct hash_value *old_root,
                       const struct hash_value *root, const struct hash_run *proof,
                       struct hash_value *ret_old_root)
{
    bool whole = is_power_of_two(old); /* the old root is a subtree and not in the proof */
    if (proof->count == 0)
        return false;
    uint64_t fn = old - 1, sn = size - 1;
    while (fn & 1) {
        fn >>= 1;
        sn >>= 1;
    }
    struct hash_value fr, sr;
    memcpy(fr.data, whole ? old_root->data : hash_run_at(proof, 0), HASH_VALUE_BYTES);
    sr = fr;
    for (size_t i = whole ? 0 : 1; i < proof->count; i++) {
        const uint8_t *c = hash_run_at(proof, i);
        if (sn == 0)
            return false;
        if ((fn & 1) || fn == sn) {
            join(c, fr.data, &fr);
            join(c, sr.data, &sr);
            while (!(fn & 1) && fn != 0) {
                fn >>= 1;
                sn >>= 1;
            }
        } else {
            join(sr.data, c, &sr);
        }
        fn >>= 1;
        sn >>= 1;
    }
    *ret_old_root = fr;
    return sn == 0 && hash_value_equal(&sr, root);
}

struct err log_verify_consistency(uint64_t old, uint64_t size, const struct hash_value *old_root,
                                  const struct hash_value *root, const struct hash_run *proof)
{
    struct hash_value got;
    bool well = old > 0 && old < size && consistent(old, size, old_root, root, proof, &got) &&
                hash_value_equal(&got, old_root);
    if (old > 0 && old == size)
        well = proof->count == 0 && hash_value_equal(old_root, root);
    return well ? ERR_OK : ERR(TLOG_CONSISTENCY);
}

struct err log_consistency_root(uint64_t old, uint64_t size, const struct hash_value *first,
                                const struct hash_value *root, const struct hash_run *proof,
                                struct hash_value *ret_root)
{
    struct hash_value r;
    if (old == 0 || old >= size)
        return ERR(TLOG_CONSISTENCY);
    if (!is_power_of_two(old)) {
        if (!consistent(old, size, first, root, proof, &r))
            return ERR(TLOG_CONSISTENCY);
        *ret_root = r;
        return ERR_OK;
    }
    TRY(log_verify_consistency(1, size, first, root, proof));
    r = *first;
    size_t i = 0;
    for (uint64_t n = 1; n < old; n *= 2) /* the leaf's path: 1, 2, 4, 8 entries */
        join(r.data, hash_run_at(proof, i++), &r);
    *ret_root = r;
    return ERR_OK;
}
