/* executor/http.h -- one POST to a web server. The only file that knows libcurl, which is loaded
 * when the first one is sent: most runs never need it, and it doubles the time a program takes to
 * start.
 *
 * TLS is checked (the system's certificates, or those of $SSL_CERT_FILE); redirects are not
 * followed; a proxy of the environment (https_proxy) is used. Thread: main. */
#ifndef HEDDLE_EXECUTOR_HTTP_H
#define HEDDLE_EXECUTOR_HTTP_H

#include <stdint.h>

#include "util/err.h"

struct http_post {
	const char *url;                 /* http or https */
	const char *body;                /* JSON text */
	const char *const *headers;      /* "Name: value", NULL-ended, or NULL */
	int64_t timeout_ms;              /* for all of it */
};

/* 0 when the answer is 2xx; else -1 with err. The url stands in no message. */
int http_post(const struct http_post *p, struct err *err);

#endif
