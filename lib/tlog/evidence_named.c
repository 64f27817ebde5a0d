/* Evidence about versions of a label, by name: keys that none of the keys before allowed, and
 * versions left out (transparency.md 4). */
#include <stdlib.h>

#include "seal/key_set.h"
#include "tlog/evidence_inside.h"

/* ---- codec */

static void version_read(struct wire_reader *r, struct evidence_version *v)
{
    v->version = wire_read_u32(r);
    v->proof = wire_read_fixed(r, VRF_PROOF_BYTES).data;
    v->opening = NULL;
    if (!wire_read_present(r))
        return;
    v->opening = wire_read_fixed(r, OPENING_BYTES).data;
    v->value = tlog_read_vector32(r, TLOG_VALUE_MAX_BYTES);
}

static void named_read(struct wire_reader *r, struct evidence_tree *tree,
                       struct hash_value commitments[PREFIX_LOOKUPS_MAX],
                       struct evidence_named *named)
{
    evidence_tree_read(r, tree, commitments);
    named->tree = tree;
    named->label = wire_read_vector8(r);
    named->count = wire_read_u8(r);
    if (named->label.len == 0 || named->count == 0 || named->count > 2) {
        wire_reader_fail(r, ERR_WIRE_VALUE);
        return;
    }
    for (size_t i = 0; i < named->count; i++)
        version_read(r, &named->versions[i]);
}

static void named_write(struct buf *b, const struct evidence_named *named)
{
    evidence_tree_write(b, named->tree);
    wire_write_vector8(b, named->label);
    wire_write_u8(b, (uint8_t)named->count);
    for (size_t i = 0; i < named->count; i++) {
        const struct evidence_version *v = &named->versions[i];
        wire_write_u32(b, v->version);
        wire_write_fixed(b, bytes_of(v->proof, VRF_PROOF_BYTES));
        wire_write_present(b, v->opening != NULL);
        if (v->opening == NULL)
            continue;
        wire_write_fixed(b, bytes_of(v->opening, OPENING_BYTES));
        tlog_write_vector32(b, v->value);
    }
}

/* ---- judging */

/* Where the version stands among the tree's lookups. */
static struct err find_lookup(const struct evidence_file *f, const struct evidence_named *named,
                              const struct evidence_version *v, size_t *ret_at)
{
    uint8_t index[INDEX_BYTES];
    const struct evidence_tree *tree = named->tree;
    TRY(tlog_index_verify(bytes_of(f->out.config.vrf_key, VRF_PUBLIC_BYTES), named->label,
                          v->version, bytes_of(v->proof, VRF_PROOF_BYTES), index));
    for (size_t i = 0; i < tree->proof.count; i++) {
        if (memcmp(tree->lookups[i].index, index, INDEX_BYTES) == 0) {
            *ret_at = i;
            return ERR_OK;
        }
    }
    return ERR(TLOG_EVIDENCE);
}

static bool is_there(const struct evidence_named *named, size_t at)
{
    return named->tree->proof.results[at].type == PREFIX_INCLUSION;
}

/* The value is what the log is committed to, as a KeySet. */
static struct err open_set(const struct evidence_file *f, const struct evidence_named *named,
                           struct key_set *ret_set)
{
    const struct evidence_version *v = &named->versions[0];
    struct hash_value commitment;
    size_t at;
    if (named->count != 1 || v->opening == NULL ||
        (named->label.data[0] != LABEL_USER && named->label.data[0] != LABEL_HANDLE))
        return ERR(TLOG_EVIDENCE);
    TRY(evidence_tree_check(f, named->tree));
    TRY(find_lookup(f, named, v, &at));
    tlog_commit(v->opening, named->label, v->version, v->value, &commitment);
    if (!is_there(named, at) || !hash_value_equal(&commitment, named->tree->lookups[at].commitment))
        return ERR(TLOG_COMMITMENT);
    /* one that can't be read is not judged: what can be read may grow, and versions below those
     * that are older than the log are empty (server/auth/enter_log.c) */
    return key_set_parse(v->value, ret_set);
}

static bool is_of(const struct key_set *set, const struct evidence_named *named)
{
    return set->version == named->versions[0].version && bytes_equal(set->label, named->label);
}

static struct err judge_sets(const struct evidence_named named[2], const struct key_set sets[2])
{
    if (!bytes_equal(named[0].label, named[1].label) ||
        named[0].versions[0].version >= LADDER_VERSION_MAX ||
        named[1].versions[0].version != named[0].versions[0].version + 1 ||
        !is_of(&sets[0], &named[0]))
        return ERR(TLOG_EVIDENCE);
    if (!is_of(&sets[1], &named[1]))
        return ERR_OK; /* somebody else's, or another version's */
    struct err err = key_set_verify(&sets[1], &sets[0]);
    if (err.code == ERR_KEY_SET || err.code == ERR_CRYPTO_SIGNATURE)
        return ERR_OK;
    return err_is_ok(err) ? ERR(TLOG_EVIDENCE) : err;
}

struct err evidence_judge_unsigned(struct evidence_file *f, struct wire_reader *r)
{
    struct evidence_named named[2] = {{0}};
    size_t at;
    for (size_t i = 0; i < 2; i++) {
        named_read(r, &f->trees[i], f->commitments[i], &named[i]);
        TRY(wire_reader_check(r));
        f->out.at[i] = f->trees[i].at.index;
    }
    TRY(wire_reader_end(r));
    struct key_set *sets = calloc(2, sizeof *sets); /* 10 kB each */
    if (sets == NULL)
        return ERR(NO_MEMORY);
    struct err err = open_set(f, &named[0], &sets[0]);
    if (err_is_ok(err))
        err = open_set(f, &named[1], &sets[1]);
    if (err_is_ok(err))
        err = judge_sets(named, sets);
    free(sets);
    TRY(err);
    TRY(find_lookup(f, &named[1], &named[1].versions[0], &at));
    memcpy(f->out.index, f->trees[1].lookups[at].index, INDEX_BYTES);
    return ERR_OK;
}

struct err evidence_judge_skipped(struct evidence_file *f, struct wire_reader *r)
{
    struct evidence_named named = {0};
    size_t at[2] = {0};
    named_read(r, &f->trees[0], f->commitments[0], &named);
    TRY(wire_reader_end(r));
    if (named.count != 2 || named.versions[0].version <= named.versions[1].version)
        return ERR(TLOG_EVIDENCE);
    TRY(evidence_tree_check(f, named.tree));
    for (size_t i = 0; i < 2; i++) {
        f->out.at[i] = f->trees[0].at.index;
        TRY(find_lookup(f, &named, &named.versions[i], &at[i]));
    }
    memcpy(f->out.index, named.tree->lookups[at[1]].index, INDEX_BYTES);
    return is_there(&named, at[0]) && !is_there(&named, at[1]) ? ERR_OK : ERR(TLOG_EVIDENCE);
}

/* ---- making */

struct err evidence_unsigned(struct buf *b, const struct kt_config *config,
                             const struct evidence_named *before,
                             const struct evidence_named *after)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, EVIDENCE_UNSIGNED);
    named_write(&file, before);
    named_write(&file, after);
    return evidence_file_end(b, &file);
}

struct err evidence_skipped(struct buf *b, const struct kt_config *config,
                            const struct evidence_named *named)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, EVIDENCE_SKIPPED);
    named_write(&file, named);
    return evidence_file_end(b, &file);
}

/* ---- what answers show */

struct err evidence_tree_of_update(const struct update_response *s, const struct kt_known *known,
                                   struct evidence_tree *ret_tree)
{
    ret_tree->at =
        (struct evidence_sighting){s->checkpoint, s->pair.index, s->pair.entry, s->pair.incl_entry};
    ret_tree->proof = s->at_entry;
    if (s->at_entry.count != known->count)
        return ERR(TLOG_LADDER);
    for (size_t i = 0; i < known->count; i++) {
        const struct kt_lookup *lookup = &known->lookups[i];
        ret_tree->lookups[i] =
            (struct prefix_lookup){lookup->index, lookup->present ? &lookup->commitment : NULL};
    }
    return ERR_OK;
}

static const struct kt_lookup *own_lookup(const struct kt_own *own, uint32_t version)
{
    for (size_t i = 0; i < own->count; i++)
        if (own->lookups[i].version == version)
            return &own->lookups[i];
    return NULL;
}

struct err evidence_tree_of_step(const struct owner_step *step, struct bytes checkpoint,
                                 uint32_t expected, const struct kt_own *own,
                                 struct evidence_tree *ret_tree)
{
    struct version_ladder base;
    ret_tree->at = (struct evidence_sighting){checkpoint, step->dist.index, step->dist.entry,
                                              step->dist.incl_entry};
    ret_tree->proof = step->proof;
    ladder_base(expected, &base);
    if (step->proof.count != base.count)
        return ERR(TLOG_LADDER);
    for (size_t i = 0; i < base.count; i++) {
        const struct kt_lookup *lookup = own_lookup(own, base.at[i]);
        bool present = step->proof.results[i].type == PREFIX_INCLUSION;
        if (lookup == NULL || (present && !lookup->present))
            return ERR(TLOG_LADDER);
        ret_tree->lookups[i] =
            (struct prefix_lookup){lookup->index, present ? &lookup->commitment : NULL};
    }
    return ERR_OK;
}
