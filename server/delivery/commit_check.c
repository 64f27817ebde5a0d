#include "server/delivery/commit_check.h"

#include "crypto/labelled.h"

#include "server/delivery/leaf_check.h"
#include "server/delivery/roles.h"

/* As in public_process.c: decoded structures take at most this many times their bytes. */
enum { DECODE_FACTOR = 96, DECODE_FLOOR_BYTES = 64 * 1024 };

void commit_ok_clear(struct commit_ok *ok)
{
    staged_commit_free(&ok->staged);
    public_group_clear(&ok->group);
    arena_clear(&ok->arena);
}

/* ---- form and sender */

static struct err check_sender(const struct request *r, const struct commit_in *in,
                               const struct framed_content *content)
{
    bool external = in->kind == COMMIT_RESYNC || in->kind == COMMIT_JOIN;
    if (external)
        return content->sender.type == SENDER_NEW_MEMBER_COMMIT ? ERR_OK : ERR(DELIVERY_CONTENT);
    /* whoever signed the request commits */
    return content->sender.type == SENDER_MEMBER && content->sender.index == r->leaf_index
               ? ERR_OK
               : ERR(DELIVERY_CONTENT);
}

static struct err parse(const struct request *r, const struct commit_in *in, struct commit_ok *ok,
                        struct mls_message *m)
{
    arena_init(&ok->arena, in->message.len * DECODE_FACTOR + DECODE_FLOOR_BYTES);
    TRY(mls_message_parse(in->message, &ok->arena, m));
    const struct framed_content *content = &m->public_message.content.content;
    if (m->wire_format != WIRE_FORMAT_PUBLIC_MESSAGE || content->type != CONTENT_COMMIT ||
        !bytes_equal(content->group_id, r->group_id))
        return ERR(DELIVERY_CONTENT);
    TRY(check_sender(r, in, content));
    if (content->epoch != r->state.epoch)
        return ERR(DELIVERY_EPOCH);
    ok->authenticated_data = content->authenticated_data;
    return ERR_OK;
}

static struct err stage(const struct request *r, const struct commit_in *in, struct commit_ok *ok)
{
    struct mls_message m;
    struct mls_policy policy = mls_policy_at(r->now_s);
    TRY(parse(r, in, ok, &m));
    const struct public_message *pm = &m.public_message;
    TRY(public_group_load(r->state.public_group, &ok->group));
    bool member = pm->content.content.sender.type == SENDER_MEMBER;
    if (member && public_group_remove_pending(&ok->group, r->leaf_index))
        return ERR(DELIVERY_LEAVING);
    /* RFC 9420 6.2: a MAC of full length; whether it is right only members can tell */
    if (member && pm->membership_tag.len != ok->group.suite->hash->bytes)
        return ERR(MLS_MEMBERSHIP_TAG_LENGTH);
    TRY(public_group_verify(&ok->group, &pm->content));
    /* a resync may come with a fresh credential: whose leaf it replaces, the request's signature
     * says */
    policy.any_resync = in->kind == COMMIT_RESYNC;
    TRY(staged_commit_process(&ok->group, &pm->content, &policy, &ok->staged));
    /* so that nobody is kept from leaving */
    if (member && !staged_commit_covers_pending(ok->staged))
        return ERR(DELIVERY_PENDING);
    if (ok->staged->diff.member_count > delivery_limit(r->d, LIMIT_GROUP_MEMBERS))
        return ERR(QUOTA);
    return ERR_OK;
}

/* ---- kinds */

static size_t count_type(const struct staged_commit *s, uint16_t type)
{
    size_t count = 0;
    for (size_t i = 0; i < s->list_count; i++)
        count += s->list[i].proposal->type == type;
    return count;
}

/* All members are clients of one user: a connection that waits for its other side. */
static bool is_one_user(const struct group_state *state)
{
    for (uint32_t i = 1; i < state->leaf_count; i++) {
        if (!bytes_equal(state->leaves[i].user_pseudonym, state->leaves[0].user_pseudonym))
            return false;
    }
    return state->leaf_count > 0;
}

static struct err check_join(const struct request *r, const struct staged_commit *s)
{
    if (!is_one_user(&r->state))
        return ERR(DELIVERY_PROPOSALS);
    /* the offer's hash goes in as an external PSK; nobody is removed */
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type == PROPOSAL_PSK && p->psk.type == PSK_EXTERNAL)
            return s->removed.count == 0 ? ERR_OK : ERR(DELIVERY_PROPOSALS);
    }
    return ERR(DELIVERY_PROPOSALS);
}

static struct err check_kind(const struct request *r, const struct commit_in *in,
                             const struct commit_ok *ok)
{
    const struct staged_commit *s = ok->staged;
    switch (in->kind) {
    case COMMIT_JOIN:
        return check_join(r, s);
    case COMMIT_RESYNC:
        return s->removed.count == 1 && s->removed.at[0] == 2 * r->leaf_index
                   ? ERR_OK
                   : ERR(DELIVERY_PROPOSALS);
    case COMMIT_DELETE:
        if (s->diff.member_count != 1 || s->added.count > 0 || !s->has_path)
            return ERR(DELIVERY_PROPOSALS);
        return context_is_admin(&ok->group.context.extensions, r->leaf->user_pseudonym)
                   ? ERR_OK
                   : ERR(DELIVERY_ROLE);
    default:
        return s->list_count == 0 || count_type(s, PROPOSAL_REINIT) == 0 ? ERR_OK
                                                                         : ERR(DELIVERY_PROPOSALS);
    }
}

/* ---- leaves */

static struct err check_added(struct request *r, const struct commit_in *in, struct commit_ok *ok)
{
    const struct staged_commit *s = ok->staged;
    size_t count = s->added.count;
    if (in->joiner_count != count && !delivery_off(r->d, DELIVERY_NO_JOINERS))
        return ERR(DELIVERY_JOINERS);
    if (in->joiner_count < count)
        return ERR(DELIVERY_JOINERS);
    ok->added = request_alloc(r, (count + 1) * sizeof *ok->added);
    ok->joiners = request_alloc(r, (count + 1) * sizeof *ok->joiners);
    ok->init_keys = request_alloc(r, (count + 1) * sizeof *ok->init_keys);
    if (ok->added == NULL || ok->joiners == NULL || ok->init_keys == NULL)
        return ERR(NO_MEMORY);
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        if (p->type != PROPOSAL_ADD)
            continue;
        size_t n = ok->added_count;
        struct leaf_entry *entry = &ok->added[n];
        TRY(key_package_check(r->d, p->add));
        TRY(record_check(r->d, r->state.suite, &p->add->leaf_node, in->joiners[n]->leaf, entry));
        /* whoever adds does not decide when others are woken */
        if (entry->policy != 0)
            return ERR(DELIVERY_RECORD);
        entry->index = s->added.at[n] / 2;
        entry->epoch = r->state.epoch + 1;
        entry->month = month_of(r->now_s);
        TRY(user_pseudonym_check(&r->state, r->group_id, entry));
        ok->init_keys[n] = p->add->init_key;
        ok->joiners[n].signature_key = p->add->leaf_node.signature_key;
        ok->added_count++;
    }
    return ERR_OK;
}

/* The committer's leaf in the new tree against its record, old or new. */
static struct err check_own(struct request *r, const struct commit_in *in, struct commit_ok *ok)
{
    const struct staged_commit *s = ok->staged;
    struct leaf_node leaf;
    if (!tree_diff_leaf(&s->diff, s->committer_leaf, &leaf))
        return ERR(INTERNAL);
    const struct leaf_entry *old = in->kind == COMMIT_JOIN ? NULL : r->leaf;
    struct leaf_credential credential;
    TRY(leaf_check(r->d, &leaf, &credential));
    if (in->own_leaf != NULL) {
        TRY(record_check(r->d, r->state.suite, &leaf, in->own_leaf, &ok->own));
        ok->own_changed = true;
        if (old != NULL && ok->own.policy == 0)
            ok->own.policy = old->policy;
        if (old != NULL) { /* told by way of the new reference */
            ok->own.lost = old->lost;
            ok->own.flags |= old->flags & LEAF_RESTED;
        }
        if (old == NULL)
            TRY(user_pseudonym_check(&r->state, r->group_id, &ok->own));
        else if (!bytes_equal(old->user_pseudonym, ok->own.user_pseudonym))
            return ERR(DELIVERY_RECORD);
        else if (bytes_equal(old->signature_key, ok->own.signature_key))
            ok->own.pseudonym_signature = old->pseudonym_signature;
        else /* the old key, or another leaf of the user, vouches for the new one */
            TRY(user_pseudonym_check(&r->state, r->group_id, &ok->own));
    } else {
        /* the old record speaks of the old key and pseudonym */
        if (old == NULL || !bytes_equal(old->signature_key, leaf.signature_key) ||
            !bytes_equal(old->pseudonym, bytes_of(credential.pseudonym, PSEUDONYM_BYTES)))
            return ERR(DELIVERY_RECORD);
        ok->own = *old;
        ok->own.flags &= (uint8_t)~LEAF_REMOVE_PENDING;
    }
    ok->own.index = s->committer_leaf;
    if (old != NULL && old->index != ok->own.index) { /* what it missed is counted by index */
        ok->own.flags &= (uint8_t)~LEAF_RESTED;
        ok->own.refusals = 0;
    }
    ok->own.epoch = r->state.epoch + 1;
    ok->own.month = month_of(r->now_s);
    return ERR_OK;
}

static bool is_removed(const struct staged_commit *s, uint32_t leaf)
{
    for (uint32_t i = 0; i < s->removed.count; i++) {
        if (s->removed.at[i] == 2 * leaf)
            return true;
    }
    return false;
}

/* Credits hang on the pseudonym, so no two leaves of the new epoch share one. */
static struct err check_pseudonyms(const struct request *r, const struct commit_in *in,
                                   const struct commit_ok *ok)
{
    uint32_t own_before = in->kind == COMMIT_JOIN ? FANOUT_NOBODY : r->leaf_index;
    for (uint32_t i = 0; i < r->state.leaf_count; i++) {
        const struct leaf_entry *old = &r->state.leaves[i];
        if (old->index == own_before || is_removed(ok->staged, old->index))
            continue;
        if (bytes_equal(old->pseudonym, ok->own.pseudonym))
            return ERR(DELIVERY_LEAF);
        for (size_t n = 0; n < ok->added_count; n++) {
            if (bytes_equal(old->pseudonym, ok->added[n].pseudonym))
                return ERR(DELIVERY_LEAF);
        }
    }
    for (size_t n = 0; n < ok->added_count; n++) {
        TRY(pseudonym_is_fresh(ok->added, n, &ok->added[n], FANOUT_NOBODY));
        if (bytes_equal(ok->added[n].pseudonym, ok->own.pseudonym))
            return ERR(DELIVERY_LEAF);
    }
    return ERR_OK;
}

/* protocol.md 3: wrapped keys travel in the commit's authenticated_data, so that the committer
 * answers for them. */
static struct err check_binding(struct request *r, struct commit_ok *ok)
{
    ok->news = request_alloc(r, (ok->added_count + 1) * sizeof *ok->news);
    if (ok->news == NULL)
        return ERR(NO_MEMORY);
    for (size_t n = 0; n < ok->added_count; n++)
        ok->news[ok->news_count++] = leaf_news_of(&ok->added[n]);
    if (ok->own_changed)
        ok->news[ok->news_count++] = leaf_news_of(&ok->own);
    struct buf want = BUF_INIT;
    leaf_keys_write(&want, ok->news, ok->news_count);
    struct err err = buf_check(&want);
    if (err_is_ok(err) && !bytes_equal(buf_view(&want), ok->authenticated_data))
        err = ERR(DELIVERY_BINDING);
    buf_clear(&want);
    return err;
}

/* ---- GroupInfo, Welcome */

struct err extensions_parse(struct bytes in, struct extensions *ret_extensions)
{
    struct wire_reader r = wire_reader_of(in);
    struct extensions e;
    extensions_read(&r, &e);
    TRY(wire_reader_end(&r));
    *ret_extensions = e;
    return ERR_OK;
}

struct err info_parts_check(const struct delivery *d, const Hearth__V1__GroupInfoParts *parts,
                            struct extensions *ret_extensions, struct bytes *ret_external_pub)
{
    struct extensions e;
    struct bytes tree;
    if (parts->extensions.len > delivery_limit(d, LIMIT_GROUP_INFO_BYTES))
        return ERR(TOO_LARGE);
    if (!err_is_ok(extensions_parse(pb_view(parts->extensions), &e)) ||
        !extensions_find(&e, EXTENSION_EXTERNAL_PUB, ret_external_pub) ||
        extensions_find(&e, EXTENSION_RATCHET_TREE, &tree))
        return ERR(DELIVERY_INFO);
    *ret_extensions = e;
    return ERR_OK;
}

static struct err check_info(const struct request *r, const struct commit_in *in,
                             struct commit_ok *ok)
{
    if (in->kind == COMMIT_DELETE)
        return ERR_OK;
    TRY(info_parts_check(r->d, in->info, &ok->info_extensions, &ok->external_pub));
    struct group_info info = {
        .group_context = ok->staged->next_context,
        .extensions = ok->info_extensions,
        .confirmation_tag = pb_view(in->info->confirmation_tag),
        .signer = ok->staged->committer_leaf,
        .signature = pb_view(in->info->signature),
    };
    return staged_commit_check_info(ok->staged, &info);
}

static struct err read_secrets(struct bytes in, struct encrypted_group_secrets *ret_secrets)
{
    struct wire_reader r = wire_reader_of(in);
    ret_secrets->new_member = wire_read_vector(&r);
    hpke_ciphertext_read(&r, &ret_secrets->secrets);
    return wire_reader_end(&r);
}

/* Joiner by joiner: the n-th part is for the n-th Add. */
static struct err check_order(const struct request *r, const struct commit_in *in,
                              struct commit_ok *ok)
{
    const struct staged_commit *s = ok->staged;
    size_t n = 0;
    for (size_t i = 0; i < s->list_count; i++) {
        const struct proposal *p = s->list[i].proposal;
        struct encrypted_group_secrets secrets;
        struct digest ref;
        if (p->type != PROPOSAL_ADD)
            continue;
        TRY(labelled_ref_hash(r->state.suite->hash, bytes_str("MLS 1.0 KeyPackage Reference"),
                              p->add->raw, &ref));
        if (!err_is_ok(read_secrets(pb_view(in->joiners[n]->encrypted_group_secrets), &secrets)) ||
            !bytes_equal(secrets.new_member, digest_view(&ref)))
            return ERR(DELIVERY_JOINERS);
        ok->joiners[n++].ref = secrets.new_member;
    }
    return ERR_OK;
}

static struct err check_welcome(struct request *r, const struct commit_in *in, struct commit_ok *ok)
{
    if (in->joiner_count == 0)
        return in->welcome_group_info.len == 0 ? ERR_OK : ERR(DELIVERY_JOINERS);
    if (in->welcome_group_info.len == 0)
        return ERR(DELIVERY_JOINERS);
    TRY(check_order(r, in, ok));
    struct buf secrets = BUF_INIT;
    struct bytes view;
    for (size_t i = 0; i < in->joiner_count; i++)
        buf_append_bytes(&secrets, pb_view(in->joiners[i]->encrypted_group_secrets));
    TRY(request_take_buf(r, &secrets, &view));
    struct welcome welcome = {
        .cipher_suite = r->state.suite->id,
        .secrets = view,
        .secret_count = (uint32_t)in->joiner_count,
        .encrypted_group_info = in->welcome_group_info,
    };
    if (delivery_off(r->d, DELIVERY_NO_JOINERS))
        return ERR_OK;
    return staged_commit_check_welcomes(ok->staged, &welcome, 1);
}

/* ---- all of it */

static struct err check(struct request *r, const struct commit_in *in, struct commit_ok *ok)
{
    TRY(stage(r, in, ok));
    TRY(check_kind(r, in, ok));
    TRY(check_added(r, in, ok));
    TRY(check_own(r, in, ok));
    if (in->kind == COMMIT_REGULAR || in->kind == COMMIT_DELETE)
        TRY(roles_allow(r->d, &r->state, ok->staged, ok->added));
    TRY(check_pseudonyms(r, in, ok));
    TRY(check_binding(r, ok));
    TRY(check_info(r, in, ok));
    return check_welcome(r, in, ok);
}

struct err commit_check(struct request *r, const struct commit_in *in, struct commit_ok *ret_ok)
{
    *ret_ok = (struct commit_ok){0};
    struct err err = check(r, in, ret_ok);
    if (!err_is_ok(err))
        commit_ok_clear(ret_ok);
    return err;
}

struct err commit_run(struct request *r, const struct commit_in *in)
{
    struct commit_ok ok;
    TRY(commit_check(r, in, &ok));
    struct err err = commit_accept(r, in, &ok);
    commit_ok_clear(&ok);
    return err;
}
