/* The log's head, as witnesses and monitors are shown it. */
#include <string.h>

#include "server/admin/inside.h"

static struct err witness_key(const struct admin *admin, struct hearth_call *call, char **ret_text)
{
    struct buf text = BUF_INIT;
    TRY(admin->verbs.witness_key(admin->verbs.self, &text));
    char *copy = hearth_call_alloc(call, text.len + 1);
    if (copy != NULL) {
        memcpy(copy, text.data, text.len);
        copy[text.len] = '\0';
        *ret_text = copy;
    }
    buf_clear(&text);
    return copy != NULL ? ERR_OK : ERR(NO_MEMORY);
}

static struct err copy_note(struct hearth_call *call, const struct buf *note,
                            ProtobufCBinaryData *ret_note)
{
    uint8_t *copy = hearth_call_alloc(call, note->len);
    if (copy == NULL)
        return ERR(NO_MEMORY);
    memcpy(copy, note->data, note->len);
    *ret_note = (ProtobufCBinaryData){note->len, copy};
    return ERR_OK;
}

static struct err cosigned(const struct admin *admin, struct hearth_call *call,
                           ProtobufCBinaryData *ret_note)
{
    struct buf note = BUF_INIT;
    struct err err = admin->verbs.log_cosigned(admin->verbs.self, &note);
    if (err.code == ERR_NONE)
        err = copy_note(call, &note, ret_note);
    else if (err.code == ERR_NOT_FOUND)
        err = ERR_OK;
    buf_clear(&note);
    return err;
}

ADMIN_HANDLER(get_log_head, GetLogHead)
{
    struct admin *admin = self;
    struct buf note = BUF_INIT;
    (void)in;
    if (admin->verbs.log_head == NULL)
        return HEARTH_UNIMPLEMENTED;
    struct err err = admin->verbs.log_head(admin->verbs.self, &note, &out->size, &out->time_s);
    if (err.code == ERR_NONE)
        err = copy_note(call, &note, &out->checkpoint);
    buf_clear(&note);
    if (err.code == ERR_NONE)
        err = cosigned(admin, call, &out->cosigned);
    if (err.code == ERR_NONE)
        err = witness_key(admin, call, &out->witness);
    return err.code == ERR_NONE ? HEARTH_OK : admin_fail(call, err);
}
