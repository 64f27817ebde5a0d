/* The numbers, and the page they are printed on, read back by a parser that knows the Prometheus
 * text format (0.0.4). */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>

#include "bed.h"

/* ---- a strict reader of the format ---- */

enum { SERIES_MOST = 4000, NAME_BYTES = 128, LABELS_BYTES = 320 };

struct series {
    char name[NAME_BYTES], labels[LABELS_BYTES];
    double value;
};

struct page {
    struct series *series;
    size_t count;
    char family[NAME_BYTES], type[16]; /* of the TYPE line that holds */
    char families[200][NAME_BYTES];
    size_t family_count;
};

static bool is_name(const char *text)
{
    if (!isalpha((unsigned char)text[0]) && text[0] != '_')
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && *text != '_' && *text != ':')
            return false;
    return true;
}

/* name="value",name="value" without escapes, which we never need. */
static void check_labels(const char *labels)
{
    while (*labels != '\0') {
        char name[NAME_BYTES];
        size_t n = strcspn(labels, "=");
        assert_true(n < sizeof name && labels[n] == '=');
        memcpy(name, labels, n);
        name[n] = '\0';
        assert_true(is_name(name));
        labels += n + 1;
        assert_int_equal(*labels++, '"');
        n = strcspn(labels, "\"\\\n");
        labels += n;
        assert_int_equal(*labels++, '"');
        if (*labels == ',') {
            labels++;
            assert_int_not_equal(*labels, '\0'); /* no comma at the end */
        }
    }
}

static void read_type(struct page *page, char *line)
{
    char name[NAME_BYTES], type[16], more;
    assert_int_equal(sscanf(line, "# TYPE %127s %15s%c", name, type, &more), 2);
    assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
                strcmp(type, "histogram") == 0);
    assert_string_equal(page->family, name); /* HELP came right before */
    (void)snprintf(page->type, sizeof page->type, "%s", type);
    if (strcmp(type, "counter") == 0)
        assert_string_equal(name + strlen(name) - 6, "_total");
}

static void read_help(struct page *page, char *line)
{
    char name[NAME_BYTES];
    assert_int_equal(sscanf(line, "# HELP %127s ", name), 1);
    for (size_t i = 0; i < page->family_count; i++)
        assert_string_not_equal(page->families[i], name); /* a family comes once */
    assert_true(is_name(name));
    (void)snprintf(page->family, sizeof page->family, "%s", name);
    (void)snprintf(page->families[page->family_count++], NAME_BYTES, "%s", name);
    page->type[0] = '\0';
}

static void read_sample(struct page *page, char *line)
{
    struct series *s = &page->series[page->count++];
    assert_true(page->count < SERIES_MOST);
    size_t n = strcspn(line, "{ ");
    assert_true(n < sizeof s->name);
    memcpy(s->name, line, n);
    s->name[n] = s->labels[0] = '\0';
    assert_true(is_name(s->name));
    line += n;
    if (*line == '{') {
        n = strcspn(++line, "}");
        assert_true(n < sizeof s->labels && line[n] == '}');
        memcpy(s->labels, line, n);
        s->labels[n] = '\0';
        check_labels(s->labels);
        line += n + 1;
    }
    char *end;
    assert_int_equal(*line, ' ');
    s->value = strtod(line + 1, &end);
    assert_int_equal(*end, '\0');
    assert_true(page->type[0] != '\0');
    size_t family = strlen(page->family);
    assert_memory_equal(s->name, page->family, family);
    if (strcmp(page->type, "histogram") == 0)
        assert_true(strcmp(s->name + family, "_bucket") == 0 ||
                    strcmp(s->name + family, "_sum") == 0 ||
                    strcmp(s->name + family, "_count") == 0);
    else
        assert_int_equal(s->name[family], '\0');
}

static void page_read(struct page *page, struct buf *text)
{
    *page = (struct page){.series = calloc(SERIES_MOST, sizeof *page->series)};
    assert_ok(buf_check(text));
    assert_int_equal(text->data[text->len - 1], '\n');
    buf_append_byte(text, 0);
    char *save, *line = strtok_r((char *)text->data, "\n", &save);
    for (; line != NULL; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# HELP ", 7) == 0)
            read_help(page, line);
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(page, line);
        else
            read_sample(page, line);
    }
    for (size_t i = 0; i < page->count; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(strcmp(page->series[i].name, page->series[k].name) == 0 &&
                         strcmp(page->series[i].labels, page->series[k].labels) == 0);
}

/* -1: not there */
static double value_of(const struct page *page, const char *name, const char *labels)
{
    for (size_t i = 0; i < page->count; i++)
        if (strcmp(page->series[i].name, name) == 0 && strcmp(page->series[i].labels, labels) == 0)
            return page->series[i].value;
    return -1;
}

static struct page read_page(void)
{
    struct buf text = BUF_INIT;
    struct page page;
    front_page(bed.front, &text);
    page_read(&page, &text);
    buf_clear(&text);
    return page;
}

/* ---- tests ---- */

#define UNARY_LABELS "grpc_type=\"unary\",grpc_service=\"t.T\",grpc_method=\"Unary\""

static void calls_are_counted(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(bed_code(&bed.callers[2]), HEARTH_UNAUTHENTICATED);
    struct answer a = {0};
    bed.defer = true;
    (void)bed_start(&bed.callers[0], &a, NULL);
    world_run_ms(&bed.w, 700);
    struct page page = read_page();
    assert_true(value_of(&page, "hearthd_calls", "") == 1);
    front_key(bed.pending, &sig_ed25519, caller_public_key(&bed.callers[0]));
    world_settle(&bed.w);
    free(page.series);
    page = read_page();
    assert_true(value_of(&page, "grpc_server_started_total", UNARY_LABELS) == 6);
    assert_true(value_of(&page, "grpc_server_handled_total", UNARY_LABELS ",grpc_code=\"OK\"") ==
                4);
    assert_true(value_of(&page, "grpc_server_handled_total",
                         UNARY_LABELS ",grpc_code=\"UNAUTHENTICATED\"") == 2);
    assert_true(
        value_of(&page, "grpc_server_handled_total", UNARY_LABELS ",grpc_code=\"INTERNAL\"") == -1);
    assert_true(value_of(&page, "grpc_server_handling_seconds_count", UNARY_LABELS) == 6);
    assert_true(
        value_of(&page, "grpc_server_handling_seconds_bucket", UNARY_LABELS ",le=\"0.5\"") == 5);
    assert_true(value_of(&page, "grpc_server_handling_seconds_bucket", UNARY_LABELS ",le=\"1\"") ==
                6);
    double sum = value_of(&page, "grpc_server_handling_seconds_sum", UNARY_LABELS);
    assert_true(sum >= 0.7 && sum < 0.71);
    assert_true(value_of(&page, "hearthd_calls", "") == 0);
    assert_true(value_of(&page, "hearthd_nonces", "") == 4);
    assert_true(value_of(&page, "hearthd_admitted_signed_total", "") == 4);
    assert_true(value_of(&page, "hearthd_refused_auth_total", "") == 2);
    assert_true(value_of(&page, "hearthd_memory_bytes", "") > 1 << 20);
    assert_true(value_of(&page, "hearthd_limit_refused_total", "limit=\"FAILED_AUTH_PREFIX\"") ==
                0);
    free(page.series);
}

/* Each histogram grows with its bounds and ends in its count. */
static void histograms_are_cumulative(void **state)
{
    (void)state;
    static const uint64_t us[] = {0,    250,     251,      999,      1000,
                                  1001, 5000001, 30000000, 30000001, 90000000};
    for (size_t i = 0; i < sizeof us / sizeof *us; i++)
        metrics_time(front_metrics(bed.front), METRIC_LOOP_LAG, us[i]);
    assert_int_equal(bed_metric(METRIC_LOOP_LAG), 10);
    struct page page = read_page();
    double last = -1, last_le = -1;
    for (size_t i = 0; i < page.count; i++) {
        const struct series *s = &page.series[i];
        if (strcmp(s->name, "hearthd_loop_lag_seconds_bucket") != 0)
            continue;
        double le = strstr(s->labels, "+Inf") != NULL ? 1e9 : strtod(s->labels + 4, NULL);
        assert_true(le > last_le);
        assert_true(s->value >= last);
        last = s->value;
        last_le = le;
    }
    assert_true(last == 10);
    assert_true(value_of(&page, "hearthd_loop_lag_seconds_bucket", "le=\"0.00025\"") == 2);
    assert_true(value_of(&page, "hearthd_loop_lag_seconds_bucket", "le=\"0.001\"") == 5);
    assert_true(value_of(&page, "hearthd_loop_lag_seconds_bucket", "le=\"30\"") == 8);
    assert_true(value_of(&page, "hearthd_loop_lag_seconds_count", "") == 10);
    assert_true(value_of(&page, "hearthd_loop_lag_seconds_sum", "") == 155.003503);
    free(page.series);
}

static unsigned said;

static void say(void *to, const char *name, uint64_t value)
{
    assert_true(is_name(name));
    said++;
    if (strcmp(name, "hearthd_memory_bytes") == 0)
        *(uint64_t *)to = value;
}

static void every_number_is_offered_to_the_operator(void **state)
{
    (void)state;
    uint64_t memory_bytes = 0;
    said = 0;
    front_each(bed.front, say, &memory_bytes);
    assert_int_equal(said, METRICS - 1); /* all but one histogram */
    assert_true(memory_bytes > 1 << 20); /* gauges are read when asked */
}

/* No user, group or address on the page. */
static void ME3_the_page_names_nobody(void **state)
{
    (void)state;
    struct buf text = BUF_INIT;
    bed_from("198.51.100.7");
    assert_int_equal(bed_code(&bed.callers[0]), HEARTH_OK);
    assert_int_equal(bed_code(&bed.callers[2]), HEARTH_UNAUTHENTICATED);
    front_page(bed.front, &text);
    assert_null(memmem(text.data, text.len, "198.51", 6));
    assert_null(memmem(text.data, text.len, DOMAIN, strlen(DOMAIN)));
    assert_null(memmem(text.data, text.len, bed.callers[0].id.data, 16));
    buf_clear(&text);
}

static void more_endpoints_than_room(void **state)
{
    (void)state;
    static struct hearth_endpoint many[300];
    unsigned taken = 0;
    for (int i = 0; i < 300; i++) {
        many[i].path = "/a.B/C";
        taken += metrics_endpoint(front_metrics(bed.front), &many[i]) != NULL;
    }
    assert_int_equal(taken, 256);
    assert_ptr_equal(metrics_endpoint(front_metrics(bed.front), &many[3]),
                     metrics_endpoint(front_metrics(bed.front), &many[3]));
    call_metrics_begun(NULL);
    call_metrics_ended(NULL, HEARTH_OK, 1);
}

static struct hearth_endpoint shared_endpoints[50];

static void *count_many(void *arg)
{
    struct metrics *metrics = arg;
    for (int i = 0; i < 50000; i++) {
        struct call_metrics *calls = metrics_endpoint(metrics, &shared_endpoints[i % 50]);
        call_metrics_begun(calls);
        call_metrics_ended(calls, (enum hearth_code)(i % 20 - 1), 100);
        metrics_add(metrics, METRIC_ADMITTED_SIGNED, 1);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    (void)state;
    struct metrics *metrics;
    struct buf text = BUF_INIT;
    pthread_t threads[4];
    assert_ok(metrics_new(&metrics));
    for (int i = 0; i < 50; i++)
        shared_endpoints[i].path = "/a.B/C";
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, metrics), 0);
    metrics_print(metrics, &text);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metrics_value(metrics, METRIC_ADMITTED_SIGNED), 200000);
    buf_clear(&text);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_are_counted, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(histograms_are_cumulative, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(every_number_is_offered_to_the_operator, bed_setup,
                                        bed_teardown),
        cmocka_unit_test_setup_teardown(ME3_the_page_names_nobody, bed_setup, bed_teardown),
        cmocka_unit_test_setup_teardown(more_endpoints_than_room, bed_setup, bed_teardown),
        cmocka_unit_test(threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
