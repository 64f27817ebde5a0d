/* Writes the seeds of fuzz_auth_calls: what clients that mean well say, in a world like the
 * target's. usage: auth_seeds FOLDER */
#include <stdio.h>

#include "support/auth/person.h"

static struct auth_world w;
static struct buf codes;

static void write_seed(const char *folder, const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(w.record->data, 1, w.record->len, file) != w.record->len ||
        fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void begin(struct buf *record)
{
    auth_world_init(&w);
    w.front_options.control = true;
    auth_world_start(&w, true);
    assert_ok(auth_invite(w.auth, 4, 0, &codes));
    w.record = record;
}

static void end(const char *folder, const char *name)
{
    write_seed(folder, name);
    auth_world_end(&w);
    buf_clear(w.record);
    buf_clear(&codes);
}

static void users(struct person *p)
{
    const uint8_t id[16] = {1}, id2[16] = {2}, id3[16] = {3};
    person_init(p, &w);
    assert_int_equal(person_register_with(p, codes.data, id, NULL, NULL), HEARTH_OK);
    struct device *d = &p->devices[0], *second = person_add_device(p);
    assert_int_equal(person_add_client(p, d, second, NULL), HEARTH_OK);
    assert_int_equal(person_list(p, d, NULL), HEARTH_OK);
    assert_int_equal(person_stage_profile(p, d, 1, bytes_str("profile")), HEARTH_OK);
    assert_int_equal(person_commit_profile(p, d), HEARTH_OK);
    struct buf profile = BUF_INIT;
    assert_int_equal(world_get_profile(&w, 1, &profile), HEARTH_OK);
    buf_clear(&profile);
    assert_int_equal(person_remove_client(p, d, second, id2), HEARTH_OK);
    p->version++;
    assert_int_equal(person_delete(p, d, id3), HEARTH_OK);
    person_clear(p);
}

static void handles(struct owner *o)
{
    const uint8_t id[16] = {1}, id2[16] = {2};
    struct auth_stream listener, s;
    owner_init(o, &w, 9);
    assert_int_equal(owner_create(o, id, false), HEARTH_OK);
    assert_int_equal(owner_publish(o, 2, true), HEARTH_OK);
    owner_fetch(o, &s);
    stream_offer(&s, bytes_str("offer"));
    auth_stream_close(&s);
    owner_listen(o, &listener);
    owner_ack(&listener, 1);
    auth_stream_close(&listener);
    assert_int_equal(owner_delete(o, id2), HEARTH_OK);
    owner_clear(o);
}

int main(int argc, char **argv)
{
    struct buf record = BUF_INIT;
    struct person p;
    struct owner o;
    if (argc != 2)
        return 2;
    begin(&record);
    users(&p);
    end(argv[1], "users");
    begin(&record);
    handles(&o);
    end(argv[1], "handles");
    return 0;
}
