/* From a call to a request that stands on its own. */
#include <stdlib.h>

#include "seal/request_auth.h"
#include "server/delivery/request.h"
#include "wire/writer.h"

/* Decoded messages take a few times their bytes: pointers beside short fields. */
enum { COPY_FACTOR = 6, COPY_FLOOR_BYTES = 16384 };

static void *arena_pb_alloc(void *arena, size_t len)
{
    return arena_alloc(arena, len);
}

static void arena_pb_free(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

static struct err copy_message(struct request *r, const ProtobufCMessage *in)
{
    size_t len = protobuf_c_message_get_packed_size(in);
    ProtobufCAllocator allocator = {arena_pb_alloc, arena_pb_free, &r->arena};
    arena_init(&r->arena, len * COPY_FACTOR + COPY_FLOOR_BYTES);
    uint8_t *packed = arena_alloc(&r->arena, len);
    if (packed == NULL)
        return ERR(NO_MEMORY);
    (void)protobuf_c_message_pack(in, packed);
    r->in = protobuf_c_message_unpack(in->descriptor, &allocator, len, packed);
    return r->in != NULL ? ERR_OK : ERR(NO_MEMORY);
}

static struct err copy_caller(struct request *r, const struct front_caller *caller)
{
    const Hearth__V1__GroupAccess *group = r->row->group(r->in);
    struct buf scope = BUF_INIT;
    r->group_id = pb_view(group->group_id);
    r->state_key = group->state_key.data;
    r->principal = caller->principal;
    memcpy(r->body_hash, caller->body_hash, sizeof r->body_hash);
    r->caller_id = bytes_of(arena_copy(&r->arena, caller->id.data, caller->id.len), caller->id.len);
    r->source = bytes_of(arena_copy(&r->arena, caller->source.data, caller->source.len),
                         caller->source.len);
    wire_write_vector(&scope, bytes_str(r->row->name));
    wire_write_vector(&scope, r->caller_id);
    wire_write_vector(&scope, r->group_id);
    r->scope = bytes_of(arena_copy(&r->arena, scope.data, scope.len), scope.len);
    struct err err = buf_check(&scope);
    buf_clear(&scope);
    if (r->row->changes)
        r->once_id = r->row->idempotency(r->in)->id.data;
    return r->arena.overflow ? ERR(NO_MEMORY) : err;
}

static struct err prepare(struct request *r, const struct front_caller *caller,
                          const ProtobufCMessage *in)
{
    struct member_id member;
    arena_init(&r->work, REQUEST_WORK_BYTES);
    if (caller->kind != r->row->caller)
        return ERR(FRONT_UNAUTHENTICATED);
    TRY(copy_message(r, in));
    TRY(copy_caller(r, caller));
    if (r->row->caller != REQUEST_MEMBER)
        return ERR_OK;
    /* the caller id and the body must speak of one group */
    if (!err_is_ok(member_id_parse(r->caller_id, &member)) ||
        !bytes_equal(member.group_id, r->group_id))
        return ERR(FRONT_UNAUTHENTICATED);
    r->leaf_index = member.leaf_index;
    return ERR_OK;
}

enum hearth_code request_start(struct delivery *d, const struct request_row *row,
                               struct hearth_call *call, const ProtobufCMessage *in)
{
    struct request *r = calloc(1, sizeof *r);
    if (r == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    r->row = row;
    r->d = delivery_ref(d);
    r->loop = hearth_call_loop(call);
    charge_begin(d->env.front, call, PASS_DELIVERY, &r->charge);
    struct err err = prepare(r, front_caller(call), in);
    if (err_is_ok(err))
        err = front_inbox(d->env.front, r->loop, &r->inbox);
    if (!err_is_ok(err)) {
        if (err.code == ERR_FRONT_UNAUTHENTICATED)
            front_verify_dummy();
        request_free(r);
        return front_fail(call, err);
    }
    request_run(r, call);
    return HEARTH_LATER;
}
