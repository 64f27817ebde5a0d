#include "client/core/epoch_request.h"

#include "wire/reader.h"
#include "wire/writer.h"

static struct err put(struct buf *body, const struct epoch_request *r)
{
    struct buf b = BUF_INIT;
    wire_write_u32(&b, r->tries);
    wire_write_u64(&b, r->epoch);
    wire_write_vector(&b, r->request);
    return buf_replace(body, &b);
}

struct err epoch_request_begin(struct buf *ret_body)
{
    return put(ret_body, &(struct epoch_request){0});
}

struct err epoch_request_read(const struct task *task, struct epoch_request *ret_request)
{
    struct wire_reader in = wire_reader_of(buf_view(&task->body));
    struct epoch_request r = {.tries = wire_read_u32(&in)};
    r.epoch = wire_read_u64(&in);
    r.request = wire_read_vector(&in);
    TRY(wire_reader_end(&in));
    *ret_request = r;
    return ERR_OK;
}

struct err epoch_request_keep(struct task *task, const struct mls_group *group,
                              const struct buf *packed, struct epoch_request *r)
{
    r->epoch = group_epoch(group);
    r->request = buf_view(packed);
    TRY(put(&task->body, r));
    return epoch_request_read(task, r);
}

struct err epoch_request_stale(struct core *c, struct task *task, const struct open_chat *chat,
                               uint8_t again, struct epoch_request *r, enum task_next *ret_next)
{
    bool moved = chat->group != NULL && group_epoch(chat->group) > r->epoch;
    r->tries = moved ? 0 : r->tries + 1;
    r->request = bytes_of(NULL, 0);
    task->state = again;
    TRY(put(&task->body, r));
    TRY(task_renew(c, task));
    *ret_next = TASK_NEXT_AGAIN;
    return moved ? ERR_OK : group_try_again(c, task, r->tries, ret_next);
}
