/* What the verbs of groups have in common (group.h). */
#include "client/core/group.h"

#include <stdio.h>

#include "client/core/contact.h"
#include "client/core/event.h"
#include "client/core/head.h"
#include "client/core/receive.h"
#include "client/core/roster.h"

void chat_lane(const struct hearth_id *chat, enum chat_lane lane, uint8_t ret_lane[16])
{
    memcpy(ret_lane, chat->bytes, 16);
    ret_lane[0] ^= (uint8_t)lane;
}

struct err group_member_name(struct core *c, struct db_txn *t, const struct open_chat *chat,
                             uint32_t leaf, char ret_name[80])
{
    static const struct hearth_id nobody;
    const struct roster_leaf *l = roster_find(chat->roster, leaf);
    struct contact contact = {0};
    (void)snprintf(ret_name, 80, "somebody");
    if (l != NULL && l->own_user) {
        (void)snprintf(ret_name, 80, "you");
        return ERR_OK;
    }
    if (l == NULL || memcmp(l->contact.bytes, nobody.bytes, sizeof nobody.bytes) == 0)
        return ERR_OK;
    struct err err = contact_get(c, t, &l->contact, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (contact.handle[0] != '\0' || contact.name[0] != '\0')
        (void)snprintf(ret_name, 80, "%.79s",
                       contact.handle[0] != '\0' ? contact.handle : contact.name);
    contact_clear(&contact);
    return ERR_OK;
}

struct err group_over(struct core *c, struct db_txn *t, struct open_chat *chat, const char *text)
{
    static const enum chat_lane lanes[] = {CHAT_LANE, CHAT_LANE_COVER, CHAT_LANE_RESYNC,
                                           CHAT_LANE_KEYS, CHAT_LANE_ROSTER};
    struct hearth_id id = chat->chat.id;
    struct hearth_error error;
    uint8_t lane[16];
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    chat->chat.state = HEARTH_CHAT_OVER;
    chat->chat.commit_task = 0;
    chat->chat.leaving = false;
    chat_set_group(chat, NULL);
    bytes_wipe(chat->chat.state_keys, sizeof chat->chat.state_keys);
    chat->chat.state_key_count = 0;
    TRY(chat_save(c, t, chat));
    TRY(held_drop(c, t, chat));
    TRY(before_drop(c, t, &id));
    TRY(head_drop(c, t, &id));
    if (text != NULL)
        TRY(message_note(c, t, &id, "%s", text));
    TRY(receive_event(c, t, chat, HEARTH_EVENT_CHAT_OVER, 0, text));
    core_error_of(ERR(CLIENT_CHAT_STATE), &error);
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes; i++) {
        chat_lane(&id, lanes[i], lane);
        TRY(task_drop_lane(c, t, lane, &error));
    }
    return join_wake(c, t, chat_group_id(&chat->chat));
}
