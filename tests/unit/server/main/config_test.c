/* hearthd.conf: what is taken, what is refused, and what the refusal says. */
#include "server/main/config.h"
#include "server/main/config_row.h"

#include "support/test.h"

static struct err read_text(const char *text, struct config *ret_config,
                            char error[CONFIG_ERROR_MAX])
{
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    assert_non_null(file);
    struct err err = config_read(file, "hearthd.conf", ret_config, error);
    (void)fclose(file);
    return err;
}

static void refused(const char *text, const char *message)
{
    static struct config config;
    char error[CONFIG_ERROR_MAX];
    assert_int_equal(read_text(text, &config, error).code, ERR_CONFIG);
    assert_string_equal(error, message);
}

static void reads_values(void **state)
{
    (void)state;
    static struct config c;
    char error[CONFIG_ERROR_MAX];
    assert_ok(read_text(
        "; a comment\n[server]\ndomain = a.test\nlisten = 127.0.0.1:1\nlisten = [::1]:2\n\n"
        "  threads = 3\ndevelopment = yes\n[limits]\ngroup_members = 50\n",
        &c, error));
    assert_string_equal(c.server_domain, "a.test");
    assert_int_equal(c.server_listen.count, 2);
    assert_string_equal(c.server_listen.values[1], "[::1]:2");
    assert_int_equal(c.server_threads, 3);
    assert_true(c.server_development);
    assert_string_equal(c.registration_mode, "invite");
    assert_int_equal(c.limit_count, 1);
    assert_string_equal(c.limits[0].name, "GROUP_MEMBERS");
    assert_int_equal(c.limits[0].value, 50);
}

static void says_what_is_wrong_and_where(void **state)
{
    (void)state;
    refused("[server]\n\nlissten = x\n",
            "hearthd.conf:3: unknown setting \"lissten\" in [server]; did you mean \"listen\"?");
    refused("[sever]\nlisten = x\n",
            "hearthd.conf:2: there is no section [sever]; did you mean [server]?");
    refused("[server]\nthreads = 65\n",
            "hearthd.conf:2: \"threads\" must be a number from 0 to 64, not \"65\"");
    refused("[server]\nthreads = -1\n",
            "hearthd.conf:2: \"threads\" must be a number from 0 to 64, not \"-1\"");
    refused("[server]\ndevelopment = maybe\n",
            "hearthd.conf:2: \"development\" must be yes or no, not \"maybe\"");
    refused("[registration]\nmode = ope\n",
            "hearthd.conf:2: \"mode\" must be one of invite|open|closed, not \"ope\"");
    refused("[server]\ndomain = a\ndomain = b\n",
            "hearthd.conf:3: \"domain\" is set a second time");
    refused("[limits]\ngroup_member = 1\n",
            "hearthd.conf:2: there is no limit \"group_member\"; did you mean GROUP_MEMBERS?");
    refused("[limits]\nGROUP_MEMBERS = 0\n",
            "hearthd.conf:2: limit \"GROUP_MEMBERS\" must be a number from 2 to 10000, not \"0\"");
    refused("[limits]\nQUEUE_DAYS = 20\nqueue_days = 21\n",
            "hearthd.conf:3: limit \"queue_days\" is set a second time");
    refused("[server]\nwhat is this\n", "hearthd.conf:2: neither [section] nor name = value");
}

/* inih cuts a long line and goes on with the rest as if it were another one. */
static void refuses_long_lines(void **state)
{
    (void)state;
    static struct config config;
    char text[5000], error[CONFIG_ERROR_MAX];
    (void)snprintf(text, sizeof text, "[server]\ndomain = %04500d\n", 1);
    assert_int_equal(read_text(text, &config, error).code, ERR_CONFIG);
    assert_non_null(strstr(error, "hearthd.conf:2: the line is longer than"));
}

static void writes_what_it_reads(void **state)
{
    (void)state;
    static struct config c, again;
    char error[CONFIG_ERROR_MAX], text[4096] = "";
    assert_ok(read_text("[server]\ndomain = a.test\nlisten = 127.0.0.1:1\nkeeper_process = "
                        "no\n[limits]\nqueue_days = 3\n",
                        &c, error));
    FILE *out = fmemopen(text, sizeof text, "w");
    config_write(out, &c, false);
    (void)fclose(out);
    assert_string_equal(text, "[server]\ndomain = a.test\nlisten = 127.0.0.1:1\nkeeper_process = "
                              "no\n\n[limits]\nQUEUE_DAYS = 3\n");
    assert_ok(read_text(text, &again, error));
    assert_memory_equal(&c, &again, sizeof c);
}

static void count_name(void *self, const char *name)
{
    (void)name;
    ++*(unsigned *)self;
}

static void tells_differences(void **state)
{
    (void)state;
    static struct config a, b;
    unsigned live = 0, restart = 0;
    config_defaults(&a);
    config_defaults(&b);
    b.server_drain_seconds = 1; /* live */
    b.server_threads = 2;       /* not, like the next */
    (void)strcpy(b.tls_key, "other.pem");
    config_differences(&a, &b, true, count_name, &live);
    config_differences(&a, &b, false, count_name, &restart);
    assert_int_equal(live, 1);
    assert_int_equal(restart, 2);
}

static void change(struct config *config, const struct config_row *row)
{
    void *at = (uint8_t *)config + row->offset;
    if (row->kind == BOOL)
        *(bool *)at = !*(bool *)at;
    else if (row->kind == NUMBER)
        *(uint64_t *)at += 1;
    else if (row->kind == LIST)
        (void)strcpy(((struct config_list *)at)->values[((struct config_list *)at)->count++],
                     "more");
    else
        (void)strcpy(at, "changed");
}

/* Each row by itself: a live one is taken by a reload, the others stay until a restart. */
static void takes_what_is_live(void **state)
{
    (void)state;
    static struct config now, fresh, defaults;
    unsigned rows[2] = {0, 0};
    config_defaults(&defaults);
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_row *row = &config_rows[i];
        unsigned live = 0, restart = 0;
        config_defaults(&now);
        config_defaults(&fresh);
        change(&fresh, row);
        config_take_live(&now, &fresh);
        const struct config *want = row->live ? &fresh : &defaults;
        assert_memory_equal(&now, want, sizeof now);
        config_differences(&now, &fresh, true, count_name, &live);
        config_differences(&now, &fresh, false, count_name, &restart);
        assert_int_equal(live, 0);
        assert_int_equal(restart, row->live ? 0 : 1); /* and is told at each reload */
        rows[row->live]++;
    }
    assert_true(rows[0] > 0 && rows[1] > 0);
}

static void add_limit(struct config *config, const char *name, uint64_t value)
{
    struct config_limit *limit = &config->limits[config->limit_count++];
    (void)strcpy(limit->name, name);
    limit->value = value;
}

static void limits_are_live(void **state)
{
    (void)state;
    static struct config a, b;
    unsigned changed = 0;
    config_defaults(&a);
    config_defaults(&b);
    add_limit(&a, "GROUP_MEMBERS", 500);
    add_limit(&a, "QUEUE_DAYS", 20);
    add_limit(&b, "QUEUE_DAYS", 20);
    add_limit(&b, "CLIENTS_PER_USER", limit_row(LIMIT_CLIENTS_PER_USER)->value); /* the default */
    config_limit_differences(&a, &b, count_name, &changed);
    assert_int_equal(changed, 1); /* GROUP_MEMBERS has its default again */
    config_take_live(&a, &b);
    config_limit_differences(&a, &b, count_name, &changed);
    assert_int_equal(changed, 1);
    assert_int_equal(a.limit_count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values),       cmocka_unit_test(says_what_is_wrong_and_where),
        cmocka_unit_test(refuses_long_lines), cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(tells_differences),  cmocka_unit_test(takes_what_is_live),
        cmocka_unit_test(limits_are_live),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
