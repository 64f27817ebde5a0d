/* A version left out (transparency.md 17, "skip versions"): the log shows one of ours with a number
 * too far, so that our own next one is found by nobody. Owner monitoring that expects our own is
 * answered with its ladder, in which the one left out is absent beside the later one. */
#include <stdlib.h>

#include "client/core/log_inside.h"
#include "client/core/log_receipt.h"
#include "tlog/evidence.h"
#include "tlog/monitor.h"

struct err log_skipped_request(const struct log *log, const struct log_label *l, uint32_t above,
                               struct buf *b)
{
    const struct owner_request request = {.last = log->view.size,
                                          .from_dist = l->watched.index,
                                          .label = buf_view(&l->label),
                                          .expected = above};
    owner_request_write(b, &request);
    return buf_check(b);
}

/* What knows proofs of indices: the receipt, and the search that showed the newest version. */
struct proofs {
    struct log_receipt receipt;
    struct search_response shown;
    uint32_t receipt_versions[2 * LADDER_MAX];
    struct version_ladder shown_versions;
    size_t receipt_count;
};

static const uint8_t *find_proof(const struct proofs *p, uint32_t version)
{
    for (size_t i = 0; i < p->receipt_count; i++)
        if (p->receipt_versions[i] == version)
            return p->receipt.response.ladder.at[i].proof;
    for (size_t i = 0; i < p->shown_versions.count; i++)
        if (p->shown_versions.at[i] == version)
            return p->shown.ladder.at[i].proof;
    return NULL;
}

static struct err read_proofs(const struct log *log, const struct log_label *l, struct proofs *p)
{
    struct err err = log_receipt_read(log, l, &p->receipt);
    if (err.code == ERR_NO_MEMORY)
        return err;
    if (err_is_ok(err)) /* as many as its ladder has, or it would not hold */
        p->receipt_count = update_ladder(l->receipt_version, p->receipt_versions);
    if (!err_is_ok(search_response_parse(buf_view(&l->response), &p->shown)))
        return ERR_OK;
    ladder_base(l->known.version, &p->shown_versions);
    if (p->shown_versions.count != p->shown.ladder.count)
        p->shown_versions.count = 0;
    return ERR_OK;
}

/* Every version that is there with every one below it that is not. */
static bool convicts(const struct log *log, const struct log_label *l, const struct proofs *p,
                     const struct evidence_tree *tree, const struct version_ladder *base,
                     struct buf *file)
{
    for (size_t i = 0; i < base->count; i++)
        for (size_t j = 0; j < base->count; j++) {
            struct evidence_named named = {
                tree, buf_view(&l->label), 2, {{.version = base->at[i]}, {.version = base->at[j]}}};
            named.versions[0].proof = find_proof(p, base->at[i]);
            named.versions[1].proof = find_proof(p, base->at[j]);
            if (base->at[i] > base->at[j] && named.versions[0].proof != NULL &&
                named.versions[1].proof != NULL && tree->lookups[i].commitment != NULL &&
                tree->lookups[j].commitment == NULL &&
                err_is_ok(evidence_skipped(file, &log->view.config, &named)))
                return true;
        }
    return false;
}

static void look(const struct log *log, const struct log_label *l, uint32_t above,
                 struct owner_response *response, const struct proofs *p,
                 struct evidence_tree *tree, struct buf *file)
{
    const struct kt_own own = {buf_view(&l->label), l->own, l->own_count};
    struct version_ladder base;
    ladder_base(above, &base);
    for (size_t i = 0; i < response->step_count && file->len == 0; i++) {
        FILLED_LATER struct owner_step step;
        owner_step_read(&response->steps, &step);
        if (err_is_ok(evidence_tree_of_step(&step, response->checkpoint, above, &own, tree)) &&
            convicts(log, l, p, tree, &base, file))
            return;
    }
}

struct err log_skipped(struct db_txn *t, const struct log *log, const struct log_label *l,
                       uint32_t above, struct bytes in, uint64_t *ret_number)
{
    struct owner_response response;
    struct buf file = BUF_INIT;
    *ret_number = 0;
    if (!err_is_ok(owner_response_parse(in, &response)))
        return ERR_OK;
    struct proofs *p = calloc(1, sizeof *p);
    struct evidence_tree *tree = calloc(1, sizeof *tree);
    struct err err = p != NULL && tree != NULL ? read_proofs(log, l, p) : ERR(NO_MEMORY);
    if (err_is_ok(err))
        look(log, l, above, &response, p, tree, &file);
    if (err_is_ok(err) && file.len > 0)
        err = log_evidence_put(t, buf_view(&file), ret_number);
    buf_clear(&file);
    free(p);
    free(tree);
    return err;
}
