/* Prints the server's metrics page, with numbers in all sorts of rows, for promtool (promtool.sh);
 * with `limits`, the server's part of docs/limits.md. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/front/front.h"

static void count_some(struct metrics *metrics)
{
    static const struct hearth_endpoint endpoints[] = {
        {.path = "/hearth.v1.Queue/Listen", .shape = HEARTH_BIDI},
        {.path = "/hearth.v1.Info/GetKeys", .shape = HEARTH_UNARY},
    };
    for (unsigned i = 0; i < 100; i++) {
        struct call_metrics *calls = metrics_endpoint(metrics, &endpoints[i % 2]);
        call_metrics_begun(calls);
        call_metrics_ended(calls, (enum hearth_code)(i % 17), (uint64_t)i * i * i * 100);
        metrics_time(metrics, METRIC_LOOP_LAG, (uint64_t)i * 1000);
        metrics_add(metrics, METRIC_ADMITTED_SIGNED, i);
    }
}

static int print_page(void)
{
    struct front *front;
    struct front_env env = {.domain = "a.test", .clock = &clock_system, .rng = &rng_system};
    struct buf page = BUF_INIT;
    if (!err_is_ok(front_new(&env, NULL, &front)))
        return 1;
    count_some(front_metrics(front));
    front_page(front, &page);
    bool good = err_is_ok(buf_check(&page)) && fwrite(page.data, 1, page.len, stdout) == page.len;
    buf_clear(&page);
    front_free(front);
    return good ? 0 : 1;
}

static int print_limits(void)
{
    puts("| limit | default | range | reason |\n|---|---|---|---|");
    for (int i = 0; i < LIMITS; i++) {
        const struct limit_row *row = limit_row((enum limit)i);
        const char *space = row->unit[0] != '\0' ? " " : "";
        if (row->per_hour != 0)
            printf("| %s | %" PRIu64 " at once, %" PRIu64 " an hour | %" PRIu64 " to %" PRIu64
                   " | %s |\n",
                   row->name, row->value, row->per_hour, row->least, row->most, row->reason);
        else
            printf("| %s | %" PRIu64 "%s%s | %" PRIu64 " to %" PRIu64 " | %s |\n", row->name,
                   row->value, space, row->unit, row->least, row->most, row->reason);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "limits") == 0 ? print_limits() : print_page();
}
