/* The official interoperability test client:
 * interop_client --server_host=H --server_port=P --test_case=NAME --use_tls=true --use_test_ca=true
 *                --server_host_override=foo.test.google.fr
 *
 *   --ca_file    for --use_test_ca; default: ca.pem in $HEARTH_TEST_CREDS, or the file
 *                $GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
 *   --test_case  one name, or several joined by commas, or `list`
 *
 * Exits with 0 when all asserted holds, 1 when not, 2 for bad flags or unknown cases.
 */
#include <stdio.h>
#include <string.h>

#include "interop/client.h"
#include "interop/flags.h"

static const struct test_case *const groups[] = {unary_cases, stream_cases, compressed_cases,
                                                 many_cases, http2_cases};
enum { GROUPS = sizeof groups / sizeof *groups };

static const struct test_case *find(const char *name, size_t len)
{
    for (size_t i = 0; i < GROUPS; i++) {
        for (const struct test_case *c = groups[i]; c->name != NULL; c++) {
            if (strlen(c->name) == len && memcmp(c->name, name, len) == 0)
                return c;
        }
    }
    return NULL;
}

static int list(void)
{
    for (size_t i = 0; i < GROUPS; i++) {
        for (const struct test_case *c = groups[i]; c->name != NULL; c++)
            puts(c->name);
    }
    return 0;
}

static int run_all(struct client *client, const char *names)
{
    int failed = 0;
    while (*names != 0) {
        size_t len = strcspn(names, ",");
        const struct test_case *c = find(names, len);
        if (c == NULL) {
            (void)complain("no test case %.*s", (int)len, names);
            return 2;
        }
        bool good = c->run(client);
        printf("%s %s\n", good ? "pass" : "FAIL", c->name);
        (void)fflush(stdout);
        failed |= !good;
        names += len + (names[len] == ',');
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct client_settings s = {
        .host = "localhost",
        .test_case = "large_unary",
        .soak_iterations = 10,
        .soak_latency_ms = 1000,
        .soak_timeout_s = 10,
        .soak_request_size = LARGE_REQUEST_BYTES,
        .soak_response_size = LARGE_RESPONSE_BYTES,
        .slow_consumer_ms = 20,
    };
    const struct flag flags[] = {
        {"server_host", FLAG_TEXT, &s.host, "[localhost]"},
        {"server_host_override", FLAG_TEXT, &s.host_override, "name to check and :authority"},
        {"server_port", FLAG_NUMBER, &s.port, ""},
        {"test_case", FLAG_TEXT, &s.test_case, "names joined by commas, or list"},
        {"use_tls", FLAG_BOOL, &s.use_tls, "[false]"},
        {"use_test_ca", FLAG_BOOL, &s.use_test_ca, "[false]"},
        {"ca_file", FLAG_TEXT, &s.ca_file, "PEM roots [$HEARTH_TEST_CREDS/ca.pem]"},
        {"soak_iterations", FLAG_NUMBER, &s.soak_iterations, "[10]"},
        {"soak_max_failures", FLAG_NUMBER, &s.soak_max_failures, "[0]"},
        {"soak_per_iteration_max_acceptable_latency_ms", FLAG_NUMBER, &s.soak_latency_ms, "[1000]"},
        {"soak_overall_timeout_seconds", FLAG_NUMBER, &s.soak_timeout_s, "[10]"},
        {"soak_min_time_ms_between_rpcs", FLAG_NUMBER, &s.soak_wait_ms, "[0]"},
        {"soak_request_size", FLAG_NUMBER, &s.soak_request_size, "[271828]"},
        {"soak_response_size", FLAG_NUMBER, &s.soak_response_size, "[314159]"},
        {"slow_consumer_ms", FLAG_NUMBER, &s.slow_consumer_ms, "between two reads [20]"},
        {NULL, FLAG_TEXT, NULL, NULL},
    };
    if (!flags_parse(argc, argv, flags))
        return 2;
    if (strcmp(s.test_case, "list") == 0)
        return list();
    if (s.host_override != NULL && *s.host_override == 0)
        s.host_override = NULL; /* scripts pass it empty for none */
    if (s.use_test_ca)
        s.ca_file = flags_credential(s.ca_file, "ca.pem", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH");
    if (s.use_test_ca && s.ca_file == NULL) {
        (void)complain("--use_test_ca needs --ca_file or $HEARTH_TEST_CREDS");
        return 2;
    }
    if (s.soak_request_size > ZEROS_BYTES) {
        (void)complain("soak_request_size: at most %d", ZEROS_BYTES);
        return 2;
    }
    struct client client = {.settings = &s, .channel = client_connect(&s)};
    if (client.channel == NULL)
        return 1;
    int result = run_all(&client, s.test_case);
    hearth_channel_free(client.channel);
    return result;
}
