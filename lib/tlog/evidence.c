#include "tlog/evidence_inside.h"

#include <stdlib.h>

#include "tlog/log_tree.h"
#include "tlog/log_verify.h"

static const char magic[8] = {'K', 'T', 'L', 'E', 'V', 'I', 'D', '1'};

/* ---- codec */

static void sighting_read(struct wire_reader *r, struct evidence_sighting *s)
{
    s->note = wire_read_vector16(r);
    s->index = wire_read_u64(r);
    log_entry_read(r, &s->entry);
    s->inclusion = hash_run_read8(r);
    if (s->index == 0)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

static void sighting_write(struct buf *b, const struct evidence_sighting *s)
{
    wire_write_vector16(b, s->note);
    wire_write_u64(b, s->index);
    log_entry_write(b, &s->entry);
    hash_run_write8(b, &s->inclusion);
}

/* Commitments are copied to where prefix_lookup can point at them. */
void evidence_tree_read(struct wire_reader *r, struct evidence_tree *t,
                        struct hash_value commitments[PREFIX_LOOKUPS_MAX])
{
    sighting_read(r, &t->at);
    size_t count = wire_read_u8(r);
    for (size_t i = 0; i < count && r->failure == ERR_NONE; i++) {
        t->lookups[i].index = wire_read_fixed(r, INDEX_BYTES).data;
        t->lookups[i].commitment = wire_read_present(r) ? &commitments[i] : NULL;
        if (t->lookups[i].commitment != NULL)
            hash_value_read(r, &commitments[i]);
    }
    prefix_proof_read(r, &t->proof);
    if (t->proof.count != count)
        wire_reader_fail(r, ERR_WIRE_VALUE);
}

void evidence_tree_write(struct buf *b, const struct evidence_tree *t)
{
    sighting_write(b, &t->at);
    wire_write_u8(b, (uint8_t)t->proof.count);
    for (size_t i = 0; i < t->proof.count; i++) {
        wire_write_fixed(b, bytes_of(t->lookups[i].index, INDEX_BYTES));
        wire_write_present(b, t->lookups[i].commitment != NULL);
        if (t->lookups[i].commitment != NULL)
            wire_write_fixed(b, hash_value_view(t->lookups[i].commitment));
    }
    prefix_proof_write(b, &t->proof);
}

/* ---- judging */

static struct err open_note(const struct evidence_file *f, struct bytes note,
                            struct checkpoint *ret)
{
    return checkpoint_open(note, &f->key, ret);
}

static struct err sighting_check(const struct evidence_file *f, const struct evidence_sighting *s)
{
    struct checkpoint c;
    struct hash_value leaf;
    TRY(open_note(f, s->note, &c));
    log_entry_hash(&s->entry, &leaf);
    return log_verify_inclusion(s->index, c.size, &leaf, &s->inclusion, &c.root);
}

static struct err judge_roots(struct evidence_file *f, struct wire_reader *r)
{
    struct bytes notes[2] = {wire_read_vector16(r), bytes_of(NULL, 0)};
    struct checkpoint c[2];
    notes[1] = wire_read_vector16(r);
    TRY(wire_reader_end(r));
    for (size_t i = 0; i < 2; i++) {
        TRY(open_note(f, notes[i], &c[i]));
        f->out.at[i] = c[i].size;
    }
    bool two = c[0].size == c[1].size && !hash_value_equal(&c[0].root, &c[1].root);
    return two ? ERR_OK : ERR(TLOG_EVIDENCE);
}

/* Entries and time. */
static struct err judge_sightings(struct evidence_file *f, struct wire_reader *r)
{
    struct evidence_sighting s[2];
    for (size_t i = 0; i < 2; i++)
        sighting_read(r, &s[i]);
    TRY(wire_reader_end(r));
    for (size_t i = 0; i < 2; i++) {
        TRY(sighting_check(f, &s[i]));
        f->out.at[i] = s[i].index;
    }
    bool differ = s[0].entry.timestamp != s[1].entry.timestamp ||
                  !hash_value_equal(&s[0].entry.prefix_root, &s[1].entry.prefix_root);
    bool wrong = f->out.kind == EVIDENCE_ENTRIES
                     ? s[0].index == s[1].index && differ
                     : s[0].index < s[1].index && s[0].entry.timestamp > s[1].entry.timestamp;
    return wrong ? ERR_OK : ERR(TLOG_EVIDENCE);
}

static struct err judge_windows(struct evidence_file *f, struct wire_reader *r)
{
    struct bytes notes[2];
    struct dist_entry dists[2];
    for (size_t i = 0; i < 2; i++) {
        notes[i] = wire_read_vector16(r);
        dist_entry_read(r, &dists[i]);
    }
    TRY(wire_reader_end(r));
    for (size_t i = 0; i < 2; i++) {
        struct checkpoint c;
        TRY(open_note(f, notes[i], &c));
        TRY(dist_entry_verify(&dists[i], &f->out.config, c.size, &c.root));
        f->out.at[i] = dists[i].index;
    }
    bool same_window = kt_window(&f->out.config, dists[0].entry.timestamp) ==
                       kt_window(&f->out.config, dists[1].entry.timestamp);
    return same_window && dists[0].index != dists[1].index ? ERR_OK : ERR(TLOG_EVIDENCE);
}

struct err evidence_tree_check(const struct evidence_file *f, const struct evidence_tree *t)
{
    struct hash_value root;
    TRY(sighting_check(f, &t->at));
    TRY(prefix_evaluate(&t->proof, t->lookups, t->proof.count, &root));
    return hash_value_equal(&root, &t->at.entry.prefix_root) ? ERR_OK : ERR(TLOG_PREFIX_PROOF);
}

/* Is an index present in a, and in b absent or under another commitment? */
static bool rewritten(const struct evidence_tree *a, const struct evidence_tree *b,
                      uint8_t ret_index[INDEX_BYTES])
{
    for (size_t i = 0; i < a->proof.count; i++) {
        if (a->proof.results[i].type != PREFIX_INCLUSION)
            continue;
        for (size_t j = 0; j < b->proof.count; j++) {
            if (memcmp(a->lookups[i].index, b->lookups[j].index, INDEX_BYTES) != 0)
                continue;
            bool gone = b->proof.results[j].type != PREFIX_INCLUSION;
            if (gone || !hash_value_equal(a->lookups[i].commitment, b->lookups[j].commitment)) {
                memcpy(ret_index, a->lookups[i].index, INDEX_BYTES);
                return true;
            }
        }
    }
    return false;
}

static struct err judge_rewritten(struct evidence_file *f, struct wire_reader *r)
{
    for (size_t i = 0; i < 2; i++)
        evidence_tree_read(r, &f->trees[i], f->commitments[i]);
    TRY(wire_reader_end(r));
    for (size_t i = 0; i < 2; i++) {
        TRY(evidence_tree_check(f, &f->trees[i]));
        f->out.at[i] = f->trees[i].at.index;
    }
    bool wrong =
        f->out.at[0] <= f->out.at[1] && rewritten(&f->trees[0], &f->trees[1], f->out.index);
    return wrong ? ERR_OK : ERR(TLOG_EVIDENCE);
}

/* The root of the first `size` entries of the log that the checkpoint is of. */
static struct err prefix_root(const struct evidence_file *f, uint64_t size,
                              const struct evidence_prefix *p, struct hash_value *ret_root)
{
    struct checkpoint c;
    struct buf raw = BUF_INIT;
    struct hash_value first;
    TRY(open_note(f, p->note, &c));
    if (c.size == size) {
        *ret_root = c.root;
        return p->consistency.count == 0 ? ERR_OK : ERR(TLOG_CONSISTENCY);
    }
    kt_config_write(&raw, &f->out.config);
    struct err err = buf_check(&raw);
    if (err_is_ok(err)) {
        log_leaf_hash(buf_view(&raw), &first);
        err = log_consistency_root(size, c.size, &first, &c.root, &p->consistency, ret_root);
    }
    buf_clear(&raw);
    return err;
}

static struct err judge_forked(struct evidence_file *f, struct wire_reader *r)
{
    struct evidence_prefix p[2];
    struct hash_value roots[2];
    uint64_t size = wire_read_u64(r);
    for (size_t i = 0; i < 2; i++) {
        p[i].note = wire_read_vector16(r);
        p[i].consistency = hash_run_read8(r);
        f->out.at[i] = size;
    }
    TRY(wire_reader_end(r));
    for (size_t i = 0; i < 2; i++)
        TRY(prefix_root(f, size, &p[i], &roots[i]));
    return hash_value_equal(&roots[0], &roots[1]) ? ERR(TLOG_EVIDENCE) : ERR_OK;
}

static struct err judge(struct evidence_file *f, struct bytes in)
{
    struct wire_reader r = wire_reader_of(in);
    if (!bytes_equal(wire_read_fixed(&r, sizeof magic), bytes_of(magic, sizeof magic)))
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    uint8_t kind = wire_read_u8(&r);
    struct bytes config = wire_read_vector16(&r);
    TRY(wire_reader_check(&r));
    TRY(kt_config_parse(config, &f->out.config));
    TRY(kt_config_log_key(&f->out.config, &f->key));
    f->out.kind = (enum evidence_kind)kind;
    switch (kind) {
    case EVIDENCE_ROOTS:
        return judge_roots(f, &r);
    case EVIDENCE_ENTRIES:
    case EVIDENCE_TIME:
        return judge_sightings(f, &r);
    case EVIDENCE_WINDOWS:
        return judge_windows(f, &r);
    case EVIDENCE_REWRITTEN:
        return judge_rewritten(f, &r);
    case EVIDENCE_UNSIGNED:
        return evidence_judge_unsigned(f, &r);
    case EVIDENCE_SKIPPED:
        return evidence_judge_skipped(f, &r);
    case EVIDENCE_FORKED:
        return judge_forked(f, &r);
    default:
        return ERR(WIRE_VALUE);
    }
}

struct err evidence_verify(struct bytes file, struct evidence *ret_evidence)
{
    if (file.len > EVIDENCE_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct evidence_file *f = calloc(1, sizeof *f);
    if (f == NULL)
        return ERR(NO_MEMORY);
    struct err err = judge(f, file);
    if (err_is_ok(err))
        *ret_evidence = f->out;
    free(f);
    return err;
}

const char *evidence_text(enum evidence_kind kind)
{
    switch (kind) {
    case EVIDENCE_ROOTS:
        return "The log's operator signed two different logs of the same size.";
    case EVIDENCE_ENTRIES:
        return "The log's operator signed two different entries under one number.";
    case EVIDENCE_WINDOWS:
        return "The log's operator signed two first entries of the same time window.";
    case EVIDENCE_TIME:
        return "The log's operator signed a later entry that bears an earlier time.";
    case EVIDENCE_REWRITTEN:
        return "The log's operator removed or changed a version that was in the log.";
    case EVIDENCE_UNSIGNED:
        return "The log's operator published keys that none of the keys before allowed.";
    case EVIDENCE_SKIPPED:
        return "The log's operator published a version without the ones below it.";
    case EVIDENCE_FORKED:
        return "The log's operator signed two logs that differ from some entry on.";
    default:
        return "Not a kind of evidence.";
    }
}

/* ---- making */

void evidence_file_begin(struct buf *b, const struct kt_config *config, enum evidence_kind kind)
{
    struct buf raw = BUF_INIT;
    kt_config_write(&raw, config);
    buf_append(b, magic, sizeof magic);
    wire_write_u8(b, (uint8_t)kind);
    wire_write_vector16(b, buf_view(&raw));
    b->failed = b->failed || raw.failed;
    buf_clear(&raw);
}

/* Moves a finished file to where it was asked for, if it proves something. */
struct err evidence_file_end(struct buf *b, struct buf *file)
{
    struct evidence evidence;
    struct err err = buf_check(file);
    if (err_is_ok(err))
        err = evidence_verify(buf_view(file), &evidence);
    if (err_is_ok(err)) {
        buf_append_bytes(b, buf_view(file));
        err = buf_check(b);
    }
    buf_clear(file);
    return err;
}

struct err evidence_roots(struct buf *b, const struct kt_config *config, struct bytes a,
                          struct bytes other)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, EVIDENCE_ROOTS);
    wire_write_vector16(&file, a);
    wire_write_vector16(&file, other);
    return evidence_file_end(b, &file);
}

struct err evidence_sightings(struct buf *b, const struct kt_config *config,
                              enum evidence_kind kind, const struct evidence_sighting *a,
                              const struct evidence_sighting *other)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, kind);
    sighting_write(&file, a);
    sighting_write(&file, other);
    return evidence_file_end(b, &file);
}

struct err evidence_forked(struct buf *b, const struct kt_config *config, uint64_t size,
                           const struct evidence_prefix *a, const struct evidence_prefix *other)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, EVIDENCE_FORKED);
    wire_write_u64(&file, size);
    wire_write_vector16(&file, a->note);
    hash_run_write8(&file, &a->consistency);
    wire_write_vector16(&file, other->note);
    hash_run_write8(&file, &other->consistency);
    return evidence_file_end(b, &file);
}

struct err evidence_windows(struct buf *b, const struct kt_config *config, struct bytes note_a,
                            const struct dist_entry *a, struct bytes note_other,
                            const struct dist_entry *other)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, EVIDENCE_WINDOWS);
    wire_write_vector16(&file, note_a);
    dist_entry_write(&file, a);
    wire_write_vector16(&file, note_other);
    dist_entry_write(&file, other);
    return evidence_file_end(b, &file);
}

struct err evidence_rewritten(struct buf *b, const struct kt_config *config,
                              const struct evidence_tree *a, const struct evidence_tree *other)
{
    struct buf file = BUF_INIT;
    evidence_file_begin(&file, config, EVIDENCE_REWRITTEN);
    evidence_tree_write(&file, a);
    evidence_tree_write(&file, other);
    return evidence_file_end(b, &file);
}

/* ---- out of answers */

/* The versions that the walk at D showed present. */
static void shown_at_dist(const struct search_response *s, struct version_ladder *ret_shown)
{
    struct ladder_walk walk;
    ladder_walk_begin(&walk);
    for (size_t i = 0; i < s->at_dist.count && !walk.done && i < LADDER_MAX; i++) {
        bool present = s->at_dist.results[i].type == PREFIX_INCLUSION;
        if (present)
            ret_shown->at[ret_shown->count++] = (uint32_t)walk.version;
        ladder_walk_step(&walk, present);
    }
}

void evidence_tree_of_search(const struct search_response *s, const struct kt_known *known,
                             uint64_t size, struct evidence_tree *ret_tree)
{
    struct version_ladder shown = {.count = 0};
    size_t count = 0;
    ret_tree->at = (struct evidence_sighting){s->checkpoint, size - 1, s->entry, s->inclusion};
    ret_tree->proof = s->at_entry;
    if (s->has_at_dist)
        shown_at_dist(s, &shown);
    for (size_t i = 0; i < known->count && count < s->at_entry.count; i++) {
        const struct kt_lookup *lookup = &known->lookups[i];
        if (ladder_has(&shown, lookup->version))
            continue;
        ret_tree->lookups[count++] =
            (struct prefix_lookup){lookup->index, lookup->present ? &lookup->commitment : NULL};
    }
    ret_tree->proof.count = count;
}

struct err evidence_tree_of_dist(const struct search_response *s, const struct kt_known *known,
                                 struct evidence_tree *ret_tree)
{
    struct ladder_walk walk;
    if (!s->has_dist || !s->has_at_dist || s->at_dist.count > LADDER_MAX)
        return ERR(TLOG_LADDER);
    ret_tree->at =
        (struct evidence_sighting){s->checkpoint, s->dist.index, s->dist.entry, s->dist.incl_entry};
    ret_tree->proof = s->at_dist;
    ladder_walk_begin(&walk);
    for (size_t i = 0; i < s->at_dist.count; i++) {
        const struct kt_lookup *lookup = kt_known_find(known, (uint32_t)walk.version);
        bool present = s->at_dist.results[i].type == PREFIX_INCLUSION;
        if (walk.done || lookup == NULL)
            return ERR(TLOG_LADDER);
        ret_tree->lookups[i] =
            (struct prefix_lookup){lookup->index, present ? &lookup->commitment : NULL};
        ladder_walk_step(&walk, present);
    }
    return ERR_OK;
}

struct err evidence_tree_of_contacts(const struct contact_response *s,
                                     const struct kt_contact *contacts, size_t count,
                                     struct evidence_tree *ret_tree)
{
    size_t total = 0;
    ret_tree->at =
        (struct evidence_sighting){s->checkpoint, s->dist.index, s->dist.entry, s->dist.incl_entry};
    ret_tree->proof = s->proof;
    for (size_t i = 0; i < count; i++) {
        struct version_ladder monitor;
        ladder_monitor(contacts[i].known->version, &monitor);
        for (size_t j = 0; j < monitor.count; j++) {
            const struct kt_lookup *lookup = kt_known_find(contacts[i].known, monitor.at[j]);
            if (total == s->proof.count || lookup == NULL)
                return ERR(TLOG_LADDER);
            bool present = s->proof.results[total].type == PREFIX_INCLUSION;
            ret_tree->lookups[total++] =
                (struct prefix_lookup){lookup->index, present ? &lookup->commitment : NULL};
        }
    }
    return total == s->proof.count ? ERR_OK : ERR(TLOG_LADDER);
}
