/* Addresses as text, and which of them belong to the Internet at large (address.h). */
#include "net/address.h"

#include <stdio.h>

#include "support/test.h"

static bool is_public(const char *host)
{
    char text[80];
    struct address a;
    bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(text, sizeof text, v6 ? "[%s]:443" : "%s:443", host);
    assert_ok(address_parse(text, &a));
    return address_is_public(&a);
}

/* The first and the last of each range, so that a prefix one bit too long or short shows. */
static void what_is_not_public(void **state)
{
    static const char *const inside[] = {
        "0.0.0.0", "0.255.255.255",       /* this network; 0.0.0.0 connects to this machine */
        "10.0.0.0", "10.255.255.255",     /* RFC 1918 */
        "172.16.0.0", "172.31.255.255",   /* RFC 1918 */
        "192.168.0.0", "192.168.255.255", /* RFC 1918 */
        "100.64.0.0", "100.127.255.255",  /* RFC 6598 */
        "127.0.0.0", "127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254",
        "169.254.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.1", "198.51.100.1", "203.0.113.1",
        "192.88.99.1", "198.18.0.0", "198.19.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.0",
        "255.255.255.255",
        /* IPv6 */
        "::", "::1", "::2", "::7f00:1", "::10.0.0.1", "fc00::", "fdff:ffff::1",
        "fe80::", "febf:ffff::1", "fec0::1", "ff00::", "ff02::1", "ffff::1", "100::1",
        "1fff:ffff::1", "4000::1", "2001::1", "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::1",
        "2002:808:808::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1",
        /* IPv4 inside */
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:172.31.255.255", "::ffff:192.168.1.1",
        "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:224.0.0.1", "::ffff:100.64.0.1",
        "64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b:1::1"};
    (void)state;
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
        if (is_public(inside[i]))
            fail_msg("%s is public", inside[i]);
}

static void what_is_public(void **state)
{
    static const char *const outside[] = {"1.0.0.0",          "1.1.1.1",
                                          "8.8.8.8",          "9.255.255.255",
                                          "11.0.0.0",         "100.63.255.255",
                                          "100.128.0.0",      "126.255.255.255",
                                          "128.0.0.0",        "169.253.255.255",
                                          "169.255.0.0",      "172.15.255.255",
                                          "172.32.0.0",       "192.0.1.0",
                                          "192.167.255.255",  "192.169.0.0",
                                          "198.17.255.255",   "198.20.0.0",
                                          "223.255.255.255",  "2000::1",
                                          "2001:200::1",      "2001:4860:4860::8888",
                                          "2001:db7:ffff::1", "2001:db9::1",
                                          "2003::1",          "2a00:1450::1",
                                          "3ffe::1",          "3fff:1000::1",
                                          "::ffff:8.8.8.8",   "64:ff9b::8.8.8.8"};
    (void)state;
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (!is_public(outside[i]))
            fail_msg("%s is not public", outside[i]);
}

static void sockets_are_not(void **state)
{
    (void)state;
    struct address a;
    assert_ok(address_parse("unix:/run/x", &a));
    assert_false(address_is_public(&a));
    memset(&a, 0, sizeof a);
    assert_false(address_is_public(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_public),
        cmocka_unit_test(what_is_public),
        cmocka_unit_test(sockets_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
