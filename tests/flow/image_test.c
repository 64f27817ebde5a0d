/* ME3: after some traffic and a kill, what lies in the files of all databases holds none of what
 * would say who, where, what or when. Controls: the same bytes put there in clear are found. */
#include "support/house/oracle.h"

static struct house house;
static struct resident alice, bob, carol;

/* In any file? The parts that are looked for are long enough not to be there by chance. */
static void absent(const char *what, const void *data, size_t len)
{
    if (vfs_contains(house.vfs, bytes_of(data, len)))
        fail_msg("the files hold %s", what);
}

/* But in the log: its origin and when its epochs were closed are published. */
static void absent_but_log(const char *what, const void *data, size_t len)
{
    if (vfs_contains_but(house.vfs, "kt.db", bytes_of(data, len)))
        fail_msg("the files hold %s", what);
}

static void check_resident(const struct resident *r)
{
    absent("a queue user's id", r->user_id, sizeof r->user_id);
    absent("a queue client's id", r->client_id, sizeof r->client_id);
    absent("a contact key", r->contact_key, sizeof r->contact_key);
    absent("a queue's key", r->queue_public.data, r->queue_public.len);
    absent("an authentication key", r->client.key.public_key.data, 32);
    if (r->ratchet.sequence > 0)
        absent("a ratchet's chain", r->ratchet.chain, sizeof r->ratchet.chain);
    for (size_t i = 0; i < RESIDENT_PACKAGES; i++) {
        const struct own_package *p = &r->packages[i];
        if (p->made && !p->used)
            absent("a KeyPackage's leaf key", p->leaf_key.public_key.data, 32);
    }
    for (size_t i = 0; i < RESIDENT_GROUPS; i++) {
        const struct membership *m = &r->groups[i];
        if (m->group == NULL)
            continue;
        absent("a group's id", m->group_id, 16);
        absent("a state key", m->keys[0], STATE_KEY_BYTES);
        absent("a tag", m->self.tag, sizeof m->self.tag);
        absent("a pseudonym", m->self.pseudonym, sizeof m->self.pseudonym);
        absent("a user pseudonym", m->user_pseudonym, sizeof m->user_pseudonym);
        absent("a leaf's key", m->self.leaf_key.public_key.data, 32);
        absent("a reference", m->self.reference.data, m->self.reference.len);
        absent("a credential", m->self.credential.data, m->self.credential.len);
    }
}

/* Milliseconds of today, in the eight bytes that any integer would be stored in. */
static void check_times(uint64_t from_ms, uint64_t to_ms)
{
    for (uint64_t ms = from_ms; ms < to_ms; ms += 65536) {
        uint8_t bytes[5]; /* the upper bytes of a big-endian 48-bit time: 65.5 s of it */
        for (int i = 0; i < 4; i++)
            bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
        absent_but_log("a time in milliseconds", bytes, 4);
    }
}

static void traffic(struct membership *m)
{
    struct resident *add[] = {&bob, &carol};
    assert_int_equal(membership_commit(m, &(struct commit_wish){.add = add, .add_count = 2}),
                     HEARTH_OK);
    house_run_ms(&house, 3000);
    for (uint32_t i = 0; i < 30; i++) {
        assert_int_equal(membership_send(m, i), HEARTH_OK);
        house_run_ms(&house, 10000);
        if (i % 3 == 0)
            resident_sync(&bob, 0);
    }
    resident_sync(&bob, 0);
    uint32_t leaf = group_own_leaf(resident_in(&bob, m)->group);
    resident_sync(&carol, 4); /* and leaves the rest */
    const struct commit_wish wish = {.remove = &leaf, .remove_count = 1};
    assert_int_equal(membership_commit(m, &wish), HEARTH_OK);
}

static void image_says_nothing(void **state)
{
    (void)state;
    house_init(&house, 5);
    house_open(&house);
    uint64_t from_ms = clock_unix_ms(&house.clock);
    struct resident *all[] = {&alice, &bob, &carol};
    for (uint32_t i = 0; i < 3; i++) {
        resident_init(all[i], &house, i + 1);
        assert_int_equal(resident_publish(all[i], 5), HEARTH_OK);
    }
    struct membership *m = resident_found(&alice);
    assert_non_null(m);
    traffic(m);
    house_kill(&house); /* in the middle of things: rows wait in the outbox, items in queues */
    for (size_t i = 0; i < 3; i++)
        check_resident(all[i]);
    check_times(from_ms, clock_unix_ms(&house.clock));
    absent_but_log("the domain", HOUSE_DOMAIN, strlen(HOUSE_DOMAIN));
    /* the control: what is there is found */
    assert_true(vfs_contains(house.vfs, bytes_str("CREATE TABLE outbox_row")));
    house_open(&house);
    for (size_t i = 0; i < 3; i++)
        resident_clear(all[i]);
    house_close(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(image_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
