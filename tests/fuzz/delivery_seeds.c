/* Writes the seeds of fuzz_delivery_calls: what members that mean well say, in a world like the
 * target's. usage: delivery_seeds FOLDER */
#include <stdio.h>

#include "support/delivery/delivery_world.h"

static struct dworld w;
static struct buf recording;
static struct member *a, *b, *c;

static void must(enum hearth_code code)
{
    if (code == HEARTH_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", hearth_code_name(code), w.message);
    exit(1);
}

static void begin(void)
{
    memset(&w, 0, sizeof w);
    w.front_options.control = true;
    w.recording = &recording;
    dw_start(&w);
    a = dw_member(&w, NULL);
    b = dw_member(&w, NULL);
    c = dw_member(&w, NULL);
    dw_found(&w, a);
}

static void end(const char *folder, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(recording.data, 1, recording.len, file) != recording.len ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    buf_clear(&recording);
    dw_end(&w);
}

static void call(struct member *m, const char *name, const ProtobufCMessage *in)
{
    struct dsigner signer = dw_signer(m);
    must(dw_call(&w, name, &signer, in));
}

static void records(void)
{
    Hearth__V1__UpdateQueueReferenceRequest reference =
        HEARTH__V1__UPDATE_QUEUE_REFERENCE_REQUEST__INIT;
    reference.idempotency = dw_once(&w);
    reference.group = dw_access(&w, b->state_key);
    reference.queue_reference = dw_reference(b);
    call(b, "UpdateQueueReference", &reference.base);
    Hearth__V1__UpdateProfileKeyRequest profile = HEARTH__V1__UPDATE_PROFILE_KEY_REQUEST__INIT;
    profile.idempotency = dw_once(&w);
    profile.group = dw_access(&w, b->state_key);
    profile.wrapped_profile_key = dw_bytes(&w, bytes_str("wrapped"));
    call(b, "UpdateProfileKey", &profile.base);
    Hearth__V1__SendTargetedMessageRequest targeted =
        HEARTH__V1__SEND_TARGETED_MESSAGE_REQUEST__INIT;
    targeted.idempotency = dw_once(&w);
    targeted.group = dw_access(&w, a->state_key);
    targeted.recipient_leaf = dw_leaf(c);
    targeted.message = dw_bytes(&w, bytes_str("for c"));
    targeted.epoch = group_epoch(a->group);
    call(a, "SendTargetedMessage", &targeted.base);
    struct buf info = BUF_INIT;
    assert_ok(group_make_info(b->group, &b->client,
                              (struct group_info_options){.external_pub = true}, &info));
    Hearth__V1__ReplaceGroupInfoRequest replace = HEARTH__V1__REPLACE_GROUP_INFO_REQUEST__INIT;
    replace.idempotency = dw_once(&w);
    replace.group = dw_access(&w, b->state_key);
    replace.epoch = group_epoch(b->group);
    replace.group_info = dw_parts(&w, buf_view(&info));
    call(b, "ReplaceGroupInfo", &replace.base);
    buf_clear(&info);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    begin();
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    must(dw_say(a, "hello"));
    records();
    end(argv[1], "records");

    begin();
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    must(dw_leave(c));
    dw_receive_all(&w);
    must(dw_commit(b, &(struct dcommit){0}));
    end(argv[1], "leaves");

    begin();
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    struct dsigner old = dw_signer(b);
    Hearth__V1__ResyncRequest *resync = dw_resync_request(b, a);
    must(dw_call(&w, "Resync", &old, &resync->base));
    end(argv[1], "resync");

    begin();
    Hearth__V1__JoinConnectionRequest *join = dw_connect_request(b, a);
    must(dw_call(&w, "JoinConnection", NULL, &join->base));
    end(argv[1], "connection");

    begin();
    Hearth__V1__RefuseConnectionRequest refuse = HEARTH__V1__REFUSE_CONNECTION_REQUEST__INIT;
    refuse.idempotency = dw_once(&w);
    refuse.group = dw_access(&w, a->state_key);
    refuse.sealed_answer = dw_bytes(&w, bytes_str("no"));
    must(dw_call(&w, "RefuseConnection", NULL, &refuse.base));
    end(argv[1], "refusal");

    begin();
    dw_add(&w, a, (struct member *[]){b, c}, 2);
    uint32_t others[] = {dw_leaf(b), dw_leaf(c)};
    Hearth__V1__CommitRequest *commit =
        dw_commit_request(a, &(struct dcommit){.removes = others, .remove_count = 2});
    Hearth__V1__DeleteGroupRequest gone = HEARTH__V1__DELETE_GROUP_REQUEST__INIT;
    gone.idempotency = commit->idempotency;
    gone.group = commit->group;
    gone.commit = commit->commit;
    call(a, "DeleteGroup", &gone.base);
    end(argv[1], "deletion");
    return 0;
}
