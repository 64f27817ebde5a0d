/* The page for monitoring: made anew for each GET, nothing else answered. */
#include "net/page_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/test.h"

struct place {
    struct hearth_loop *loop;
    unsigned pages;
    pthread_t thread;
};

static void fill(void *self, struct buf *page)
{
    struct place *p = self;
    char line[32];
    int len = snprintf(line, sizeof line, "pages %u\n", ++p->pages);
    buf_append(page, line, (size_t)len);
}

static void *run(void *arg)
{
    hearth_loop_run(arg);
    return NULL;
}

static void ask(uint16_t port, const char *request, char *answer, size_t size)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len<size - 1; len += n> 0 ? (size_t)n : 0)
        n = read(fd, answer + len, size - 1 - len);
    answer[len] = '\0';
    (void)close(fd);
}

static void serves_one_page(void **state)
{
    (void)state;
    struct place p = {.loop = hearth_loop_new(NULL)};
    struct page_server *server = NULL;
    char answer[4096], large[8192];
    assert_ok(page_server_new(p.loop, "127.0.0.1:0", "/metrics", fill, &p, &server));
    assert_int_equal(pthread_create(&p.thread, NULL, run, p.loop), 0);
    uint16_t port = page_server_port(server);
    for (int i = 1; i <= 2; i++) {
        char page[32];
        (void)snprintf(page, sizeof page, "\r\n\r\npages %d\n", i);
        ask(port, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer,
            sizeof answer);
        assert_non_null(strstr(answer, "200 OK"));
        assert_non_null(strstr(answer, page));
    }
    ask(port, "GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "404"));
    ask(port, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        answer, sizeof answer);
    assert_null(strstr(answer, "200 OK"));
    (void)snprintf(large, sizeof large,
                   "GET /metrics HTTP/1.1\r\nHost: x\r\nX: %07000d\r\nConnection: close\r\n\r\n",
                   1);
    ask(port, large, answer, sizeof answer);
    assert_null(strstr(answer, "200 OK"));
    assert_int_equal(p.pages, 2);
    hearth_loop_stop(p.loop);
    assert_int_equal(pthread_join(p.thread, NULL), 0);
    page_server_free(server);
    hearth_loop_free(p.loop);
}

static struct err get(void *self, const char *path, struct page *page)
{
    (void)self;
    if (strcmp(path, "/gone") == 0)
        return ERR(NOT_FOUND);
    if (strcmp(path, "/fails") == 0)
        return ERR(IO);
    page->forever = strcmp(path, "/x/y") == 0;
    buf_append_bytes(&page->body, bytes_str(path));
    return ERR_OK;
}

static void serves_many_pages(void **state)
{
    (void)state;
    static const struct {
        const char *path, *status, *holds;
    } cases[] = {{"/x/y", "200 OK", "immutable"},
                 {"/x/y?q", "200 OK", "\r\n\r\n/x/y"},
                 {"/z", "200 OK", "no-cache"},
                 {"/z", "200 OK", "application/octet-stream"},
                 {"/gone", "404", ""},
                 {"/fails", "500", ""}};
    struct place p = {.loop = hearth_loop_new(NULL)};
    struct page_server *server = NULL;
    char request[128], answer[4096];
    assert_ok(page_server_many(p.loop, "127.0.0.1:0", get, NULL, &server));
    assert_int_equal(pthread_create(&p.thread, NULL, run, p.loop), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", cases[i].path);
        ask(page_server_port(server), request, answer, sizeof answer);
        assert_non_null(strstr(answer, cases[i].status));
        assert_non_null(strstr(answer, cases[i].holds));
    }
    hearth_loop_stop(p.loop);
    assert_int_equal(pthread_join(p.thread, NULL), 0);
    page_server_free(server);
    hearth_loop_free(p.loop);
}

static struct err post(void *self, const char *path, struct bytes body, struct page *page)
{
    (void)self;
    if (strcmp(path, "/takes") != 0)
        return ERR(NOT_FOUND);
    page->status = body.len > 0 ? 200 : 409;
    page->type = "text/x.size";
    buf_append_bytes(&page->body, bytes_str("took "));
    buf_append_bytes(&page->body, body);
    return ERR_OK;
}

static void takes_posts(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status, *holds;
    } cases[] = {
        {"POST /takes HTTP/1.1\r\nContent-Length: 3\r\n%s\r\nabc", "200", "\r\n\r\ntook abc"},
        {"POST /takes HTTP/1.1\r\nContent-Length: 8\r\n%s\r\n12345678", "200", "text/x.size"},
        {"POST /takes HTTP/1.1\r\nContent-Length: 9\r\n%s\r\n123456789", "413", ""},
        {"POST /takes HTTP/1.1\r\nTransfer-Encoding: chunked\r\n%s\r\n9\r\n123456789\r\n0\r\n\r\n",
         "413", ""},
        {"POST /takes HTTP/1.1\r\nContent-Length: 0\r\n%s\r\n", "409", "took "},
        {"POST /x/y HTTP/1.1\r\nContent-Length: 0\r\n%s\r\n", "404", ""},
        {"GET /takes HTTP/1.1\r\n%s\r\n", "200", "\r\n\r\n/takes"},
        {"PUT /takes HTTP/1.1\r\nContent-Length: 0\r\n%s\r\n", "HTTP/1.1 ", ""},
    };
    struct place p = {.loop = hearth_loop_new(NULL)};
    struct page_server *server = NULL;
    char request[256], answer[4096];
    assert_ok(page_server_many(p.loop, "127.0.0.1:0", get, NULL, &server));
    page_server_posts(server, 8, post);
    assert_int_equal(pthread_create(&p.thread, NULL, run, p.loop), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *rest = strstr(cases[i].request, "%s");
        (void)snprintf(request, sizeof request, "%.*sHost: x\r\nConnection: close\r\n%s",
                       (int)(rest - cases[i].request), cases[i].request, rest + 2);
        ask(page_server_port(server), request, answer, sizeof answer);
        assert_non_null(strstr(answer, cases[i].status));
        assert_non_null(strstr(answer, cases[i].holds));
        if (request[1] == 'U')
            assert_null(strstr(answer, "200 OK"));
    }
    hearth_loop_stop(p.loop);
    assert_int_equal(pthread_join(p.thread, NULL), 0);
    page_server_free(server);
    hearth_loop_free(p.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(serves_one_page),
                                       cmocka_unit_test(serves_many_pages),
                                       cmocka_unit_test(takes_posts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
