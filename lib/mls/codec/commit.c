#include "mls/codec/commit.h"

void hpke_ciphertext_read(struct wire_reader *r, struct hpke_ciphertext *c)
{
    c->kem_output = wire_read_vector(r);
    c->ciphertext = wire_read_vector(r);
}

void hpke_ciphertext_write(struct buf *b, const struct hpke_ciphertext *c)
{
    wire_write_vector(b, c->kem_output);
    wire_write_vector(b, c->ciphertext);
}

static void update_path_node_read(struct wire_reader *r, struct update_path_node *node)
{
    node->encryption_key = wire_read_vector(r);
    struct wire_reader it = wire_read_nested(r);
    node->ciphertexts = bytes_of(it.at, wire_reader_left(&it));
    node->ciphertext_count = 0;
    struct hpke_ciphertext c;
    while (wire_reader_more(&it)) {
        hpke_ciphertext_read(&it, &c);
        if (++node->ciphertext_count > MLS_MAX_LEAVES)
            wire_reader_fail(&it, ERR_WIRE_LIMIT);
    }
    wire_reader_join(r, &it);
}

static void update_path_node_write(struct buf *b, const struct update_path_node *node)
{
    wire_write_vector(b, node->encryption_key);
    wire_write_vector(b, node->ciphertexts);
}

struct hpke_ciphertext update_path_node_ciphertext(const struct update_path_node *node,
                                                   uint32_t index)
{
    struct wire_reader it = wire_reader_of(node->ciphertexts);
    struct hpke_ciphertext c = {0};
    for (uint32_t i = 0; i <= index; i++)
        hpke_ciphertext_read(&it, &c);
    return c;
}

void update_path_read(struct wire_reader *r, struct arena *a, struct update_path *path)
{
    leaf_node_read(r, &path->leaf_node);
    path->nodes = NULL;
    path->node_count = 0;
    struct wire_reader it = wire_read_nested(r);
    struct update_path_node *nodes = NULL;
    size_t cap = 0;
    while (wire_reader_more(&it)) {
        nodes =
            codec_grow(&it, a, nodes, path->node_count, &cap, sizeof *nodes, MLS_MAX_PATH_NODES);
        if (it.failure == ERR_NONE)
            update_path_node_read(&it, &nodes[path->node_count++]);
    }
    path->nodes = nodes;
    wire_reader_join(r, &it);
}

void update_path_write(struct buf *b, const struct update_path *path)
{
    leaf_node_write(b, &path->leaf_node);
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < path->node_count; i++)
        update_path_node_write(b, &path->nodes[i]);
    wire_vector_end(b, mark);
}

static void proposal_or_ref_read(struct wire_reader *r, struct arena *a, struct proposal_or_ref *p)
{
    uint8_t type = wire_read_u8(r);
    if (type == PROPOSAL_BY_VALUE)
        proposal_read(r, a, &p->proposal);
    else if (type == PROPOSAL_BY_REFERENCE)
        p->reference = wire_read_vector(r);
    else
        wire_reader_fail(r, ERR_WIRE_VALUE);
    p->type = (enum proposal_or_ref_type)type;
}

static void proposal_or_ref_write(struct buf *b, const struct proposal_or_ref *p)
{
    wire_write_u8(b, (uint8_t)p->type);
    if (p->type == PROPOSAL_BY_VALUE)
        proposal_write(b, &p->proposal);
    else
        wire_write_vector(b, p->reference);
}

void commit_read(struct wire_reader *r, struct arena *a, struct commit *commit)
{
    *commit = (struct commit){0};
    struct wire_reader it = wire_read_nested(r);
    struct proposal_or_ref *proposals = NULL;
    size_t cap = 0;
    while (wire_reader_more(&it)) {
        proposals = codec_grow(&it, a, proposals, commit->proposal_count, &cap, sizeof *proposals,
                               MLS_MAX_COMMIT_PROPOSALS);
        if (it.failure == ERR_NONE)
            proposal_or_ref_read(&it, a, &proposals[commit->proposal_count++]);
    }
    commit->proposals = proposals;
    wire_reader_join(r, &it);
    if (!wire_read_present(r))
        return;
    struct update_path *path = codec_alloc(r, a, sizeof *path);
    if (path != NULL)
        update_path_read(r, a, path);
    commit->path = path;
}

struct err commit_parse(struct bytes in, struct arena *a, struct commit *ret_commit)
{
    struct wire_reader r = wire_reader_of(in);
    struct commit commit;
    commit_read(&r, a, &commit);
    TRY(wire_reader_end(&r));
    *ret_commit = commit;
    return ERR_OK;
}

void commit_write(struct buf *b, const struct commit *commit)
{
    size_t mark = wire_vector_begin(b);
    for (size_t i = 0; i < commit->proposal_count; i++)
        proposal_or_ref_write(b, &commit->proposals[i]);
    wire_vector_end(b, mark);
    wire_write_present(b, commit->path != NULL);
    if (commit->path != NULL)
        update_path_write(b, commit->path);
}
